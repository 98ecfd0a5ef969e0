//! Whether a sealed blob is what a manifest speaks of: the one rule of agent, operator and command line.

use std::fmt;

use attestation::{At, Claims, Root, Verified, verify};
use sealed_blob::{InnerBlob, Origin};

use crate::{Digest, Kind, MANIFEST_REGISTER, Manifest, Mismatch};

/// What a blob shows of its sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Sealed by an enclave that the manifest names, under a seal permit that was in its locked PCR16.
    Attested,
    /// Sealed by an enclave that the manifest names, which measured no authority: its permit is the commitment in the
    /// run manifest alone.
    WithoutPermit,
    /// Format 1 carries no sealing document: its permit is the commitment in the run manifest alone.
    WithoutDocument,
}

/// Whether this blob may be unsealed under this (verified) manifest.
pub fn check_blob(
    manifest: &Manifest,
    inner: &InnerBlob,
    root: &Root,
) -> Result<Provenance, Mismatch> {
    same_keys(manifest, inner)?;
    match manifest.kind {
        Kind::SealPermit => Err(Mismatch::PermitOnly {
            commitment: hex::encode(inner.commitment),
        }),
        Kind::Run { commitment } => {
            let (blob, named) = (hex::encode(inner.commitment), hex::encode(commitment));
            same("commitment", &blob, &named)?;
            sealed_by(manifest, inner, root)
        }
    }
}

/// Whether this blob is what was sealed under this (verified) seal permit.
pub fn check_sealed(permit: &Manifest, inner: &InnerBlob, root: &Root) -> Result<(), Mismatch> {
    same_keys(permit, inner)?;
    if permit.kind != Kind::SealPermit {
        let why = "it is a run manifest, under which nobody seals";
        return Err(Mismatch::OtherPermit(why.to_owned()));
    }
    let own = *permit.digest()?.as_bytes();
    let origin = inner.origin.as_ref();
    match origin.and_then(|origin| origin.manifest) {
        Some(found) if found == own => sealed_by(permit, inner, root).map(|_| ()),
        Some(found) => Err(Mismatch::OtherPermit(format!(
            "it names the manifest {}",
            Digest::from_bytes(found)
        ))),
        None => Err(Mismatch::OtherPermit(
            "it names no manifest: the image that sealed it measures no authority".to_owned(),
        )),
    }
}

fn same_keys(manifest: &Manifest, inner: &InnerBlob) -> Result<(), Mismatch> {
    same("cluster id", &inner.cluster_id, &manifest.cluster_id)?;
    same("generation", &inner.generation, &manifest.generation)?;
    same("threshold", &inner.threshold, &manifest.threshold)?;
    let keys: Vec<_> = inner.shares.iter().map(|share| &share.key_arn).collect();
    same(
        "keys",
        &format!("{keys:?}"),
        &format!("{:?}", manifest.keys),
    )
}

fn same<T: PartialEq + fmt::Display + ?Sized>(
    field: &'static str,
    blob: &T,
    manifest: &T,
) -> Result<(), Mismatch> {
    if blob == manifest {
        return Ok(());
    }
    Err(Mismatch::Field {
        field,
        blob: blob.to_string(),
        manifest: manifest.to_string(),
    })
}

/// What the enclave was that sealed this blob, by the document that it carries; none of format 1.
///
/// # Errors
///
/// The document does not verify, does not speak of this blob, or is of an enclave in debug mode.
pub fn check_document(inner: &InnerBlob, root: &Root) -> Result<Option<Verified>, Mismatch> {
    let Some(origin) = &inner.origin else {
        return Ok(None);
    };
    // Leaf certificates live for hours: the document proves who sealed, not when.
    let proven = verify(&origin.document, root, At::Document)?;
    speaks_of(inner, &proven)?;
    if proven.debug() {
        return Err(Mismatch::Debug);
    }
    Ok(Some(proven))
}

/// Who sealed it, and whether the manifest names them.
fn sealed_by(manifest: &Manifest, inner: &InnerBlob, root: &Root) -> Result<Provenance, Mismatch> {
    let (Some(origin), Some(proven)) = (&inner.origin, check_document(inner, root)?) else {
        return Ok(Provenance::WithoutDocument);
    };
    named(manifest, &proven)?;
    permitted(origin, &proven)
}

fn speaks_of(inner: &InnerBlob, proven: &Verified) -> Result<(), Mismatch> {
    let subject = *Digest::of(&inner.core()?).as_bytes();
    let data = proven.user_data.as_deref().unwrap_or_default();
    let claims = Claims::decode(data)
        .map_err(|error| Mismatch::Claims(format!("has no claims of ours ({error})")))?;
    let expected = if inner.generation == 1 {
        Claims::Seal { core: subject }
    } else {
        Claims::Rewrap { core: subject }
    };
    if claims == expected {
        return Ok(());
    }
    Err(Mismatch::Claims(
        "was made for another purpose or another blob".to_owned(),
    ))
}

fn named(manifest: &Manifest, proven: &Verified) -> Result<(), Mismatch> {
    let register = |index| proven.pcrs.get(&index).filter(|pcr| !pcr.is_zero());
    let signed = register(8).is_some_and(|pcr| manifest.signers.contains(pcr));
    let image = register(0).is_some_and(|pcr| manifest.sealing_images.contains(pcr));
    if signed || image {
        return Ok(());
    }
    Err(Mismatch::Sealer {
        image: proven
            .pcrs
            .get(&0)
            .copied()
            .unwrap_or(measurement::Pcr::from_bytes([0; 48])),
        signer: register(8).map_or("none".to_owned(), ToString::to_string),
    })
}

/// PCR16 is in a document only where it is locked.
fn permitted(origin: &Origin, proven: &Verified) -> Result<Provenance, Mismatch> {
    let Some(digest) = origin.manifest else {
        return Ok(Provenance::WithoutPermit);
    };
    let expected = Digest::from_bytes(digest).register();
    match proven.pcrs.get(&MANIFEST_REGISTER) {
        Some(found) if *found == expected => Ok(Provenance::Attested),
        found => Err(Mismatch::Register {
            found: found.map_or("nothing (not locked)".to_owned(), ToString::to_string),
            expected,
        }),
    }
}
