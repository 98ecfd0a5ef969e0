//! `manifest render`.

use std::collections::BTreeSet;

use chamber_api::ChamberCluster;
use chamber_resource::{manifest, release};
use cluster_manifest::{Digest, Kind, Manifest, Mismatch, SignedManifest, check_blob};
use measurement::Pcr;
use sealed_blob::InnerBlob;

use super::{Fragment, file, fragment, master_key, refused, tell};
use crate::arguments::{ManifestForm, Render};
use crate::cluster::{self, Stored, StoredBlob};
use crate::output::{self, Answer, Exit, Failure};
use crate::sealed;

/// Prints the manifest to sign.
pub fn run(asked: &Render) -> Result<Answer, Failure> {
    let (cluster, sealed) = read(asked)?;
    let signed = match &sealed {
        None => of_spec(asked, &cluster)?,
        Some(sealed) => of_blob(asked, &cluster, sealed)?,
    };
    tell(&signed);
    let unwritten = |why: &dyn std::fmt::Display| Failure::Write(why.to_string());
    let text = match asked.output {
        ManifestForm::Yaml => fragment(&signed)?,
        ManifestForm::Json => {
            let fragment = Fragment::of(&signed);
            serde_json::to_string_pretty(&fragment).map_err(|why| unwritten(&why))?
        }
        ManifestForm::Body => {
            let body = signed.unverified().encode();
            output::write_bytes(&body.map_err(|why| unwritten(&why))?)?;
            String::new()
        }
    };
    Ok(Answer {
        text,
        exit: Exit::Clean,
    })
}

/// A blob, and where it is from.
struct Sealed {
    name: String,
    inner: InnerBlob,
}

/// The resource, and its blob where there is one.
fn read(asked: &Render) -> Result<(ChamberCluster, Option<Sealed>), Failure> {
    if let Some(name) = &asked.name {
        let Stored { cluster, blob } = cluster::stored(&asked.connection, name)?;
        let bound_to = cluster::measurements(&cluster)?;
        let sealed = blob.map(|StoredBlob { name, text }| {
            let inner = sealed::inner(&name, &text, &bound_to)?;
            Ok(Sealed { name, inner })
        });
        return Ok((cluster, sealed.transpose()?));
    }
    let file = asked.file.as_deref().unwrap_or("-");
    let cluster = file::cluster(file)?;
    if let Some(name) = &asked.blob {
        let bound_to = sealed::bound_to(asked.measurement.as_deref(), Some(&cluster))?;
        let inner = sealed::read(name, &bound_to)?;
        let name = name.clone();
        return Ok((cluster, Some(Sealed { name, inner })));
    }
    let status = cluster.status.as_ref();
    if status.is_some_and(|status| status.commitment.is_some()) {
        let why = "its status says that it is sealed: give its blob with --blob";
        return Err(Failure::read(file, &why));
    }
    Ok((cluster, None))
}

/// Nothing is sealed: a permit to do it, under the spec's keys.
fn of_spec(asked: &Render, cluster: &ChamberCluster) -> Result<SignedManifest, Failure> {
    if asked.commitment.is_some() {
        return Err(Failure::Usage(
            "--commitment: nothing is sealed, so there is a seal permit to render, which names none. Where something is sealed, give its blob with --blob, or put back its Secret"
                .to_owned(),
        ));
    }
    let spec = &cluster.spec;
    let (signers, sealing_images) = sealers(asked, cluster)?;
    let threshold = u8::try_from(spec.keys.threshold).unwrap_or(u8::MAX);
    signed(Manifest {
        kind: Kind::SealPermit,
        cluster_id: spec.cluster_id.clone(),
        generation: 1,
        threshold,
        keys: spec
            .keys
            .shares
            .iter()
            .map(|share| share.arn.clone())
            .collect(),
        signers,
        sealing_images,
        previous: None,
    })
}

