//! What the chambers of a release attest: each is asked with a nonce of its own, and judged.

mod judge;
mod nodes;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA384, digest};
use chamber_api::{ChamberCluster, names};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use rollover::{Attestation, Attestations, Chamber, Release, World};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::context::Context;
use crate::hosts::Hosts;
use crate::observe::blobs;
use judge::Expected;

/// Chambers that are asked at the same time.
const AT_ONCE: usize = 16;
/// Random bytes of a nonce, which no host can know before.
const RANDOM: usize = 32;

/// Asks each chamber of the release that is in the world, when it is this cluster's turn.
pub async fn read(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    revision: &str,
) -> Result<Attestations, kube::Error> {
    let wait = ctx.hosts.turn(&cluster.uid().unwrap_or_default());
    if !wait.is_zero() {
        let until = ctx.clock.now().checked_add(wait);
        return Ok(Attestations::Deferred {
            until: until.unwrap_or(Timestamp::MAX),
        });
    }
    let at = ctx.clock.now();
    let Some(set) = world.set(revision) else {
        return Ok(asked(at, BTreeMap::new()));
    };
    let expected = match expected(ctx, cluster, world, &set.release).await? {
        Ok(expected) => expected,
        Err(why) => {
            let silent = |chamber: &Chamber| (chamber.name.clone(), silent(&why));
            return Ok(asked(at, set.chambers.iter().map(silent).collect()));
        }
    };
    let mut pods = pods(ctx, cluster, revision).await?;
    let instances = nodes::instances(ctx, &set.chambers).await;
    let mut questions = Vec::new();
    for chamber in &set.chambers {
        let pod = pods.remove(&chamber.name);
        let instance = nodes::instance(&instances, chamber);
        questions.push((chamber.name.clone(), pod, instance));
    }
    let expected = &expected;
    let answers = stream::iter(questions).map(|(name, pod, instance)| async move {
        let answer = match pod {
            Some(pod) => ask((&ctx.hosts, &ctx.clock), &pod, &instance, expected).await,
            None => silent("its pod is gone"),
        };
        (name, answer)
    });
    let answers = answers.buffer_unordered(AT_ONCE).collect().await;
    Ok(asked(at, answers))
}

fn asked(at: Timestamp, chambers: BTreeMap<String, Attestation>) -> Attestations {
    Attestations::Asked { at, chambers }
}

fn silent(why: &str) -> Attestation {
    Attestation::Silent(why.to_owned())
}

/// What a chamber of the release has to prove; `Err` where there is nothing to compare with.
async fn expected<'a>(
    ctx: &'a Context,
    cluster: &ChamberCluster,
    world: &'a World,
    release: &'a Release,
) -> Result<Result<Expected<'a>, String>, kube::Error> {
    let measurement = &release.measurement;
    let Some(bytes) = blobs::stored(ctx, cluster, &release.blob_id()).await? else {
        return Ok(Err("no sealed blob of its measurement is stored".to_owned()));
    };
    let inner = match blobs::check(&bytes, measurement, release.generation, &world.spec) {
        Ok(inner) => inner,
        Err(why) => return Ok(Err(format!("the stored sealed blob is unsound: {why}"))),
    };
    let mut blob = [0; 48];
    blob.copy_from_slice(digest(&SHA384, &bytes).as_ref());
    let stored = hex::encode(inner.commitment);
    Ok(Ok(Expected {
        root: &ctx.root,
        measurement,
        cluster_id: &world.spec.cluster_id,
        blob,
        commitment: world.record.commitment.clone().unwrap_or(stored),
        keys: inner
            .shares
            .into_iter()
            .map(|share| share.key_arn)
            .collect(),
    }))
}

/// The pods as they are now, by name: an address of before may be another pod's.
async fn pods(
    ctx: &Context,
    cluster: &ChamberCluster,
    revision: &str,
) -> Result<BTreeMap<String, Pod>, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let labels = format!(
        "{}={},{}=chamber,{}={revision}",
        names::CLUSTER_LABEL,
        cluster.name_any(),
        names::ROLE_LABEL,
        names::REVISION_LABEL
    );
    let pods = Api::<Pod>::namespaced(ctx.client.clone(), &namespace);
    let found = pods.list(&ListParams::default().labels(&labels)).await?;
    let named = |pod: Pod| (pod.name_any(), pod);
    Ok(found.items.into_iter().map(named).collect())
}

async fn ask(
    (hosts, clock): (&Hosts, &Clock),
    pod: &Pod,
    instance: &Result<String, String>,
    expected: &Expected<'_>,
) -> Attestation {
    let Some(nonce) = nonce(pod) else {
        return silent("this machine gives no random bytes");
    };
    let at = clock.now();
    match hosts.attestation(pod, &nonce).await {
        Err(why) => Attestation::Silent(why.to_string()),
        Ok(document) => match expected.judge(&document, &nonce, clock.now()) {
            Err(why) => Attestation::Refused(why),
            Ok(proof) => proof.of_pod(instance, at),
        },
    }
}

/// Fresh for each question, and made of the pod's uid, so that no two pods are ever asked the same.
///
/// A uid as text is too long beside the random bytes for the 64 that a host takes, so both are hashed.
fn nonce(pod: &Pod) -> Option<[u8; 32]> {
    let mut random = [0; RANDOM];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let uid = pod.uid()?;
    let hash = Sha256::new_with_prefix(random).chain_update(uid);
    Some(hash.finalize().into())
}

#[cfg(test)]
mod tests;
