//! The document as a whole: its size, and statements that are not what they seem.

use strum::IntoEnumIterator;

use super::effective::never;
use super::lens::Lens;
use super::{Finding, RuleId, Severity};
use crate::Policy;
use crate::evaluate::is_known;
use crate::statement::Statement;
use crate::template::Sid;

/// Bytes that KMS accepts (quota "Key policy document size").
pub const MAX_SIZE: usize = 32_768;

/// The document is not larger than KMS accepts.
pub fn size(policy: &Policy) -> Option<Finding> {
    // Counting what would be written takes longer than all other rules: a bound tells it for nearly every policy.
    if policy.size_at_most() <= MAX_SIZE {
        return None;
    }
    let size = policy.size();
    (size > MAX_SIZE).then(|| {
        Finding::error(
            RuleId::TooLarge,
            format!("the document has {size} bytes, KMS accepts {MAX_SIZE}"),
            "Remove statements that are not needed",
        )
    })
}

/// No list of principals, actions, resources or compared values is without a value: nobody can rely on what it means.
pub fn empty_lists(policy: &Policy) -> impl Iterator<Item = Finding> {
    let statements = policy.statements().iter().enumerate();
    statements.flat_map(|(index, statement)| {
        empty_in(statement).into_iter().map(move |what| {
            Finding::error(
                RuleId::EmptyList,
                format!("statement {} has an empty list of {what}", statement.name(index)),
                "Name a value, or remove the statement; where no image is to be admitted, name 96 x f, which no image has",
            )
            .at(index)
        })
    })
}

/// What the empty lists of a statement are of.
fn empty_in(statement: &Statement) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(principals) = &statement.principals {
        let mut kinds = principals.listed.values();
        if kinds.any(Vec::is_empty) || principals.listed.is_empty() {
            found.push("principals".to_owned());
        }
    }
    let listed = [
        ("actions", &statement.actions),
        ("resources", &statement.resources),
    ];
    let empty = listed.iter().filter(|(_, matched)| {
        let listed = matched.as_ref().map(|matched| matched.listed.as_slice());
        listed.is_some_and(<[_]>::is_empty)
    });
    found.extend(empty.map(|(what, _)| (*what).to_owned()));
    let conditions = statement.conditions.iter();
    let empty = conditions.filter(|condition| condition.values.is_empty());
    found.extend(empty.map(|condition| format!("values for {}", condition.key)));
    found
}

/// Each of the five is there once: readers look at the first, KMS at all.
pub fn repeated_sids(policy: &Policy) -> impl Iterator<Item = Finding> {
    Sid::iter().filter_map(|sid| {
        let count = policy.statements_named(sid.into()).count();
        (count > 1).then(|| {
            Finding::error(
                RuleId::RepeatedSid,
                format!("{count} statements are named {sid}"),
                "Keep the one that the template has",
            )
        })
    })
}

/// KMS takes a statement without Action or Resource, for another key or for an action that it does not have, or under a
/// condition that cannot hold, and it does nothing: its author meant something else.
///
/// A statement of which it was found that it gives something, or that a list of it is empty, is not asked whether it never
/// gives anything.
pub fn without_effect(lens: &Lens<'_>, found: &[Finding]) -> Vec<Finding> {
    let told = |index: usize| {
        let rules = [RuleId::ForeignAllow, RuleId::EmptyList];
        let mut found = found.iter();
        found.any(|one| one.statement == Some(index) && rules.contains(&one.rule))
    };
    let statements = lens.policy.statements().iter().enumerate();
    let idle = statements.filter_map(|(index, statement)| {
        let never = || (!told(index)).then(|| never(lens, statement))?;
        let (why, cure) = idle(lens, statement).or_else(never)?;
        let name = statement.name(index);
        let message = format!("statement {name} {why}");
        Some(Finding::new(RuleId::WithoutEffect, Severity::Warning, message, cure).at(index))
    });
    idle.collect()
}

/// Why a statement, or a part of it, has no effect, and what to do.
fn idle(lens: &Lens<'_>, statement: &Statement) -> Option<(String, &'static str)> {
    let lacks = |missing| {
        let why = format!("has no {missing}, so it has no effect");
        Some((why, "Complete it or remove it"))
    };
    let (actions, resources) = match (
        &statement.principals,
        &statement.actions,
        &statement.resources,
    ) {
        (None, _, _) => return lacks("Principal"),
        (_, None, _) => return lacks("Action"),
        (_, _, None) => return lacks("Resource"),
        (_, Some(actions), Some(resources)) => (actions, resources),
    };
    // That a list is empty is another finding.
    if !resources.listed.is_empty() && !lens.is_about_key(statement) {
        let not = if resources.negated {
            "everything but "
        } else {
            ""
        };
        let why = format!(
            "is about {not}{}, which is not this key, so it has no effect",
            resources.listed.join(", ")
        );
        return Some((why, "Name the key by its ARN or by \"*\", or remove it"));
    }
    let unknown = actions.listed.iter().find(|action| !is_known(action))?;
    let why = format!("has the action {unknown}, which KMS does not have");
    Some((why, "Write it as the reference of KMS does, or remove it"))
}
