//! The cluster manifest of a spec: checked against the spec's keys, and back into YAML.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_api::{
    ChamberClusterSpec, ManifestBody, ManifestKind, ManifestSignature, ManifestSpec, Sealing,
};
use cluster_manifest::{Authority, Digest, Fingerprint, Kind, Manifest, Signature, SignedManifest};
use measurement::Pcr;
use rollover::FIRST_GENERATION;
use wire_format::FormatError;

use crate::Fault;

const BODY: &str = "spec.manifest.body";

/// The spec's manifest, of this cluster and these keys; whether anybody is believed who signed it is not looked at.
pub fn of_spec(spec: &ChamberClusterSpec) -> Result<Option<SignedManifest>, Fault> {
    let Some(written) = &spec.manifest else {
        return Ok(None);
    };
    let manifest = signed(written)?;
    if manifest.signatures().is_empty() {
        return Err(Fault::invalid(
            "spec.manifest.signatures is empty, expected at least one: sign it with `kubectl chamber manifest sign`",
        ));
    }
    if spec.sealing != Sealing::Managed {
        return Err(Fault::invalid(
            "spec.manifest is given with spec.sealing External, where nobody would read it: leave it out, or set sealing to Managed",
        ));
    }
    let (kind, generation) = (manifest.unverified().kind, manifest.unverified().generation);
    if kind == Kind::SealPermit && generation != FIRST_GENERATION {
        return Err(Fault::invalid(format!(
            "{BODY}.generation is {generation} with kind SealPermit: a seal makes generation 1, and a later one is wrapped from the blob before. Sign a permit of generation 1, or the Run manifest of generation {generation}"
        )));
    }
    same_keys(spec, manifest.unverified())?;
    Ok(Some(manifest))
}

/// The same in one line of base64, as chambers get it; none where there is none, or one that was refused.
pub fn text(spec: &ChamberClusterSpec) -> Option<String> {
    of_spec(spec).ok()??.to_text().ok()
}

/// What the planner sees of the spec's manifest, and the authorities that the release's image measures.
pub fn facts(
    spec: &ChamberClusterSpec,
) -> Result<(Option<rollover::Manifest>, Vec<String>), Fault> {
    let authorities = authorities(spec)?;
    let fingerprints = authorities
        .iter()
        .map(|authority| authority.fingerprint().to_string())
        .collect();
    let facts = of_spec(spec)?.map(|signed| rollover::Manifest {
        digest: signed.digest().to_string(),
        commitment: match signed.unverified().kind {
            Kind::SealPermit => None,
            Kind::Run { commitment } => Some(hex::encode(commitment)),
        },
        believed: signed.verify(&authorities).is_ok(),
        signed_by: signed
            .signatures()
            .iter()
            .map(|signature| signature.authority.to_string())
            .collect(),
    });
    Ok((facts, fingerprints))
}

/// The public keys in `spec.release.authorities`.
pub fn authorities(spec: &ChamberClusterSpec) -> Result<Vec<Authority>, Fault> {
    let given = spec.release.authorities.iter().enumerate();
    let read = given.map(|(at, pem)| {
        Authority::from_pem(pem).map_err(|why| {
            Fault::invalid(format!(
                "spec.release.authorities[{at}] is {why}. Take what the image's measurement file lists"
            ))
        })
    });
    read.collect()
}

/// A manifest as YAML has it, with as many signatures as it has; whose they are is not looked at.
pub fn signed(written: &ManifestSpec) -> Result<SignedManifest, Fault> {
    let manifest = body(&written.body)?;
    let signatures = written.signatures.iter().enumerate();
    let signatures = signatures
        .map(|(at, written)| signature(at, written))
        .collect::<Result<Vec<_>, _>>()?;
    let authorities: BTreeSet<_> = signatures.iter().map(|one| one.authority).collect();
    if authorities.len() != signatures.len() {
        return Err(Fault::invalid(
            "spec.manifest.signatures has two of one authority: each authority signs once",
        ));
    }
    SignedManifest::new(manifest, signatures).map_err(|error| refused(&error))
}

/// A manifest as YAML has it.
pub fn to_spec(signed: &SignedManifest) -> ManifestSpec {
    let manifest = signed.unverified();
    let texts = |list: &BTreeSet<Pcr>| list.iter().map(ToString::to_string).collect();
    let (kind, commitment) = match manifest.kind {
        Kind::SealPermit => (ManifestKind::SealPermit, None),
        Kind::Run { commitment } => (ManifestKind::Run, Some(hex::encode(commitment))),
    };
    ManifestSpec {
        body: ManifestBody {
            kind,
            cluster_id: manifest.cluster_id.clone(),
            generation: manifest.generation.into(),
            threshold: manifest.threshold.into(),
            keys: manifest.keys.clone(),
            signers: texts(&manifest.signers),
            sealing_images: texts(&manifest.sealing_images),
            previous: manifest.previous.map(|digest| digest.to_string()),
            commitment,
        },
        signatures: signed.signatures().iter().map(signature_to_spec).collect(),
    }
}

fn signature_to_spec(signature: &Signature) -> ManifestSignature {
    ManifestSignature {
        authority: signature.authority.to_string(),
        signature: BASE64.encode(&signature.bytes),
    }
}

