//! Everybody who must not get a share, and the code that each of them meets.

use aws_sdk_kms::primitives::Blob;
use coset::{CborSerializable, CoseSign1};
use nsm_emulator::TestRoot;

use crate::enclave::{Enclave, recipient};
use crate::world::{ADMITTED, FOREIGN, World, code, key, message, who};

const DENIED: &str = "AccessDeniedException";
const INVALID: &str = "ValidationException";

/// A share under the first key, wrapped by the enclave role as chambers do.
async fn share(world: &World) -> Blob {
    let encrypt = world.kms(who::CHAMBER).encrypt().key_id(key("share-a"));
    let answer = encrypt
        .plaintext(Blob::new(*b"share"))
        .send()
        .await
        .unwrap();
    answer.ciphertext_blob.unwrap()
}

/// The code that `caller` meets with a document.
async fn decrypt(world: &World, caller: &str, share: &Blob, document: Option<Vec<u8>>) -> String {
    code(
        world
            .kms(caller)
            .decrypt()
            .key_id(key("share-a"))
            .ciphertext_blob(share.clone())
            .set_recipient(document.map(recipient))
            .send()
            .await,
    )
}

#[tokio::test]
async fn without_attestation_nobody_decrypts() {
    let world = World::start().await;
    let share = share(&world).await;
    for caller in [
        who::CHAMBER,
        who::OTHER_CHAMBER,
        who::ADMIN,
        who::OPERATOR,
        who::POWER_USER,
        who::ROOT,
        who::STRANGER,
    ] {
        assert_eq!(
            decrypt(&world, caller, &share, None).await,
            DENIED,
            "{caller}"
        );
    }
    let text = message(
        world
            .kms(who::ROOT)
            .decrypt()
            .ciphertext_blob(share)
            .send()
            .await,
    );
    assert_eq!(
        text,
        "User: arn:aws:iam::111122223333:root is not authorized to perform: kms:Decrypt on resource: \
         arn:aws:kms:us-east-1:111122223333:key/share-a with an explicit deny in a resource-based policy"
    );
}

#[tokio::test]
async fn wrong_and_zero_measurements_are_denied() {
    let world = World::start().await;
    let share = share(&world).await;
    for image in [FOREIGN, [0; 48]] {
        let document = Enclave::new(&world.root, image).attest(None);
        assert_eq!(
            decrypt(&world, who::CHAMBER, &share, Some(document)).await,
            DENIED
        );
    }
}

#[tokio::test]
async fn the_right_measurement_does_not_help_others() {
    let world = World::start().await;
    let share = share(&world).await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    for caller in [who::OTHER_CHAMBER, who::ADMIN, who::OPERATOR, who::STRANGER] {
        let document = Some(enclave.attest(None));
        assert_eq!(
            decrypt(&world, caller, &share, document).await,
            DENIED,
            "{caller}"
        );
    }
}

/// The gap that the five statements leave, kept visible: statement 1 delegates to IAM, statement 5 asks only
/// whether there is attestation. The Pinned profile closes it.
#[tokio::test]
async fn an_iam_principal_with_any_enclave_gets_through_the_five_statements() {
    let world = World::start().await;
    let share = share(&world).await;
    let debug = Enclave::new(&world.root, [0; 48]);
    for caller in [who::POWER_USER, who::ROOT] {
        let decrypt = world.kms(caller).decrypt().ciphertext_blob(share.clone());
        let answer = decrypt.recipient(debug.recipient()).send().await.unwrap();
        let sealed = answer.ciphertext_for_recipient.unwrap();
        assert_eq!(debug.open(sealed.as_ref()), b"share", "{caller}");
    }
}

#[tokio::test]
async fn documents_that_prove_nothing_are_invalid() {
    let world = World::start().await;
    let share = share(&world).await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let old = u64::try_from(now.as_millis()).unwrap() - 301_000;
    let fresh = enclave.attest(None);
    let mut bad_signature = fresh.clone();
    *bad_signature.last_mut().unwrap() ^= 1;
    // A foreign enclave's document whose measurement was replaced by the admitted one.
    let foreign = Enclave::new(&world.root, FOREIGN).attest(None);
    let mut forged = CoseSign1::from_slice(&foreign).unwrap();
    let payload = forged.payload.as_mut().unwrap();
    let at = payload
        .windows(48)
        .position(|bytes| bytes == FOREIGN)
        .unwrap();
    payload[at..at + 48].copy_from_slice(&ADMITTED);
    let foreign_root = Enclave::new(&TestRoot::generate().unwrap(), ADMITTED).attest(None);
    let cases = [
        ("expired", enclave.attest(Some(old))),
        ("bad signature", bad_signature),
        ("forged measurement", forged.to_vec().unwrap()),
        ("foreign root", foreign_root),
        ("random bytes", vec![0x5a; 900]),
        ("cut short", fresh[..fresh.len() - 1].to_vec()),
    ];
    for (what, document) in cases {
        assert_eq!(
            decrypt(&world, who::CHAMBER, &share, Some(document)).await,
            INVALID,
            "{what}"
        );
    }
    let audit = world.admin_get("/audit").await;
    let believed = audit
        .as_array()
        .unwrap()
        .iter()
        .any(|entry| entry.get("measurement").is_some());
    assert!(!believed, "an unverified measurement is not logged as one");
}

#[tokio::test]
async fn a_changed_ciphertext_or_context_is_an_invalid_ciphertext_without_a_message() {
    let world = World::start().await;
    let share = share(&world).await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    let mut changed = share.clone().into_inner();
    *changed.last_mut().unwrap() ^= 1;
    let decrypt = || {
        let decrypt = world.kms(who::CHAMBER).decrypt().key_id(key("share-a"));
        decrypt.recipient(enclave.recipient())
    };
    for result in [
        decrypt().ciphertext_blob(Blob::new(changed)).send().await,
        decrypt().ciphertext_blob(Blob::new(*b"noise")).send().await,
        decrypt()
            .ciphertext_blob(share.clone())
            .encryption_context("a", "b")
            .send()
            .await,
    ] {
        let error = result.unwrap_err().into_service_error();
        assert!(error.is_invalid_ciphertext_exception(), "{error:?}");
        assert_eq!(error.meta().message(), None);
    }
    let other_key = decrypt()
        .key_id(key("share-b"))
        .ciphertext_blob(share)
        .send()
        .await;
    assert_eq!(code(other_key), "IncorrectKeyException");
}

#[tokio::test]
async fn the_ways_around_decrypt_are_closed() {
    let world = World::start().await;
    let share = share(&world).await;
    for caller in [who::CHAMBER, who::ADMIN, who::ROOT] {
        let kms = world.kms(caller);
        let re_encrypt = kms.re_encrypt().ciphertext_blob(share.clone());
        let re_encrypt = re_encrypt.destination_key_id(key("share-b")).send().await;
        assert_eq!(code(re_encrypt), DENIED, "{caller}");
        let data_key = kms
            .generate_data_key()
            .key_id(key("share-a"))
            .number_of_bytes(32);
        assert_eq!(code(data_key.send().await), DENIED, "{caller}");
        let without = kms
            .generate_data_key_without_plaintext()
            .key_id(key("share-a"));
        assert_eq!(code(without.send().await), DENIED, "{caller}");
    }
    let put = world
        .kms(who::CHAMBER)
        .put_key_policy()
        .key_id(key("share-a"));
    assert_eq!(code(put.policy("{}").send().await), DENIED);
}
