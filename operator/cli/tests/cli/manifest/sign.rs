//! `manifest sign`: with a key in a file or in KMS, and what is not signed.

use std::net::SocketAddr;
use std::process::Command;

use kms_emulator::{Config, Server};
use nsm_emulator::TestRoot;
use serde_json::json;

use super::world::{
    CLUSTER, Folder, ed25519, ends, p384, pem, signed, signed_in_place, told, verified,
};
use crate::chamber;

/// What render prints for `CLUSTER`.
fn fragment(folder: &Folder) -> String {
    let file = folder.write("cluster.yaml", CLUSTER);
    ends(0, &["manifest", "render", "-f", &file]).out
}

/// `CLUSTER` with this manifest under its spec.
fn whole(fragment: &str) -> String {
    let indented: String = fragment
        .lines()
        .flat_map(|line| ["  ", line, "\n"])
        .collect();
    format!("{CLUSTER}{indented}  # the end\n")
}

#[test]
fn each_kind_of_key_signs_and_is_verified() {
    let folder = Folder::new("kinds");
    let file = folder.write("m.yaml", fragment(&folder));
    for keys in [ed25519(&folder, "one"), p384(&folder, "two")] {
        let run = signed(&file, &keys.private);
        let signed = folder.write("signed.yaml", &run.out);
        let verified = verified(&signed, &keys.public);
        assert!(
            verified.out.contains(&told(&run, "digest")),
            "{}",
            verified.out
        );
    }
}

#[test]
fn an_authority_has_one_signature_and_others_keep_theirs() {
    let folder = Folder::new("again");
    let file = folder.write("m.yaml", fragment(&folder));
    let (one, two) = (p384(&folder, "one"), ed25519(&folder, "two"));
    let sign = |key: &str| signed_in_place(&file, key);
    let digest = told(&sign(&one.private), "digest");
    let first = folder.read("m.yaml");
    assert_eq!(told(&sign(&one.private), "digest"), digest);
    let again = folder.read("m.yaml");
    assert_ne!(first, again, "ECDSA signs with a new nonce");
    assert_eq!(again.matches("- authority:").count(), 1, "{again}");
    sign(&two.private);
    assert_eq!(folder.read("m.yaml").matches("- authority:").count(), 2);
    for keys in [one, two] {
        verified(&file, &keys.public);
    }
}

#[test]
fn a_whole_resource_keeps_its_comments_and_its_order() {
    let folder = Folder::new("whole");
    let before = whole(&fragment(&folder));
    let file = folder.write(
        "c.yaml",
        format!("{before}---\nkind: ConfigMap # another object\n"),
    );
    let keys = ed25519(&folder, "one");
    let run = signed_in_place(&file, &keys.private);
    assert_eq!(run.out, "");
    let after = folder.read("c.yaml");
    let kept: Vec<_> = after
        .lines()
        .filter(|line| !line.contains("authority:") && !line.contains("signature:"))
        .collect();
    let wanted = before.replace("signatures: []", "signatures:");
    assert_eq!(kept[..kept.len() - 2].join("\n") + "\n", wanted);
    assert!(
        after.ends_with("---\nkind: ConfigMap # another object\n"),
        "{after}"
    );
    verified(&file, &keys.public);
}

#[test]
fn what_cannot_be_kept_is_written_anew_and_means_the_same() {
    let folder = Folder::new("flow");
    let value: serde_json::Value = serde_yaml_ng::from_str(&fragment(&folder)).unwrap();
    let keys = ed25519(&folder, "one");
    let json = folder.write("m.json", value.to_string());
    let run = signed_in_place(&json, &keys.private);
    assert!(!run.err.contains("comments are lost"), "{}", run.err);
    assert!(serde_json::from_str::<serde_json::Value>(&folder.read("m.json")).is_ok());
    verified(&json, &keys.public);
    let flow = folder.write(
        "m.yaml",
        format!("# a comment\nmanifest: {}\n", value["manifest"]),
    );
    let run = signed_in_place(&flow, &keys.private);
    assert!(run.err.contains("comments are lost"), "{}", run.err);
    verified(&flow, &keys.public);
}

