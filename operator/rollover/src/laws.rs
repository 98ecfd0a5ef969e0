//! The laws (docs/rollover.md), as functions over what is observed and what is about to be done.
//!
//! The planner keeps them by construction. The controller runs them once more between plan and
//! act, as a fuse: they are written from other facts than the planner uses, so one slip is not enough.

use std::collections::{BTreeMap, BTreeSet};

use key_policy::evaluate::{self, Decision, Principal, Request};
use key_policy::{Policy, Severity};
use measurement::Measurement;

use crate::{Action, FRESH, KeyFacts, KeyState, KeyWrite, Note, Resize, Share, World};

/// A law that the action would break.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// Number of the law.
    pub law: u8,
    /// What would be broken, and by what.
    pub message: String,
}

/// An identity policy that allows everything.
const ALLOW_ALL: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;

/// A law as a function; `Err` says how the action would break it.
type Law = fn(&World, &Action) -> Result<(), String>;

/// Every law that an action alone can break, by number.
const LAWS: [(u8, Law); 6] = [
    (1, no_lock_out),
    (2, no_early_trust),
    (3, no_lost_quorum),
    (4, no_blind_retirement),
    (8, the_admin_keeps_the_key),
    (11, the_blob_outlives_everything),
];

/// Whether the action keeps every law.
pub fn check(world: &World, action: &Action) -> Result<(), Breach> {
    for (law, holds) in LAWS {
        holds(world, action).map_err(|message| Breach { law, message })?;
    }
    Ok(())
}

/// Each measurement that a chamber runs keeps `threshold` usable shares, and nothing is started before every key agrees.
fn no_lock_out(world: &World, action: &Action) -> Result<(), String> {
    match action {
        Action::Resize(resizes) => starts_are_admitted(world, resizes),
        Action::WritePolicies(writes) => {
            fresh(world)?;
            running(world).into_iter().try_for_each(|measurement| {
                let before = usable(world, &[], measurement);
                let after = usable(world, writes, measurement);
                if after >= world.spec.threshold.min(before) {
                    return Ok(());
                }
                Err(format!(
                    "chambers run {}, and only {after} of {} needed shares would stay usable",
                    measurement.image_sha384, world.spec.threshold
                ))
            })
        }
        _ => Ok(()),
    }
}

fn starts_are_admitted(world: &World, resizes: &[Resize]) -> Result<(), String> {
    for start in resizes.iter().filter(|resize| resize.to > resize.from) {
        fresh(world)?;
        let usable = usable(world, &[], &start.release.measurement);
        if usable < world.spec.shares.len() {
            return Err(format!(
                "release {} would be started while {usable} of {} keys admit it",
                start.release.revision,
                world.spec.shares.len()
            ));
        }
    }
    Ok(())
}

fn fresh(world: &World) -> Result<(), String> {
    if world.keys_fresh(FRESH) {
        return Ok(());
    }
    Err(format!("the keys were not read within the last {FRESH:#}"))
}

/// A measurement enters only as the target, the one before, or the current one; never zeros; at most two.
fn no_early_trust(world: &World, action: &Action) -> Result<(), String> {
    let Action::WritePolicies(writes) = action else {
        return Ok(());
    };
    let known: BTreeSet<_> = recorded(world)
        .map(|m| m.image_sha384.to_string())
        .collect();
    for (write, share) in writes
        .iter()
        .filter_map(|write| Some((write, share(world, write)?)))
    {
        let admitted = key_policy::admitted(&write.policy, &share.template)
            .map_err(|fault| format!("key {}: {fault}", write.name))?
            .image_sha384;
        if admitted.len() > 2 {
            return Err(format!(
                "key {} would admit {} measurements",
                write.name,
                admitted.len()
            ));
        }
        if let Some(foreign) = admitted.iter().find(|found| !known.contains(*found)) {
            return Err(format!(
                "key {} would admit {foreign}, which nobody approved",
                write.name
            ));
        }
        if admitted
            .iter()
            .any(|found| found.bytes().all(|byte| byte == b'0'))
        {
            return Err(format!(
                "key {} would admit every enclave in debug mode",
                write.name
            ));
        }
    }
    Ok(())
}

/// Unsealed chambers are stopped only while `replicas - maxUnavailable` others stay unsealed.
fn no_lost_quorum(world: &World, action: &Action) -> Result<(), String> {
    let Action::Resize(resizes) = action else {
        return Ok(());
    };
    let mut staying: BTreeMap<&str, u32> = world
        .sets
        .iter()
        .map(|set| (set.release.revision.as_str(), set.unsealed()))
        .collect();
    let mut stops = false;
    for resize in resizes.iter().filter(|resize| resize.to < resize.from) {
        let unsealed = staying.entry(&resize.release.revision).or_default();
        stops |= resize.to < *unsealed;
        *unsealed = (*unsealed).min(resize.to);
    }
    let floor = world
        .spec
        .replicas
        .saturating_sub(world.spec.max_unavailable);
    let left: u32 = staying.values().sum();
    if stops && left < floor {
        return Err(format!(
            "{left} unsealed chambers would be left, {floor} must stay"
        ));
    }
    Ok(())
}

