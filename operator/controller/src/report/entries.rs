//! Status entries of keys and chambers.

use chamber_api::{
    ChamberCluster, ChamberClusterStatus, ChamberStatus, DesiredPolicy, KeyStatus, ManifestStatus,
    MeasurementSpec,
};
use chamber_resource::release;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use key_policy::{Finding, Policy};
use rollover::{
    AdmittedSet, Attestation, Attestations, Chamber, Key, KeyState, Owner, Reading, Share, World,
};
use sha2::{Digest, Sha256};

use crate::objects::labels;

use super::{readable, short, time};

/// The spec's manifest as enclaves and policies see it.
pub fn manifest(cluster: &ChamberCluster) -> Option<ManifestStatus> {
    let signed = chamber_resource::manifest::of_spec(&cluster.spec).ok()??;
    Some(ManifestStatus {
        digest: signed.digest().to_string(),
        pcr16: signed.digest().register().to_string(),
        signed_by: signed
            .signatures()
            .iter()
            .map(|signature| signature.authority.to_string())
            .collect(),
    })
}

/// Findings of a key that are shown at most.
const FINDINGS: usize = 10;
/// Characters of one.
const FINDING: usize = 500;

/// `old->new` in a rollover, the current or wanted release otherwise.
pub fn releases(status: &ChamberClusterStatus, world: &World) -> String {
    let name = |release: &rollover::Release| short(&release.measurement.image_sha384.to_string());
    match &status.rollover {
        None => {
            name(&readable(status.current.as_ref()).unwrap_or_else(|| world.spec.release.clone()))
        }
        Some(rollover) => {
            let to = readable(Some(&rollover.to))
                .map(|to| name(&to))
                .unwrap_or_default();
            match readable(rollover.from.as_ref()) {
                Some(from) => format!("{}->{to}", name(&from)),
                None => to,
            }
        }
    }
}

/// The chambers in numbers, for the scale subresource and for whoever compares numbers.
pub fn replicas(status: &mut ChamberClusterStatus, cluster: &ChamberCluster, world: &World) {
    let target = match (&status.rollover, &status.current) {
        (Some(rollover), _) => Some(&rollover.to.revision),
        (None, current) => current.as_ref().map(|current| &current.revision),
    };
    let staying = || world.chambers().filter(|chamber| !chamber.terminating());
    let count = |counted: &dyn Fn(&Chamber) -> bool| {
        let chambers = staying().filter(|chamber| counted(chamber));
        i32::try_from(chambers.count()).ok()
    };
    let updated = count(&|chamber| Some(&chamber.revision) == target);
    status.replicas = count(&|_| true);
    status.ready_replicas = count(&Chamber::serves);
    status.updated_replicas = updated;
    let labels = labels::chambers(cluster);
    let selector: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    status.selector = Some(selector.join(","));
}

/// The chambers, by name.
pub fn chambers(world: &World, before: &[ChamberStatus]) -> Vec<ChamberStatus> {
    let mut chambers: Vec<_> = world
        .chambers()
        .map(|chamber| ChamberStatus {
            pod: chamber.name.clone(),
            revision: chamber.revision.clone(),
            unsealed_since: chamber
                .unsealed_since
                .filter(|_| !chamber.terminating())
                .map(time),
            attested: attested(world, chamber, before),
        })
        .collect();
    chambers.sort_by(|a, b| a.pod.cmp(&b.pod));
    chambers
}

/// When a chamber first attested since its start: what was seen before stands, unless an answer of now contradicts.
fn attested(world: &World, chamber: &Chamber, before: &[ChamberStatus]) -> Option<Time> {
    let answer = match &world.attestations {
        Some(Attestations::Asked { chambers, .. }) => chambers.get(&chamber.name),
        Some(Attestations::Deferred { .. }) | None => None,
    };
    let mut entries = before.iter();
    let known = entries.find(|entry| entry.pod == chamber.name);
    let known = known.and_then(|entry| entry.attested.clone());
    let started = chamber.started_at?;
    let stands = known.filter(|at| at.0 >= started);
    match answer {
        Some(Attestation::Refused(_)) => None,
        Some(Attestation::Attested { at, .. }) => stands.or_else(|| Some(time(*at))),
        Some(Attestation::Silent(_)) | None => stands,
    }
}

