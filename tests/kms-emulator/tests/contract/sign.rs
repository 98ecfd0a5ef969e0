//! Keys that sign: what each kind signs, who may, and what else such a key refuses.

use aws_lc_rs::digest::{SHA384, digest};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec as Spec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use kms_emulator::{KeyConfig, KeySpec};
use serde_json::json;

use crate::world::{ACCOUNT, OPERATOR, World, code, key, message, policy, who};

const BODY: &[u8] = b"what is signed";

/// The three shares' keys, and one key a kind that the operator may sign with and nobody else.
async fn world() -> World {
    let kinds = [("p384", KeySpec::P384), ("ed25519", KeySpec::Ed25519)];
    World::start_with(|config| {
        config.keys.extend(kinds.map(|(id, key_spec)| KeyConfig {
            id: id.to_owned(),
            key_spec,
            policy: json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
                  "Action": ["kms:DescribeKey", "kms:GetPublicKey", "kms:Encrypt", "kms:DisableKey",
                    "kms:PutKeyPolicy"], "Resource": "*" },
                { "Effect": "Allow", "Principal": { "AWS": OPERATOR },
                  "Action": ["kms:Sign", "kms:GetPublicKey"], "Resource": "*" }
            ] }),
            ..config.keys[0].clone()
        }));
    })
    .await
}

async fn public_key(world: &World, id: &str) -> Vec<u8> {
    let get = world.kms(who::OPERATOR).get_public_key().key_id(id);
    get.send().await.unwrap().public_key.unwrap().into_inner()
}

#[tokio::test]
async fn a_p384_key_signs_a_message_and_its_digest_alike() {
    let world = world().await;
    let public = public_key(&world, "p384").await;
    let verifier = UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, &public[23..]);
    let hash = digest(&SHA384, BODY);
    for (kind, bytes) in [
        (None, BODY),
        (Some(MessageType::Raw), BODY),
        (Some(MessageType::Digest), hash.as_ref()),
    ] {
        let sign = world.kms(who::OPERATOR).sign().key_id(key("p384"));
        let sign = sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha384);
        let sign = sign.set_message_type(kind).message(Blob::new(bytes));
        let answer = sign.send().await.unwrap();
        assert_eq!(answer.key_id, Some(key("p384")));
        let signature = answer.signature.unwrap().into_inner();
        assert_eq!(signature[0], 0x30, "DER");
        verifier.verify(BODY, &signature).unwrap();
    }
}

#[tokio::test]
async fn an_ed25519_key_signs_a_message() {
    let world = world().await;
    let public = public_key(&world, "ed25519").await;
    let sign = world.kms(who::OPERATOR).sign().key_id("ed25519");
    let sign = sign.signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512);
    let sign = sign.message_type(MessageType::Raw).message(Blob::new(BODY));
    let signature = sign.send().await.unwrap().signature.unwrap();
    UnparsedPublicKey::new(&ED25519, &public[12..])
        .verify(BODY, signature.as_ref())
        .unwrap();
}

#[tokio::test]
async fn what_a_kind_does_not_sign_is_refused() {
    use SigningAlgorithmSpec::{EcdsaSha256, EcdsaSha384, Ed25519PhSha512, Ed25519Sha512};
    let world = world().await;
    let usage = "InvalidKeyUsageException";
    for (id, algorithm, kind, length, expected) in [
        (
            "p384",
            EcdsaSha384,
            MessageType::Digest,
            32,
            "ValidationException",
        ),
        (
            "p384",
            EcdsaSha384,
            MessageType::ExternalMu,
            64,
            "ValidationException",
        ),
        ("p384", EcdsaSha256, MessageType::Raw, 32, usage),
        ("p384", Ed25519Sha512, MessageType::Raw, 32, usage),
        (
            "p384",
            EcdsaSha384,
            MessageType::Raw,
            4097,
            "ValidationException",
        ),
        (
            "p384",
            "RSA".into(),
            MessageType::Raw,
            32,
            "ValidationException",
        ),
        (
            "ed25519",
            Ed25519Sha512,
            MessageType::Digest,
            64,
            "ValidationException",
        ),
        (
            "ed25519",
            Ed25519PhSha512,
            MessageType::Raw,
            64,
            "ValidationException",
        ),
        (
            "ed25519",
            Ed25519PhSha512,
            MessageType::Digest,
            64,
            "UnsupportedOperationException",
        ),
        ("ed25519", EcdsaSha384, MessageType::Raw, 32, usage),
    ] {
        let sign = world.kms(who::OPERATOR).sign().key_id(id);
        let sign = sign
            .signing_algorithm(algorithm.clone())
            .message_type(kind.clone());
        let refused = sign.message(Blob::new(vec![1; length])).send().await;
        assert_eq!(code(refused), expected, "{id} {algorithm} {kind} {length}");
    }
}

