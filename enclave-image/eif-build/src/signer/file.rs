//! A key in a file: read, used once, wiped.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// More than any key of this kind.
const MOST: usize = 4096;

/// A signature over a message: r, then s.
pub fn sign(path: &Path, message: &[u8]) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    // Never grows: a buffer that moves would leave its old bytes behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MOST + 1));
    let file = File::open(path).with_context(|| format!("reading {name}"))?;
    { file.take(MOST as u64) }
        .read_to_end(&mut text)
        .with_context(|| format!("reading {name}"))?;
    let der = pkcs8(&text).with_context(|| format!("{name}"))?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der);
    let Ok(pair) = pair else {
        bail!("{name} is a key of another kind, expected one on P-384");
    };
    match pair.sign(&SystemRandom::new(), message) {
        Ok(signature) => Ok(signature.as_ref().to_vec()),
        Err(_) => bail!("{name}: the cryptographic library could not sign"),
    }
}

/// The content of the block `PRIVATE KEY`. By hand, as the crate `pem` does not wipe what it reads.
fn pkcs8(text: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(text).ok();
    let block = text.and_then(|text| text.split_once("-----BEGIN PRIVATE KEY-----"));
    let block = block.and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"));
    let (block, _) = block.context(
        "has no block PRIVATE KEY, expected PKCS#8: `openssl pkcs8 -topk8 -nocrypt -in KEY`",
    )?;
    let mut plain = Zeroizing::new(Vec::with_capacity(MOST));
    plain.extend(block.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; MOST]);
    let length = STANDARD.decode_slice(&*plain, &mut der);
    let length = length
        .ok()
        .context("has a block PRIVATE KEY that is not base64")?;
    der.truncate(length);
    Ok(der)
}