/// The keys, in the order of the spec.
pub fn keys(
    world: &World,
    live: &AdmittedSet,
    retiring: bool,
    before: &[KeyStatus],
) -> Vec<KeyStatus> {
    world
        .keys()
        .map(|Key { share, reading }| {
            let last = before.iter().find(|entry| entry.arn == share.arn);
            let owner = &world.spec.owner;
            keep_time(entry(owner, share, reading, live, retiring, last), last)
        })
        .collect()
}

/// A reading that found the same moves nothing, so that a settled cluster is not written to.
fn keep_time(mut entry: KeyStatus, last: Option<&KeyStatus>) -> KeyStatus {
    if let Some(last) = last {
        let found = entry.observed_at.take();
        let same = KeyStatus {
            observed_at: None,
            ..last.clone()
        } == entry;
        entry.observed_at = if same {
            last.observed_at.clone()
        } else {
            found
        };
    }
    entry
}

fn entry(
    owner: &Owner,
    share: &Share,
    reading: &Reading,
    live: &AdmittedSet,
    retiring: bool,
    last: Option<&KeyStatus>,
) -> KeyStatus {
    let mut entry = KeyStatus {
        name: share.name.clone(),
        arn: share.arn.clone(),
        state: String::new(),
        admitted: Vec::new(),
        in_sync: false,
        observed_at: None,
        desired: None,
        asked: None,
        findings: Vec::new(),
    };
    match reading {
        // Not read since the operator started: what was found before still stands, as old as it says.
        Reading::Unread => return last.cloned().unwrap_or_else(|| unread(entry)),
        Reading::Failed {
            read_at, reason, ..
        } => {
            entry.state = reason.to_string();
            entry.observed_at = Some(time(*read_at));
        }
        Reading::Facts(facts) => {
            entry.state = match &facts.state {
                KeyState::Enabled => "Enabled".to_owned(),
                KeyState::Other(state) => state.clone(),
            };
            entry.observed_at = Some(time(facts.read_at));
            entry.findings = findings(facts.findings(), &share.arn);
            let verb = if retiring { "retire" } else { "admit" };
            of_policy(
                &mut entry,
                owner,
                share,
                facts.policy.as_ref().ok(),
                live,
                verb,
            );
        }
    }
    entry
}

/// What a key admits, what it should admit, and what its holder is asked for.
fn of_policy(
    entry: &mut KeyStatus,
    owner: &Owner,
    share: &Share,
    policy: Option<&Policy>,
    live: &AdmittedSet,
    verb: &str,
) {
    let found = policy.and_then(|policy| key_policy::admitted(policy, &share.template).ok());
    let ours = found.is_some();
    let images = found.into_iter().flat_map(|found| found.image_sha384);
    entry.admitted = images.map(|image| short(&image)).collect();
    entry.in_sync = policy.is_some_and(|policy| {
        rollover::in_sync(policy, &share.template, &live.for_key(share, policy))
    });
    let desired = rollover::desired_policy(live, share, policy);
    entry.desired = desired.as_ref().ok().map(|desired| DesiredPolicy {
        measurements: admits(live, share, policy),
        sha256: hex::encode(Sha256::digest(desired.canonical_text().as_bytes())),
    });
    if !ours || (!share.managed && !entry.in_sync) {
        entry.asked = Some(match desired {
            Ok(_) => format!(
                "to {verb}, set the policy that `kubectl chamber plan {} -n {} --document {}` prints",
                owner.name, owner.namespace, share.name
            ),
            Err(fault) => format!("to put its policy right: it {fault}"),
        });
    }
}

/// One line each, and how to see those that there is no room for.
fn findings(found: Vec<Finding>, arn: &str) -> Vec<String> {
    let left = found.len().saturating_sub(FINDINGS);
    let line = |finding: Finding| {
        let line = format!("{}: {}. {}", finding.rule, finding.message, finding.cure);
        line.chars().take(FINDING).collect()
    };
    let mut lines: Vec<String> = found.into_iter().take(FINDINGS).map(line).collect();
    if left > 0 {
        lines.push(format!(
            "and {left} more: `kubectl chamber policy lint {arn}` tells them all"
        ));
    }
    lines
}

/// What the policy is to admit.
fn admits(live: &AdmittedSet, share: &Share, found: Option<&Policy>) -> Vec<MeasurementSpec> {
    let each = match found {
        Some(found) => live.for_key(share, found),
        None => live.everywhere().to_vec(),
    };
    each.iter().map(release::measurement_to_status).collect()
}

fn unread(mut entry: KeyStatus) -> KeyStatus {
    "Unread".clone_into(&mut entry.state);
    entry
}
