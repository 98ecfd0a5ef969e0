//! Questions about a policy, and their answers.

use std::fmt::{self, Display, Formatter};

use super::context::Context;
use super::principal::Principal;
use crate::Policy;

/// What is asked: may this principal do this, to this resource, in this context?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Action, for example `kms:Decrypt`.
    pub action: &'a str,
    /// ARN of the resource; a star in it is a part that is not known.
    pub resource: &'a str,
    /// What is known of the condition keys.
    pub context: &'a Context,
}

/// IAM policies of the one who asks.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// All of them.
    Policies(&'a [Policy]),
    /// They may allow anything, or nothing.
    Unknown,
}

/// The answer, with the Sid (or `#index`) of the statement that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Allowed {
        /// By this statement.
        by: String,
    },
    /// A Deny matched.
    ExplicitDeny {
        /// In this statement.
        by: String,
    },
    /// Nothing allowed it.
    ImplicitDeny,
    /// It depends on what the request does not say.
    Depends {
        /// The statement whose conditions decide.
        by: String,
        /// On what, each with what turns the answer.
        on: Vec<Dependence>,
    },
}

impl Decision {
    /// Whether it is allowed whatever is not known.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Whether it is denied whatever is not known.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::ExplicitDeny { .. } | Self::ImplicitDeny)
    }
}

/// Something that is not known, and what turns the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependence {
    /// A condition key as the policy writes it, `key ARN`, `session name`, or `IAM policies`.
    pub key: String,
    /// Values with which it is allowed, where that was found; with none the key is absent.
    pub allowed: Option<Vec<String>>,
    /// Values with which it is denied.
    pub denied: Option<Vec<String>>,
    /// Why there is neither, where there is neither.
    pub unturned: Option<Unturned>,
}

/// Why no value is known that turns an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unturned {
    /// Values were tried, and they do not stand for all others.
    NoValueFound,
    /// Too much is not known for all of it to be tried together.
    NotTried,
}

impl Display for Unturned {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoValueFound => {
                "no value found: none of those that were tried turns the answer, and others may"
            }
            Self::NotTried => {
                "not tried with all values of the others: too much is unknown at once"
            }
        })
    }
}
