//! A copy of a sealed blob: a Secret, with what the blob is bound to and the cluster manifest beside it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_api::names;
use chamber_resource::{manifest_secret, sealed_secret};
use cluster_manifest::{Kind, SignedManifest};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use measurement::Measurement;
use sealed_blob::{InnerBlob, MAX_BYTES, bind};
use serde_json::Value;

use crate::input;
use crate::output::Failure;
use crate::sealed;

/// A list of Secrets, each with a blob in base64 of base64.
const MOST: u64 = 16 * MAX_BYTES as u64;

/// A copy.
pub struct Backup {
    /// What the blob holds.
    pub inner: InnerBlob,
    /// What it is bound to.
    pub bound_to: Measurement,
    /// The cluster manifest that the chambers ran under, where there was one.
    pub manifest: Option<SignedManifest>,
}

impl Backup {
    /// The Secret of a `ChamberCluster` of this name, without a namespace: it is put where somebody wants it.
    pub fn secret(&self, cluster: &str) -> Result<Secret, Failure> {
        let unwritten = |why: &dyn std::fmt::Display| Failure::Write(why.to_string());
        let blob = bind(&self.inner, &self.bound_to).map_err(|why| unwritten(&why))?;
        let manifest = self.manifest.as_ref().map(SignedManifest::to_text);
        let manifest = manifest.transpose().map_err(|why| unwritten(&why))?;
        let blob = BASE64.encode(blob);
        Ok(sealed_secret::build(
            cluster,
            &self.bound_to,
            self.inner.generation,
            &blob,
            manifest,
        ))
    }

    /// Reads what `export` printed, what kubectl prints of the Secret (or of several), or the blob alone; the measurement
    /// is for a copy that does not say what it is bound to.
    pub fn read(name: &str, measurement: Option<&str>) -> Result<Self, Failure> {
        let text = input::text(name, MOST)?;
        let bound_to = |noted: Option<&str>| {
            let text = noted.or(measurement).ok_or_else(unbound)?;
            input::measurement(text)
        };
        let Some(objects) = objects(&text) else {
            return Self::opened(name, text.as_bytes(), bound_to(None)?, None);
        };
        let secret = secret(name, &objects)?;
        let bound_to = bound_to(sealed_secret::bound_to(&secret))?;
        let manifest = sealed_secret::manifest(&secret).map(SignedManifest::from_text);
        let manifest = manifest
            .transpose()
            .map_err(|why| Failure::read(name, &why))?;
        let data = secret.data.unwrap_or_default();
        let blob = data.get(names::BLOB_KEY).map(|data| data.0.as_slice());
        let mut copy = Self::opened(name, blob.unwrap_or_default(), bound_to, manifest)?;
        // A blob that was sealed under a permit has the permit beside it, and its run manifest in another Secret.
        let beside = copy.manifest.as_ref().map(|found| found.unverified().kind);
        if !matches!(beside, Some(Kind::Run { .. }))
            && let Some(run) = copy.run_manifest(name, &objects)?
        {
            copy.manifest = Some(run);
        }
        Ok(copy)
    }

    /// The run manifest of this blob in a Secret of its own. Whoever may write a spec can have one stored that they signed
    /// themselves, so none of several is chosen here; of one body it is the oldest that is signed, which is the operator's.
    fn run_manifest(
        &self,
        file: &str,
        objects: &[Value],
    ) -> Result<Option<SignedManifest>, Failure> {
        let found = objects.iter().filter_map(|object| self.stored(object));
        let found: Vec<Stored> = found.collect();
        let bodies: BTreeSet<_> = found
            .iter()
            .map(|one| one.signed.digest().to_string())
            .collect();
        if bodies.len() > 1 {
            return Err(several(file, &found));
        }
        let first = found
            .into_iter()
            .min_by_key(|one| (one.signed.signatures().is_empty(), one.made));
        Ok(first.map(|one| one.signed))
    }

    /// The run manifest of this blob, where the object is its Secret.
    fn stored(&self, object: &Value) -> Option<Stored> {
        let secret: Secret = serde_json::from_value(object.clone()).ok()?;
        let signed = SignedManifest::from_text(manifest_secret::envelope(&secret)?).ok()?;
        let (body, commitment) = (signed.unverified(), self.inner.commitment);
        let own = body.kind == Kind::Run { commitment } && body.generation == self.inner.generation;
        own.then(|| Stored {
            name: secret.name_any(),
            made: secret.metadata.creation_timestamp.map(|made| made.0),
            signed,
        })
    }

    fn opened(
        name: &str,
        blob: &[u8],
        bound_to: Measurement,
        manifest: Option<SignedManifest>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            inner: sealed::inner(name, blob, std::slice::from_ref(&bound_to))?,
            bound_to,
            manifest,
        })
    }
}

/// A run manifest that a Secret holds.
struct Stored {
    name: String,
    made: Option<Timestamp>,
    signed: SignedManifest,
}

fn several(file: &str, found: &[Stored]) -> Failure {
    let each = found
        .iter()
        .map(|one| format!("{} in Secret {}", one.signed.digest(), one.name));
    let each = each.collect::<Vec<_>>().join(", ");
    Failure::Refused(format!(
        "{file}: it has run manifests of this blob with different bodies: {each}. Whoever may write the ChamberCluster can have had one stored, so none is chosen. Delete all but one from the file: what it says is shown by `kubectl chamber blob manifest`, and who signed it by `kubectl chamber manifest verify --authority`"
    ))
}

fn unbound() -> Failure {
    Failure::Usage(
        "--measurement is missing: the copy does not say which release it is bound to. Give that release's PCR0, or PCR0=...,PCR8=... where it was bound to more"
            .to_owned(),
    )
}

/// The objects of a text, one or a list; none where it is no object.
fn objects(text: &str) -> Option<Vec<Value>> {
    let read: Result<Value, _> = serde_yaml_ng::from_str(text);
    let object = read.ok().filter(Value::is_object)?;
    let listed = object["items"].as_array().cloned();
    Some(listed.unwrap_or_else(|| vec![object]))
}

/// The Secret with a blob, the first of a list: one inner layer is in all of them.
fn secret(name: &str, objects: &[Value]) -> Result<Secret, Failure> {
    let has_blob =
        |object: &&Value| object["kind"] == "Secret" && object["data"][names::BLOB_KEY].is_string();
    let Some(found) = objects.iter().find(has_blob) else {
        let why = format!("has no Secret with the key {}", names::BLOB_KEY);
        return Err(Failure::read(name, &why));
    };
    serde_json::from_value(found.clone()).map_err(|why| Failure::read(name, &why))
}
