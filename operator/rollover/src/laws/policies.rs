//! Laws 2, 8, 9 and 10: what is written into a policy.

use std::collections::BTreeSet;

use key_policy::{Policy, Severity, Statement};
use measurement::Measurement;

use crate::claim::{self, Claim};
use crate::{Action, KeyWrite, Release, Set, Share, World, tags};

use super::knowledge::narrows;

/// The writes of an action, each with its share; a write to a key that the spec does not name is a breach.
fn writes<'a>(
    world: &'a World,
    action: &'a Action,
) -> impl Iterator<Item = Result<(&'a KeyWrite, &'a Share), String>> {
    let writes = match action {
        Action::WritePolicies(writes) => writes.as_slice(),
        _ => &[],
    };
    writes.iter().map(|write| {
        let share = world.share(&write.arn);
        let share = share.ok_or_else(|| format!("{} is no key of the spec", write.arn))?;
        Ok((write, share))
    })
}

/// Law 2: a measurement enters only as the target, the one before, or the current one; never zeros; at most two;
/// no list of ours is empty.
pub fn no_early_trust(world: &World, action: &Action) -> Result<(), String> {
    if let Action::TagRevoked { arns, images } = action {
        return one_word_is_not_spread(world, arns, images);
    }
    let known: BTreeSet<_> = recorded(world)
        .map(|m| m.image_sha384.to_string())
        .collect();
    for each in writes(world, action) {
        let (write, share) = each?;
        registers_stay(world, write, share)?;
        admits_what_is_known(world, write, share, &known)
            .map_err(|what| format!("key {} would {what}", write.name))?;
    }
    Ok(())
}

/// The images that a write admits: approved, not revoked, at most two, and no list of ours is empty.
fn admits_what_is_known(
    world: &World,
    write: &KeyWrite,
    share: &Share,
    known: &BTreeSet<String>,
) -> Result<(), String> {
    let images = |policy| {
        let admitted = key_policy::found(policy, &share.template);
        admitted
            .map(|admitted| admitted.image_sha384)
            .map_err(|fault| format!("get or had a policy that {fault}"))
    };
    let (before, admitted) = (images(&write.expected)?, images(&write.policy)?);
    let statements = write.policy.statements().iter();
    let ours = statements.filter(|one| key_policy::is_ours(one));
    let mut compared = ours.flat_map(|one| &one.conditions);
    if compared.any(|compared| compared.values.is_empty()) {
        return Err("get an empty list, and what KMS makes of one is uncertain".to_owned());
    }
    if admitted.len() > 2 {
        return Err(format!("admit {} measurements", admitted.len()));
    }
    let entering: Vec<_> = admitted.difference(&before).collect();
    if let Some(foreign) = entering.iter().find(|found| !known.contains(**found)) {
        return Err(format!("admit {foreign}, which nobody approved"));
    }
    let barred = |image: &&&String| image.parse().is_ok_and(|image| world.barred(&image));
    let stays = |image: &&String| image.parse().is_ok_and(|image| world.revoked(&image));
    let revoked = entering.iter().find(barred).copied();
    if let Some(revoked) = revoked.or_else(|| admitted.iter().find(stays)) {
        return Err(format!("admit {revoked}, which was revoked"));
    }
    let debug = |found: &String| found.bytes().all(|byte| byte == b'0');
    if admitted.iter().any(debug) {
        return Err("admit every enclave in debug mode".to_owned());
    }
    Ok(())
}

/// A register that a policy pins stays pinned, and takes no value that status alone knows, unless the spec or a set of
/// ours says otherwise.
fn registers_stay(world: &World, write: &KeyWrite, share: &Share) -> Result<(), String> {
    let (Ok(before), Ok(after)) = (
        key_policy::found(&write.expected, &share.template),
        key_policy::found(&write.policy, &share.template),
    ) else {
        return Ok(());
    };
    let of_sets = world.sets.iter().map(|set| &set.release.measurement);
    let approved: Vec<_> = of_sets.chain([&world.spec.release.measurement]).collect();
    let pinned = before.registers.iter();
    for (index, values) in pinned.filter(|(index, _)| share.template.pins.contains(index)) {
        let own = |value: &&Measurement| value.register(*index).map(ToString::to_string);
        let Some(now) = after.registers.get(index) else {
            let lacks = |one: &&Measurement| {
                one.register(*index).is_none()
                    && after.image_sha384.contains(&one.image_sha384.to_string())
            };
            if after.image_sha384.is_empty() || approved.iter().any(lacks) {
                continue;
            }
            return Err(format!(
                "key {} would lose its pin of PCR{index}, which every approved release has",
                write.name
            ));
        };
        let known: Vec<_> = approved.iter().filter_map(own).collect();
        if let Some(value) = now.difference(values).find(|value| !known.contains(value)) {
            return Err(format!(
                "key {} would admit {value} in PCR{index}, which nobody approved",
                write.name
            ));
        }
    }
    Ok(())
}

