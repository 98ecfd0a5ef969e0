//! Signatures that openssl makes over the body, and keys that openssl makes: nothing of ours is needed to sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::{CLUSTER, Folder, ends, has_openssl, openssl, shell, signed, verified};

/// The manifest of `CLUSTER`, with a signature of somebody else's making.
fn with_signature(folder: &Folder, public: &str, signature: &[u8]) -> String {
    let file = folder.write("c.yaml", CLUSTER);
    let mut manifest: Value =
        serde_yaml_ng::from_str(&ends(0, &["manifest", "render", "-f", &file]).out).unwrap();
    let spki = openssl(
        folder,
        &["pkey", "-pubin", "-in", public, "-outform", "DER"],
    );
    manifest["manifest"]["signatures"] = json!([{
        "authority": hex::encode(Sha256::digest(spki)), "signature": BASE64.encode(signature),
    }]);
    folder.write("signed.yaml", manifest.to_string())
}

/// `a.key` and `a.pub`, of this algorithm.
fn key_pair(folder: &Folder, algorithm: &[&str]) {
    let make = ["genpkey", "-out", "a.key", "-algorithm"];
    openssl(folder, &[&make[..], algorithm].concat());
    let public = ["pkey", "-in", "a.key", "-pubout", "-out", "a.pub"];
    openssl(folder, &public);
}

fn body(folder: &Folder) {
    let program = env!("CARGO_BIN_EXE_kubectl-chamber");
    folder.write("c.yaml", CLUSTER);
    let line = format!("{program} manifest render -f c.yaml -o body > body.bin");
    assert_eq!(shell(folder, &line, &[]).status, 0);
}

#[test]
fn an_ed25519_signature_of_openssl_is_the_one_that_sign_makes() {
    if !has_openssl() {
        return;
    }
    let folder = Folder::new("openssl-ed25519");
    key_pair(&folder, &["ED25519"]);
    body(&folder);
    let signature = openssl(
        &folder,
        &[
            "pkeyutl", "-sign", "-rawin", "-inkey", "a.key", "-in", "body.bin",
        ],
    );
    let file = with_signature(&folder, "a.pub", &signature);
    verified(&file, &folder.path("a.pub"));
    let signed = signed(&file, &folder.path("a.key"));
    assert!(
        signed.out.contains(&BASE64.encode(signature)),
        "{}",
        signed.out
    );
}

/// openssl writes DER; r and s are taken out of it as docs/cluster-manifest.md says.
#[test]
fn a_p384_signature_of_openssl_is_verified() {
    if !has_openssl() {
        return;
    }
    let folder = Folder::new("openssl-p384");
    key_pair(&folder, &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    body(&folder);
    let der = openssl(&folder, &["dgst", "-sha384", "-sign", "a.key", "body.bin"]);
    let file = with_signature(&folder, "a.pub", &fixed(&der));
    verified(&file, &folder.path("a.pub"));
    let signed = signed(&file, &folder.path("a.key"));
    let signed = folder.write("again.yaml", signed.out);
    verified(&signed, &folder.path("a.pub"));
}

fn fixed(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (number, more) = rest[2..].split_at(rest[1].into());
        let digits: Vec<_> = number
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        out.extend(vec![0; 48 - digits.len()]);
        out.extend(digits);
        rest = more;
    }
    out
}