#[tokio::test]
async fn a_key_has_one_usage() {
    let world = world().await;
    let power = world.kms(who::ROOT);
    let encrypt = power.encrypt().key_id("p384").plaintext(Blob::new(*b"x"));
    let expected = format!(
        "{} key usage is SIGN_VERIFY which is not valid for Encrypt.",
        key("p384")
    );
    assert_eq!(message(encrypt.send().await), expected);
    let sign = power.sign().key_id("share-a").message(Blob::new(BODY));
    let sign = sign
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha384)
        .send();
    assert_eq!(code(sign.await), "InvalidKeyUsageException");
    let public = power.get_public_key().key_id("share-a").send().await;
    assert_eq!(code(public), "UnsupportedOperationException");
}

#[tokio::test]
async fn the_key_policy_says_who_signs_and_who_reads_the_public_key() {
    let world = world().await;
    let sign = |who| {
        let sign = world
            .kms(who)
            .sign()
            .key_id("p384")
            .message(Blob::new(BODY));
        sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha384)
            .send()
    };
    assert!(sign(who::OPERATOR).await.is_ok());
    for who in [who::ROOT, who::ADMIN, who::CHAMBER] {
        assert_eq!(code(sign(who).await), "AccessDeniedException", "{who}");
    }
    let public = |who| world.kms(who).get_public_key().key_id(key("p384")).send();
    assert!(public(who::ROOT).await.is_ok());
    for who in [who::CHAMBER, who::STRANGER] {
        assert_eq!(code(public(who).await), "AccessDeniedException", "{who}");
    }
    // A condition on the algorithm is asked, as for encryption.
    let only_raw = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": OPERATOR }, "Action": "kms:Sign", "Resource": "*",
          "Condition": { "StringEquals": { "kms:MessageType": "DIGEST", "kms:SigningAlgorithm": "ECDSA_SHA_384" } } }
    ] });
    world.put_raw_policy("p384", &only_raw.to_string()).await;
    assert_eq!(code(sign(who::OPERATOR).await), "AccessDeniedException");
    let digest = world.kms(who::OPERATOR).sign().key_id("p384");
    let digest = digest
        .message(Blob::new(vec![1; 48]))
        .message_type(MessageType::Digest);
    let signed = digest
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha384)
        .send();
    assert!(signed.await.is_ok());
}

#[tokio::test]
async fn a_signing_key_describes_itself_and_is_disabled_as_others() {
    let world = world().await;
    let root = world.kms(who::ROOT);
    let described = root.describe_key().key_id("p384").send().await.unwrap();
    let metadata = described.key_metadata.unwrap();
    assert_eq!(metadata.key_spec, Some(Spec::EccNistP384));
    assert_eq!(metadata.key_usage, Some(KeyUsageType::SignVerify));
    assert_eq!(
        metadata.signing_algorithms,
        Some(vec![SigningAlgorithmSpec::EcdsaSha384])
    );
    assert_eq!(metadata.encryption_algorithms, None);
    root.disable_key().key_id("p384").send().await.unwrap();
    let sign = world
        .kms(who::OPERATOR)
        .sign()
        .key_id("p384")
        .message(Blob::new(BODY));
    let sign = sign
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha384)
        .send();
    assert_eq!(code(sign.await), "DisabledException");
}

#[tokio::test]
async fn signing_keys_are_made_with_their_usage() {
    let world = world().await;
    let create = |usage| {
        let create = world
            .kms(who::ROOT)
            .create_key()
            .policy(policy(&[]).to_string());
        create
            .key_spec(Spec::EccNistEdwards25519)
            .set_key_usage(usage)
            .send()
    };
    let made = create(Some(KeyUsageType::SignVerify)).await.unwrap();
    let metadata = made.key_metadata.unwrap();
    assert_eq!(metadata.key_spec, Some(Spec::EccNistEdwards25519));
    assert_eq!(metadata.aws_account_id.as_deref(), Some(ACCOUNT));
    assert_eq!(code(create(None).await), "ValidationException");
}
