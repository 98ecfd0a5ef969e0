//! Private keys in files: read, used once, wiped.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use cluster_manifest::Authority;
use zeroize::Zeroizing;

use crate::output::Failure;

/// More than any key of these kinds.
const MOST: usize = 4096;
/// RFC 8410 and RFC 5480: the DER of `SubjectPublicKeyInfo` before the key.
const ED25519_SPKI: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const P384_SPKI: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

/// A private key; the library wipes it when it is dropped.
pub enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    P384(EcdsaKeyPair),
}

impl PrivateKey {
    /// Reads one of PKCS#8 PEM.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong =
            |why: &dyn std::fmt::Display| Failure::read(&path.to_string_lossy(), &why.to_string());
        // Never grows: a buffer that moves would leave its old bytes behind.
        let mut text = Zeroizing::new(Vec::with_capacity(MOST + 1));
        let file = File::open(path).map_err(|why| wrong(&why))?;
        let limited = file.take(MOST as u64);
        { limited }
            .read_to_end(&mut text)
            .map_err(|why| wrong(&why))?;
        let der = pkcs8(&text).map_err(|why| wrong(&why))?;
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            return Ok(Self::Ed25519(key));
        }
        EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der)
            .map(Self::P384)
            .map_err(|_| wrong(&"is a key of another kind, expected Ed25519 or P-384: make one with `openssl genpkey -algorithm ED25519`"))
    }

    /// Its public half.
    pub fn authority(&self) -> Result<Authority, Failure> {
        let der = match self {
            Self::Ed25519(key) => [ED25519_SPKI, key.public_key().as_ref()].concat(),
            Self::P384(key) => [P384_SPKI, key.public_key().as_ref()].concat(),
        };
        Authority::from_der(&der).map_err(|why| Failure::Usage(format!("--key: {why}")))
    }

    /// Signs a body.
    pub fn sign(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Ed25519(key) => Ok(key.sign(body).as_ref().to_vec()),
            Self::P384(key) => key
                .sign(&SystemRandom::new(), body)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| {
                    Failure::Usage("--key: the cryptographic library could not sign".to_owned())
                }),
        }
    }
}

/// The content of the one block `PRIVATE KEY`.
fn pkcs8(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "is no PEM, expected a block PRIVATE KEY")?;
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(
            "is encrypted: decrypt it to a file in memory (`openssl pkcs8 -in KEY -out /dev/shm/KEY`), sign, and remove that",
        );
    }
    if text.contains("-----BEGIN EC PRIVATE KEY-----") {
        return Err(
            "is a block EC PRIVATE KEY, expected PKCS#8: `openssl pkcs8 -topk8 -nocrypt -in KEY`",
        );
    }
    let block = text.split_once("-----BEGIN PRIVATE KEY-----");
    let block = block.and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"));
    let (block, _) = block.ok_or("has no block PRIVATE KEY, expected PKCS#8 PEM")?;
    let mut plain = Zeroizing::new(Vec::with_capacity(MOST));
    plain.extend(block.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; MOST]);
    let length = BASE64.decode_slice(&*plain, &mut der);
    let length = length.map_err(|_| "has a block PRIVATE KEY that is not base64")?;
    der.truncate(length);
    Ok(der)
}