/// A measurement leaves only when no pod with it exists and every chamber of the target is unsealed.
fn no_blind_retirement(world: &World, action: &Action) -> Result<(), String> {
    let leaving = match action {
        Action::WritePolicies(writes) => leaving(world, writes),
        Action::Note(Note::RetireBegun) => world
            .record
            .rollover
            .iter()
            .filter_map(|rollover| rollover.from.as_ref())
            .map(|from| from.measurement.clone())
            .collect(),
        _ => return Ok(()),
    };
    for measurement in leaving {
        let id = measurement.id();
        if let Some(chamber) = world
            .chambers()
            .find(|chamber| chamber.measurement_id == id)
        {
            return Err(format!(
                "chamber {} still runs {}",
                chamber.name, measurement.image_sha384
            ));
        }
        if world.unsealed() < world.spec.replicas {
            return Err(format!(
                "{} would be retired while {} of {} chambers are unsealed",
                measurement.image_sha384,
                world.unsealed(),
                world.spec.replicas
            ));
        }
    }
    Ok(())
}

/// Recorded measurements that a key admits now and would not after the writes.
fn leaving(world: &World, writes: &[KeyWrite]) -> Vec<Measurement> {
    let Some(rollover) = &world.record.rollover else {
        return Vec::new();
    };
    let Some(from) = rollover.from.as_ref().map(|from| &from.measurement) else {
        return Vec::new();
    };
    let leaves = writes.iter().any(|write| {
        share(world, write).is_some_and(|share| {
            allows(&write.expected, share, from) && !allows(&write.policy, share, from)
        })
    });
    if leaves {
        vec![from.clone()]
    } else {
        Vec::new()
    }
}

/// No write adds an error of the lint (lock-out of the admin and size among them).
fn the_admin_keeps_the_key(world: &World, action: &Action) -> Result<(), String> {
    let Action::WritePolicies(writes) = action else {
        return Ok(());
    };
    for (write, share) in writes
        .iter()
        .filter_map(|write| Some((write, share(world, write)?)))
    {
        let before: BTreeSet<_> = errors(&write.expected, share);
        if let Some(added) = errors(&write.policy, share).difference(&before).next() {
            return Err(format!(
                "the policy for key {} would add the error {added}",
                write.name
            ));
        }
    }
    Ok(())
}

fn errors(policy: &Policy, share: &Share) -> BTreeSet<String> {
    key_policy::lint(policy, &share.template)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.rule.to_string())
        .collect()
}

/// Sealing happens once, and a stored blob is never overwritten.
fn the_blob_outlives_everything(world: &World, action: &Action) -> Result<(), String> {
    let sealed = world.record.commitment.is_some()
        || world.record.current.is_some()
        || crate::keys::tagged_commitment(world).is_some();
    match action {
        Action::StartSeal(_) | Action::StoreBlob(_) if sealed => {
            Err("the master key was sealed before".to_owned())
        }
        Action::StoreBlob(measurement)
        | Action::BindBlob {
            to: measurement, ..
        } if world.blobs.contains_key(&measurement.id()) => {
            Err(format!("a blob for {} is stored", measurement.image_sha384))
        }
        _ => Ok(()),
    }
}

/// The measurements that status records, and the target.
fn recorded(world: &World) -> impl Iterator<Item = &Measurement> {
    let rollover = world.record.rollover.iter();
    rollover
        .flat_map(|rollover| rollover.from.iter().chain([&rollover.to]))
        .chain(&world.record.current)
        .map(|release| &release.measurement)
}

/// The measurements that chambers run or may restart into.
fn running(world: &World) -> Vec<&Measurement> {
    world
        .sets
        .iter()
        .filter(|set| set.replicas > 0 || !set.chambers.is_empty())
        .map(|set| &set.release.measurement)
        .collect()
}

/// Shares whose key is enabled and whose policy, as it would be after `writes`, lets the measurement decrypt.
fn usable(world: &World, writes: &[KeyWrite], measurement: &Measurement) -> usize {
    world
        .facts()
        .filter(|(share, facts)| usable_key(share, facts, writes, measurement))
        .count()
}

fn usable_key(
    share: &Share,
    facts: &KeyFacts,
    writes: &[KeyWrite],
    measurement: &Measurement,
) -> bool {
    let written = writes.iter().find(|write| write.arn == share.arn);
    let policy = match (written, &facts.policy) {
        (Some(write), _) => &write.policy,
        (None, Ok(policy)) => policy,
        (None, Err(_)) => return false,
    };
    facts.state == KeyState::Enabled && allows(policy, share, measurement)
}

/// Whether the enclave role may decrypt from an enclave with this measurement, by AWS's rules.
fn allows(policy: &Policy, share: &Share, measurement: &Measurement) -> bool {
    let template = &share.template;
    let role = template.enclave_role_arn();
    let principal = Principal::session(&role, &template.role_account, "chamber");
    let context = evaluate::attested(measurement);
    let request = Request {
        principal: &principal,
        action: "kms:Decrypt",
        resource: &share.arn,
        context: &context,
    };
    // In the key's own account its policy decides alone; from another one the role needs IAM, too, which is not ours to see.
    let elsewhere = template.role_account != template.key_account;
    let identity: Vec<_> = elsewhere
        .then(|| Policy::parse(ALLOW_ALL).ok())
        .into_iter()
        .flatten()
        .collect();
    let decision = evaluate::key_policy(policy, &template.key_account, &identity, &request);
    matches!(decision, Decision::Allowed { .. })
}

fn share<'a>(world: &'a World, write: &KeyWrite) -> Option<&'a Share> {
    world
        .spec
        .shares
        .iter()
        .find(|share| share.arn == write.arn)
}
