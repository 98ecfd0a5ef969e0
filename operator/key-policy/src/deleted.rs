//! Principals that were deleted: KMS shows their ids, and refuses every policy that holds one
//! (`MalformedPolicyDocumentException`), whatever else the write changes.

use strum::IntoEnumIterator;

use crate::Policy;
use crate::principal_name::is_deleted;
use crate::statement::{Match, Statement};
use crate::template::{Sid, Template};

/// A statement that names a deleted principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedPrincipal {
    /// The statement's Sid, or `#index`.
    pub statement: String,
    /// The id of the deleted role or user, for example `AROAEXAMPLEEXAMPLEEXA`.
    pub id: String,
}

/// The statements that name a deleted principal, each with the first one.
pub fn deleted_principals(policy: &Policy) -> Vec<DeletedPrincipal> {
    let statements = policy.statements().iter().enumerate();
    let deleted = |(index, statement): (usize, &Statement)| {
        Some(DeletedPrincipal {
            statement: statement.name(index),
            id: statement.deleted_principal()?.to_owned(),
        })
    };
    statements.filter_map(deleted).collect()
}

/// Whether one of the five statements names a deleted principal.
pub fn in_the_five(policy: &Policy) -> bool {
    let named = |sid: Sid| policy.statement(sid.into());
    let mut five = Sid::iter().filter_map(named);
    five.any(|statement| statement.deleted_principal().is_some())
}

/// The same policy with the template's principal in the place of each deleted one of the five statements.
pub fn repaired(policy: &Policy, template: &Template) -> Policy {
    let mut repaired = policy.clone();
    for sid in Sid::iter() {
        let principals = policy.statement(sid.into());
        let principals = principals.and_then(|statement| statement.principals.as_ref());
        let Some(Match {
            negated: false,
            listed,
        }) = principals
        else {
            continue;
        };
        let mut principals = listed.clone();
        let Some(names) = principals.get_mut("AWS") else {
            continue;
        };
        let before = names.len();
        names.retain(|name| !is_deleted(name));
        if names.len() == before {
            continue;
        }
        let own = template.principal(sid);
        if !names.contains(&own) {
            names.push(own);
        }
        repaired = repaired.with_principals(sid.into(), principals);
    }
    repaired
}