#[test]
fn a_manifest_that_nobody_should_sign_is_refused() {
    let folder = Folder::new("refused");
    let keys = ed25519(&folder, "one");
    let good = fragment(&folder);
    let resource = whole(&good);
    for (text, status, words) in [
        (
            good.replace("threshold: 2", "threshold: 3"),
            1,
            "spec.manifest.body.threshold: 3",
        ),
        (
            good.replace("kind: SealPermit", "kind: Run"),
            1,
            "body.commitment is missing",
        ),
        (good.replace("/b", "/a"), 1, "one key named twice"),
        (good.replace("8a", "00"), 1, "signers: a reserved value"),
        (
            resource.replace(
                "      threshold: 2\n      keys",
                "      threshold: 1\n      keys",
            ),
            1,
            "spec.keys.threshold is 2",
        ),
        (
            good.replace("kind: SealPermit", "kind: Permit"),
            2,
            "unknown variant",
        ),
        (
            good.replace("signers:", "signer:"),
            2,
            "manifest.body has signer, expected kind",
        ),
        (
            format!("{good}---\n{good}"),
            2,
            "has 2 manifests, expected one",
        ),
        (CLUSTER.to_owned(), 2, "has 0 manifests, expected one"),
        ("{".to_owned(), 2, "m.yaml"),
    ] {
        let file = folder.write("m.yaml", &text);
        let run = chamber(
            &["manifest", "sign", "-f", &file, "--key", &keys.private],
            "",
        );
        assert_eq!(
            (run.status, run.out.as_str()),
            (status, ""),
            "{words}: {}",
            run.err
        );
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
}

#[test]
fn another_kind_of_key_is_refused_without_being_printed() {
    let folder = Folder::new("keys");
    let file = folder.write("m.yaml", fragment(&folder));
    let secret = "c2VjcmV0".repeat(8);
    for (tag, words) in [
        (
            "PRIVATE KEY",
            "is a key of another kind, expected Ed25519 or P-384",
        ),
        ("EC PRIVATE KEY", "openssl pkcs8 -topk8"),
        ("ENCRYPTED PRIVATE KEY", "is encrypted"),
        ("PUBLIC KEY", "has no block PRIVATE KEY"),
    ] {
        let key = folder.write("x.key", pem(tag, secret.as_bytes()));
        let run = ends(2, &["manifest", "sign", "-f", &file, "--key", &key]);
        assert!(run.err.contains(words), "{tag}: {}", run.err);
        assert!(!run.err.contains("YzJW"), "{}", run.err);
    }
    let usage: [(&[&str], &str); 3] = [
        (&["-f", &file], "required arguments"),
        (
            &["-f", &file, "--key", "k", "--kms-key", "arn"],
            "cannot be used with",
        ),
        (
            &["-f", "-", "--in-place", "--key", "k"],
            "--in-place: standard input",
        ),
    ];
    for (arguments, words) in usage {
        let run = ends(2, &[&["manifest", "sign"][..], arguments].concat());
        assert!(run.err.contains(words), "{}", run.err);
    }
}

const ACCOUNT: &str = "444455556666";

/// An emulator with one authority a kind, that person may sign with, and a key that signs nothing.
pub fn config(ids: &[(&str, &str)]) -> Config {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/person")},
        "Action": ["kms:Sign", "kms:GetPublicKey"]}]});
    let keys = ids
        .iter()
        .map(|(id, spec)| json!({"id": id, "account": ACCOUNT, "keySpec": spec, "policy": policy}));
    let config = json!({
        "region": "us-east-1", "nitroRootPem": TestRoot::generate().unwrap().certificate_pem(),
        "credentials": [
            {"accessKeyId": "AKIAPERSON", "secretAccessKey": "secret", "principal": format!("arn:aws:iam::{ACCOUNT}:user/person")},
            {"accessKeyId": "AKIANOBODY", "secretAccessKey": "secret", "principal": format!("arn:aws:iam::{ACCOUNT}:user/nobody")},
        ],
        "keys": keys.collect::<Vec<_>>(),
    });
    Config::parse(&config.to_string()).unwrap()
}

pub async fn started(ids: &[(&str, &str)]) -> Server {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Server::start(config(ids), any, any).await.unwrap()
}

async fn sign_as(who: &str, server: &Server, file: &str, id: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-chamber"));
    command
        .args(["manifest", "sign", "-f", file, "--in-place", "--kms-key"])
        .arg(format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}"))
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", who)
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env(
            "AWS_ENDPOINT_URL_KMS",
            format!("http://{}", server.kms_address()),
        );
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_kms_signs_with_the_callers_own_credentials() {
    let server = started(&[
        ("p", "ECC_NIST_P384"),
        ("e", "ECC_NIST_EDWARDS25519"),
        ("s", "SYMMETRIC_DEFAULT"),
    ])
    .await;
    let folder = Folder::new("kms");
    let file = folder.write("m.yaml", fragment(&folder));
    for id in ["p", "e"] {
        let (status, told) = sign_as("AKIAPERSON", &server, &file, id).await;
        assert_eq!(status, 0, "{told}");
        let public = public_key(&server, id).await;
        let public = folder.write("kms.pub", pem("PUBLIC KEY", &public));
        verified(&file, &public);
    }
    for (who, id, words) in [
        (
            "AKIANOBODY",
            "p",
            "kms:GetPublicKey gives AccessDeniedException",
        ),
        (
            "AKIAPERSON",
            "s",
            "kms:GetPublicKey gives UnsupportedOperationException",
        ),
        ("AKIAPERSON", "x", "NotFoundException"),
    ] {
        let (status, told) = sign_as(who, &server, &file, id).await;
        assert_eq!(status, 2, "{told}");
        assert!(told.contains(words), "{told}");
    }
    server.stop().await;
}

pub async fn public_key(server: &Server, id: &str) -> Vec<u8> {
    use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{}", server.kms_address()))
        .credentials_provider(Credentials::new("AKIAPERSON", "secret", None, None, "test"))
        .build();
    let get = aws_sdk_kms::Client::from_conf(config).get_public_key();
    let arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}");
    let answer = get.key_id(arn).send().await.unwrap();
    answer.public_key.unwrap().into_inner()
}
