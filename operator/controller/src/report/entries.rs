//! Status entries of keys and chambers.

use chamber_api::{ChamberClusterStatus, ChamberStatus, KeyStatus};
use measurement::Measurement;
use rollover::{Key, KeyState, Reading, Share, World};

use super::{readable, short, time};

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

/// The measurements that policies should hold now.
pub fn live(status: &ChamberClusterStatus, world: &World) -> Vec<Measurement> {
    let mut live: Vec<Measurement> = Vec::new();
    let mut add = |release: Option<rollover::Release>| {
        if let Some(release) = release.filter(|release| !live.contains(&release.measurement)) {
            live.push(release.measurement);
        }
    };
    match &status.rollover {
        Some(rollover) => {
            if rollover.retire_begun_at.is_none() {
                add(readable(rollover.from.as_ref()));
            }
            add(readable(Some(&rollover.to)));
        }
        None => add(Some(
            readable(status.current.as_ref()).unwrap_or_else(|| world.spec.release.clone()),
        )),
    }
    world.trusted(live)
}

/// The chambers, by name.
pub fn chambers(world: &World) -> Vec<ChamberStatus> {
    let mut chambers: Vec<_> = world
        .chambers()
        .map(|chamber| ChamberStatus {
            pod: chamber.name.clone(),
            revision: chamber.revision.clone(),
            unsealed_since: chamber
                .unsealed_since
                .filter(|_| !chamber.terminating())
                .map(time),
        })
        .collect();
    chambers.sort_by(|a, b| a.pod.cmp(&b.pod));
    chambers
}

/// The keys, in the order of the spec.
pub fn keys(
    world: &World,
    live: &[Measurement],
    retiring: bool,
    before: &[KeyStatus],
) -> Vec<KeyStatus> {
    let pairs = world.spec.shares.iter().zip(&world.keys);
    pairs
        .map(|(share, key)| {
            let last = before.iter().find(|entry| entry.arn == share.arn);
            keep_time(entry(share, key, live, retiring, last), last)
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
    share: &Share,
    key: &Key,
    live: &[Measurement],
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
        asked: None,
    };
    match &key.reading {
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
            let admitted = facts.policy.as_ref().ok();
            let found =
                admitted.and_then(|policy| key_policy::admitted(policy, &share.template).ok());
            let ours = found.is_some();
            entry.admitted = found
                .map(|found| {
                    found
                        .image_sha384
                        .iter()
                        .map(|image| short(image))
                        .collect()
                })
                .unwrap_or_default();
            entry.in_sync =
                admitted.is_some_and(|policy| rollover::in_sync(policy, &share.template, live));
            if !ours || (!share.managed && !entry.in_sync) {
                entry.asked = Some(asked(share, live, retiring, admitted));
            }
        }
    }
    entry
}

fn unread(mut entry: KeyStatus) -> KeyStatus {
    "Unread".clone_into(&mut entry.state);
    entry
}

/// The policy that the key's holder is asked to set.
fn asked(
    share: &Share,
    live: &[Measurement],
    retiring: bool,
    found: Option<&key_policy::Policy>,
) -> String {
    let projected =
        found.and_then(|policy| key_policy::project(policy, &share.template, live).ok());
    let policy = projected.unwrap_or_else(|| share.template.render(live));
    let verb = if retiring { "retire" } else { "admit" };
    format!("to {verb}, set this policy: {}", policy.to_json())
}