/// A blob is there: a run manifest for its master key, where it shows whose that is or a person compared it.
fn of_blob(
    asked: &Render,
    cluster: &ChamberCluster,
    Sealed { name, inner }: &Sealed,
) -> Result<SignedManifest, Failure> {
    let what = format!("{name}: the sealed blob's commitment");
    master_key::recorded(&what, &inner.commitment, cluster)?;
    let (signers, sealing_images) = sealers(asked, cluster)?;
    let manifest = Manifest {
        kind: Kind::Run {
            commitment: inner.commitment,
        },
        cluster_id: inner.cluster_id.clone(),
        generation: inner.generation,
        threshold: inner.threshold,
        keys: inner
            .shares
            .iter()
            .map(|share| share.key_arn.clone())
            .collect(),
        signers,
        sealing_images,
        previous: previous(asked, cluster, inner.generation)?,
    };
    let signed = signed(manifest)?;
    let manifest = signed.unverified();
    let fits = manifest::same_keys(&cluster.spec, manifest);
    fits.map_err(|fault| refused("the sealed blob", &fault))?;
    let root = sealed::root(asked.root.as_deref())?;
    master_key::permitted(name, inner, cluster, &root)?;
    let provenance = check_blob(manifest, inner, &root).map_err(|why| not_to_sign(&why))?;
    let vouched = master_key::vouched(provenance, inner, asked.commitment.as_ref());
    vouched.map_err(|why| Failure::Refused(format!("{name}: {why}")))?;
    eprintln!("sealed blob: {}", master_key::told(provenance));
    Ok(signed)
}

fn not_to_sign(why: &Mismatch) -> Failure {
    let cure = match why {
        Mismatch::Sealer { image, signer } => {
            let signer = match signer.as_str() {
                "none" => String::new(),
                pcr8 => format!(", or its signer with --signer {pcr8}"),
            };
            format!(
                ". If you believe that image, name it with --sealing-image {image}{signer}; these flags take the place of what the release says"
            )
        }
        _ => String::new(),
    };
    Failure::Refused(format!("{why}{cure}"))
}

fn signed(manifest: Manifest) -> Result<SignedManifest, Failure> {
    SignedManifest::new(manifest, Vec::new()).map_err(|why| Failure::Refused(why.to_string()))
}

/// Who may seal: what the flags say, or else whoever signed the spec's release, or else that image.
fn sealers(
    asked: &Render,
    cluster: &ChamberCluster,
) -> Result<(BTreeSet<Pcr>, BTreeSet<Pcr>), Failure> {
    let given: (BTreeSet<_>, BTreeSet<_>) = (
        asked.signer.iter().copied().collect(),
        asked.sealing_image.iter().copied().collect(),
    );
    if !given.0.is_empty() || !given.1.is_empty() {
        return Ok(given);
    }
    let field = "spec.release.measurement";
    let measurement = release::measurement(&cluster.spec.release.measurement, field)
        .map_err(|fault| Failure::Usage(fault.message))?;
    match measurement.registers.get(&8) {
        Some(pcr8) => Ok(([*pcr8].into(), BTreeSet::new())),
        None => Ok((BTreeSet::new(), [measurement.image_sha384].into())),
    }
}

/// The generation before is named by the flag, or by the manifest that the resource has.
fn previous(
    asked: &Render,
    cluster: &ChamberCluster,
    generation: u32,
) -> Result<Option<Digest>, Failure> {
    if let Some(digest) = &asked.previous {
        return Ok(Some(Digest::from_bytes(*digest.as_bytes())));
    }
    if generation == 1 {
        return Ok(None);
    }
    let written = cluster.spec.manifest.as_ref();
    let written = written.and_then(|written| manifest::signed(written).ok());
    let found = written.and_then(|written| match written.unverified().generation {
        same if same == generation => written.unverified().previous,
        before if before == generation - 1 => Some(written.digest()),
        _ => None,
    });
    found.map(Some).ok_or_else(|| {
        Failure::Usage(format!(
            "--previous is missing: the blob is of generation {generation}, and spec.manifest does not say the digest of the manifest before"
        ))
    })
}
