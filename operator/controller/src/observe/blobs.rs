//! The sealed Secrets that a decision may need, opened as far as anybody can: their outer layer is public.

use std::collections::{BTreeMap, BTreeSet};

use attestation::Root;
use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use measurement::Measurement;
use rollover::{Blob, PersistedState, Release, Spec};
use sealed_blob::InnerBlob;

use crate::context::Context;
use crate::observe::manifest;

/// What was found of the sealed Secrets; one inner layer is in all of them.
#[derive(Default)]
pub struct Found {
    /// By measurement id.
    pub blobs: BTreeMap<String, Blob>,
    /// Which keys the live one needs, where those are not the spec's.
    pub other_keys: Option<String>,
    /// What speaks against them by the cluster manifest.
    pub objection: Option<String>,
    /// What they do not show of their sealing.
    pub lacks: Option<String>,
}

impl Found {
    fn note(&mut self, cluster: &ChamberCluster, inner: &InnerBlob, root: &Root) {
        let objection = || manifest::objection(cluster, inner, root);
        self.objection = self.objection.take().or_else(objection);
        self.lacks = manifest::lacks(inner, root);
    }
}

/// The blobs of the target, and of every release that status records.
pub async fn read(
    ctx: &Context,
    cluster: &ChamberCluster,
    spec: &Spec,
    record: &PersistedState,
) -> Result<Found, kube::Error> {
    let rollover = record.rollover.iter();
    let recorded = rollover
        .flat_map(|rollover| rollover.from.iter().chain([&rollover.to]))
        .chain(&record.current)
        .chain([&spec.release])
        .map(|release| (release.blob_id(), release));
    let releases: BTreeMap<String, &Release> = recorded.collect();
    let live = live(record);
    let mut found = Found::default();
    for (id, release) in releases {
        let Some(bytes) = stored(ctx, cluster, &id).await? else {
            continue;
        };
        let secret = format!("Secret {}", names::sealed_secret(&cluster.name_any(), &id));
        let opened = open(&bytes, &release.measurement, release.generation, spec);
        let checked = opened.and_then(|inner| match same_keys(&inner, spec) {
            Ok(()) => Ok(inner),
            Err(why) => {
                let others = live.contains(&id).then(|| format!("{secret}: {why}"));
                found.other_keys = found.other_keys.take().or(others);
                Err(why)
            }
        });
        let blob = match checked {
            Ok(inner) => {
                found.note(cluster, &inner, &ctx.root);
                Blob::Sound {
                    commitment: hex::encode(inner.commitment),
                }
            }
            Err(why) => Blob::Unsound(format!("{secret}: {why}. Restore it from your copy")),
        };
        found.blobs.insert(id, blob);
    }
    Ok(found)
}

/// The blobs that chambers serve from: of the release before, or of the first one. A target's, which somebody else may have
/// made, stops that rollover alone.
fn live(record: &PersistedState) -> BTreeSet<String> {
    let rollover = record.rollover.as_ref();
    let before = rollover.and_then(|rollover| rollover.from.as_ref());
    let mut serving = before.into_iter().chain(&record.current).peekable();
    let first = rollover.filter(|_| serving.peek().is_none());
    let first = first.map(|rollover| &rollover.to);
    serving.chain(first).map(Release::blob_id).collect()
}

/// The bytes in the Secret with this id; `None` where there is no such Secret.
pub async fn stored(
    ctx: &Context,
    cluster: &ChamberCluster,
    blob_id: &str,
) -> Result<Option<Vec<u8>>, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &namespace);
    let name = names::sealed_secret(&cluster.name_any(), blob_id);
    let secret = secrets.get_opt(&name).await?;
    Ok(secret.map(|secret| text(&secret)))
}

/// The Secret holds base64, because it is handed to the chamber as an environment variable.
fn text(secret: &Secret) -> Vec<u8> {
    use base64::Engine;
    let data = secret.data.as_ref();
    let value = data.and_then(|data| data.get(names::BLOB_KEY));
    value
        .and_then(|value| {
            base64::engine::general_purpose::STANDARD
                .decode(value.0.trim_ascii())
                .ok()
        })
        .unwrap_or_default()
}

/// Opens a blob and compares it with the spec.
pub fn check(
    bytes: &[u8],
    measurement: &Measurement,
    generation: u32,
    spec: &Spec,
) -> Result<InnerBlob, String> {
    let inner = open(bytes, measurement, generation, spec)?;
    same_keys(&inner, spec)?;
    Ok(inner)
}

/// Opens a blob of this cluster and generation, whatever its keys.
fn open(
    bytes: &[u8],
    measurement: &Measurement,
    generation: u32,
    spec: &Spec,
) -> Result<InnerBlob, String> {
    let inner = sealed_blob::open(bytes, |index| measurement.register(index).copied())
        .map_err(|error| error.to_string())?;
    if inner.cluster_id != spec.cluster_id {
        return Err(format!(
            "its blob is of cluster {}, the spec names {}",
            inner.cluster_id, spec.cluster_id
        ));
    }
    if inner.generation != generation {
        return Err(format!(
            "its blob is of generation {}, the release that it is for of {generation}",
            inner.generation
        ));
    }
    Ok(inner)
}

/// Whether the keys that a blob needs are those that the spec names.
fn same_keys(inner: &InnerBlob, spec: &Spec) -> Result<(), String> {
    let sealed: Vec<_> = inner
        .shares
        .iter()
        .map(|share| share.key_arn.as_str())
        .collect();
    let wanted: Vec<_> = spec.shares.iter().map(|share| share.arn.as_str()).collect();
    if sealed != wanted || usize::from(inner.threshold) != spec.threshold {
        return Err(format!(
            "its blob needs {} of the keys {}, the spec names {} of {}",
            inner.threshold,
            sealed.join(", "),
            spec.threshold,
            wanted.join(", ")
        ));
    }
    Ok(())
}