/// The body as what is signed; every field is checked here or by its encoding.
fn body(written: &ManifestBody) -> Result<Manifest, Fault> {
    let manifest = Manifest {
        kind: kind(written)?,
        cluster_id: written.cluster_id.clone(),
        generation: number("generation", written.generation, "1 to 4294967295")?,
        threshold: number("threshold", written.threshold.into(), "1 to 10")?,
        keys: written.keys.clone(),
        signers: registers("signers", &written.signers)?,
        sealing_images: registers("sealingImages", &written.sealing_images)?,
        previous: written.previous.as_deref().map(previous).transpose()?,
    };
    manifest.encode().map_err(|error| refused(&error))?;
    Ok(manifest)
}

fn kind(written: &ManifestBody) -> Result<Kind, Fault> {
    match (written.kind, written.commitment.as_deref()) {
        (ManifestKind::SealPermit, None) => Ok(Kind::SealPermit),
        (ManifestKind::SealPermit, Some(_)) => Err(Fault::invalid(format!(
            "{BODY}.commitment is given with kind SealPermit, expected none: to let chambers unseal, render and sign a Run manifest"
        ))),
        (ManifestKind::Run, None) => Err(Fault::invalid(format!(
            "{BODY}.commitment is missing with kind Run: take what `kubectl chamber manifest render` prints"
        ))),
        (ManifestKind::Run, Some(text)) => {
            let mut commitment = [0; 32];
            hex::decode_to_slice(text, &mut commitment)
                .ok()
                .filter(|()| hex::encode(commitment) == text)
                .ok_or_else(|| {
                    wrong(
                        "commitment",
                        text,
                        "64 lower-case hex characters, as in status",
                    )
                })?;
            Ok(Kind::Run { commitment })
        }
    }
}

fn number<T: TryFrom<i64>>(field: &str, found: i64, expected: &str) -> Result<T, Fault> {
    T::try_from(found)
        .map_err(|_| Fault::invalid(format!("{BODY}.{field} is {found}, expected {expected}")))
}

fn registers(field: &str, texts: &[String]) -> Result<BTreeSet<Pcr>, Fault> {
    let mut found = BTreeSet::new();
    for (at, text) in texts.iter().enumerate() {
        let pcr = Pcr::parse(text)
            .map_err(|why| Fault::invalid(format!("{BODY}.{field}[{at}] {why}")))?;
        if !found.insert(pcr) {
            return Err(wrong(field, text, "each value once"));
        }
    }
    Ok(found)
}

fn previous(text: &str) -> Result<Digest, Fault> {
    Digest::parse(text).map_err(|why| Fault::invalid(format!("{BODY}.previous {why}")))
}

fn signature(at: usize, written: &ManifestSignature) -> Result<Signature, Fault> {
    let field = format!("spec.manifest.signatures[{at}]");
    let authority = Fingerprint::parse(&written.authority).ok_or_else(|| {
        Fault::invalid(format!(
            "{field}.authority is {:?}, expected 64 lower-case hex characters: the SHA-256 of the authority's public key (DER)",
            written.authority
        ))
    })?;
    let bytes = BASE64.decode(&written.signature).map_err(|why| {
        Fault::invalid(format!(
            "{field}.signature is not base64 ({why}): write it with `kubectl chamber manifest sign`"
        ))
    })?;
    if bytes.len() != 64 && bytes.len() != 96 {
        return Err(Fault::invalid(format!(
            "{field}.signature has {} bytes, expected 64 (Ed25519) or 96 (P-384: r, then s)",
            bytes.len()
        )));
    }
    Ok(Signature { authority, bytes })
}

/// Whether a manifest is of this spec's cluster, threshold and keys: another one would let no chamber unseal.
pub fn same_keys(spec: &ChamberClusterSpec, manifest: &Manifest) -> Result<(), Fault> {
    let other = |field: &str, found: &str, of: &str, expected: &str| {
        Err(Fault::invalid(format!(
            "{BODY}.{field} is {found}, {of} is {expected}: render and sign a manifest for this spec"
        )))
    };
    if manifest.cluster_id != spec.cluster_id {
        let (found, expected) = (&manifest.cluster_id, &spec.cluster_id);
        return other("clusterId", found, "spec.clusterId", expected);
    }
    let (found, expected) = (i32::from(manifest.threshold), spec.keys.threshold);
    if found != expected {
        let (found, expected) = (found.to_string(), expected.to_string());
        return other("threshold", &found, "spec.keys.threshold", &expected);
    }
    let arns = || spec.keys.shares.iter().map(|share| &share.arn);
    if !manifest.keys.iter().eq(arns()) {
        let (found, expected) = (
            format!("{:?}", manifest.keys),
            format!("{:?}", arns().collect::<Vec<_>>()),
        );
        return other("keys", &found, "the ARNs of spec.keys.shares", &expected);
    }
    Ok(())
}

/// The format's refusal in the words of the spec.
fn refused(error: &FormatError) -> Fault {
    let FormatError::Field {
        field,
        found,
        allowed,
        ..
    } = error
    else {
        return Fault::invalid(format!("{BODY}: {error}"));
    };
    let field = match *field {
        "cluster id" => "body.clusterId",
        "share count" | "key ARN" | "keys" => "body.keys",
        "sealing images" => "body.sealingImages",
        "generation" => "body.generation",
        "threshold" => "body.threshold",
        "signers" => "body.signers",
        "previous" => "body.previous",
        "signatures" => "signatures",
        other => other,
    };
    Fault::invalid(format!(
        "spec.manifest.{field}: {found}, expected {allowed}"
    ))
}

fn wrong(field: &str, found: &str, expected: &str) -> Fault {
    Fault::invalid(format!("{BODY}.{field} has {found:?}, expected {expected}"))
}
