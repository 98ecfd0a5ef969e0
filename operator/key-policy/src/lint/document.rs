//! The document as a whole: its size, and statements that are not what they seem.

use strum::IntoEnumIterator;

use super::{Finding, RuleId, Severity};
use crate::Policy;
use crate::template::Sid;

/// Bytes that KMS accepts (quota "Key policy document size").
pub const MAX_SIZE: usize = 32_768;

/// The document is not larger than KMS accepts.
pub fn size(policy: &Policy) -> Option<Finding> {
    let size = policy.size();
    (size > MAX_SIZE).then(|| {
        Finding::error(
            RuleId::TooLarge,
            format!("the document has {size} bytes, KMS accepts {MAX_SIZE}"),
            "Remove statements that are not needed",
        )
    })
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

/// KMS takes a statement without Action or Resource, and it does nothing: its author meant something else.
pub fn without_effect(policy: &Policy) -> impl Iterator<Item = Finding> {
    let statements = policy.statements().iter().enumerate();
    statements.filter_map(|(index, statement)| {
        let missing = match (
            &statement.principals,
            &statement.actions,
            &statement.resources,
        ) {
            (None, _, _) => "Principal",
            (_, None, _) => "Action",
            (_, _, None) => "Resource",
            _ => return None,
        };
        Some(
            Finding::new(
                RuleId::WithoutEffect,
                Severity::Warning,
                format!(
                    "statement {} has no {missing}, so it has no effect",
                    statement.name(index)
                ),
                "Complete it or remove it",
            )
            .at(index),
        )
    })
}
