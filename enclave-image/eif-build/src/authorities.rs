//! The public keys that an image believes manifests of.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use cluster_manifest::Authority;
use pem::Pem;

/// Reads PEM files, each with one or more blocks `PUBLIC KEY`.
pub fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Authority>> {
    let mut authorities: Vec<Authority> = Vec::new();
    for path in files {
        let name = path.display();
        let text = fs::read(path).with_context(|| format!("reading {name}"))?;
        let blocks = pem::parse_many(text).with_context(|| format!("{name}"))?;
        if blocks.is_empty() {
            bail!(
                "{name} has no block PUBLIC KEY: an image without authorities is built without --authorities"
            );
        }
        for block in blocks {
            if block.tag() != "PUBLIC KEY" {
                bail!("{name} has a block {:?}, expected PUBLIC KEY", block.tag());
            }
            let authority =
                Authority::from_der(block.contents()).with_context(|| format!("{name}"))?;
            if authorities.contains(&authority) {
                bail!(
                    "{name} names the authority {} again",
                    authority.fingerprint()
                );
            }
            authorities.push(authority);
        }
    }
    authorities.sort_by_key(Authority::fingerprint);
    Ok(authorities)
}

/// The file in the image: in the order of the fingerprints, and without what stood between the keys.
pub fn file(authorities: &[Authority]) -> Vec<u8> {
    let blocks: Vec<_> = authorities
        .iter()
        .map(|authority| Pem::new("PUBLIC KEY", authority.der()))
        .collect();
    pem::encode_many_config(&blocks, crate::LINES).into_bytes()
}