/// A key is called to revoke what it calls revoked already, or what was revoked for all.
fn one_word_is_not_spread(world: &World, arns: &[String], images: &[String]) -> Result<(), String> {
    let for_all = |prefix: &str| {
        let named = |image: &&measurement::Pcr| image.to_string().starts_with(prefix);
        let mut told = world.record.revoked.iter().filter(named);
        told.any(|image| world.revoked(image))
    };
    for (share, facts) in world.facts().filter(|(share, _)| arns.contains(&share.arn)) {
        let on_it = |prefix: &str| tags::revoked(&facts.tags).any(|known| known == prefix);
        if let Some(prefix) = images.iter().find(|image| !on_it(image) && !for_all(image)) {
            return Err(format!(
                "key {} would call {prefix} revoked, which nobody but another key says",
                share.name
            ));
        }
    }
    Ok(())
}

/// The measurements that status records, where something else than status speaks for them, too.
fn recorded(world: &World) -> impl Iterator<Item = &Measurement> {
    let approves = |release: &Release| {
        let of_set = |set: &Set| set.release.measurement == release.measurement;
        world.spec.release.measurement == release.measurement || world.sets.iter().any(of_set)
    };
    let rollover = world.record.rollover.iter();
    rollover
        .flat_map(|rollover| rollover.from.iter().chain([&rollover.to]))
        .chain(&world.record.current)
        .filter(move |release| approves(release))
        .map(|release| &release.measurement)
}

/// Law 8: no write adds an error of the lint (lock-out of the admin and size among them).
pub fn the_admin_keeps_the_key(world: &World, action: &Action) -> Result<(), String> {
    for each in writes(world, action) {
        let (write, share) = each?;
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

/// Law 9: only a policy of the five statements is written (or one that the spec lets be taken over), and every other statement stays as it is.
pub fn others_statements_stay(world: &World, action: &Action) -> Result<(), String> {
    for each in writes(world, action) {
        let (write, share) = each?;
        let found = key_policy::projects(&write.expected, &share.template);
        if let (Err(fault), false) = (found, share.adopt) {
            return Err(format!("key {}: the policy found {fault}", write.name));
        }
        let (before, after) = (foreign(&write.expected), foreign(&write.policy));
        if before != after {
            return Err(format!(
                "the policy for key {} would change statements of others",
                write.name
            ));
        }
    }
    Ok(())
}

fn foreign(policy: &Policy) -> Vec<&Statement> {
    let statements = policy.statements().iter();
    statements
        .filter(|statement| !key_policy::is_ours(statement))
        .collect()
}

/// Law 10: what is written rests on the policy that was read, of a key that is this cluster's to write; older leaders' orders are void.
pub fn one_writer(world: &World, action: &Action) -> Result<(), String> {
    if let (Action::Resize(_), Some(set)) = (action, world.sets.iter().find(|set| !set.fenced)) {
        return Err(format!("ReplicaSet {} is not fenced", set.name));
    }
    for arn in changed(action) {
        if let Some(share) = world.share(arn).filter(|share| !share.managed) {
            return Err(format!("key {} is its holder's to change", share.name));
        }
    }
    let unread = |arn: &&str| world.facts().all(|(share, _)| share.arn != *arn);
    if let Some(arn) = changed(action).into_iter().find(unread) {
        return Err(format!("key {arn} was not read"));
    }
    owners_keep_theirs(world, action)?;
    for each in writes(world, action) {
        let (write, share) = each?;
        let mut facts = world.facts();
        let Some((_, facts)) = facts.find(|(other, _)| other.arn == share.arn) else {
            continue;
        };
        if !claim::is_ours(world, facts) {
            return Err(format!(
                "key {} does not carry this cluster's tag",
                write.name
            ));
        }
        if world.record.flips(&write.arn, world.now) && !narrows(world, std::slice::from_ref(write))
        {
            return Err(format!(
                "the policy of key {} was put right again and again: its other writer is not fought",
                write.name
            ));
        }
        let healing = crate::tags::healing_until(&facts.tags);
        if healing.is_some_and(|until| world.now < until) {
            return Err(format!("key {} got its tag back a moment ago", write.name));
        }
        if facts.policy.as_ref() != Ok(&write.expected) {
            return Err(format!(
                "the policy for key {} does not rest on what was read",
                write.name
            ));
        }
    }
    Ok(())
}

/// Another owner's key is tagged only where a person names that owner.
fn owners_keep_theirs(world: &World, action: &Action) -> Result<(), String> {
    let given = |facts: &crate::KeyFacts| match action {
        Action::TransferKeys { from, .. } => {
            world.spec.verbs.transfer.as_ref() == Some(from)
                && crate::tags::owner_of(&facts.tags).as_ref() == Some(from)
        }
        _ => false,
    };
    let changed = changed(action);
    for (share, facts) in world.facts() {
        let anothers = claim::claim_of(world, facts) == Claim::Anothers;
        if anothers && changed.contains(&share.arn.as_str()) && !given(facts) {
            return Err(format!("key {} is another owner's", share.name));
        }
    }
    Ok(())
}

/// The ARNs of the keys that an action writes or tags.
fn changed(action: &Action) -> Vec<&str> {
    match action {
        Action::WritePolicies(writes) => writes.iter().map(|write| write.arn.as_str()).collect(),
        Action::ClaimKeys { arns, .. }
        | Action::TransferKeys { arns, .. }
        | Action::TagCommitment { arns, .. }
        | Action::TagRevoked { arns, .. } => arns.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}
