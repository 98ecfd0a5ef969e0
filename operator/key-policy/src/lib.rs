//! A KMS key policy as a value: parse, compare, project, lint, evaluate.
//!
//! Facts about AWS's rules are from its documentation of key policies and of policy evaluation
//! (docs.aws.amazon.com: KMS developer guide "Key policies", IAM user guide "Policy evaluation logic").

mod access;
mod adopt;
mod arn;
mod canonical;
mod deleted;
mod diff;
mod document;
mod error;
pub mod evaluate;
mod exposure;
mod foreign_deny;
mod images;
pub mod infer;
mod json;
mod lint;
mod parse;
mod pinned;
mod principal_name;
mod profile;
mod project;
pub mod report;
mod size;
mod statement;
mod template;

pub use access::{Access, NOT_SHOWN, access, decrypts};
pub use adopt::{adopt, found, found_tuple};
pub use arn::{Arn, PARTITIONS, SERVICE_SUFFIXES};
pub use deleted::{DeletedPrincipal, deleted_principals};
pub use diff::{Change, Whole, diff};
pub use document::Policy;
pub use error::ParseError;
pub use exposure::{may_decrypt, may_decrypt_with_another};
pub use foreign_deny::{Denial, foreign_deny};
pub use images::images;
pub use lint::{
    Finding, Grant, KeyFacts, KeyLists, MAX_SIZE, Rule, RuleId, Severity, Unread,
    administrators_keep, binds, lint, lint_images, lint_key, malformed, not_a_principal,
    not_a_service,
};
pub use profile::Profile;
pub use project::{Admitted, NotOurs, admits, admitted, holds, is_ours, project, projects};
pub use size::room;
pub use statement::{Condition, Effect, Match, Principals, Statement};
pub use template::{Sid, Template};

/// Condition key of PCR0; the others are `kms:RecipientAttestation:PCR<n>`.
pub(crate) const IMAGE_SHA384: &str = "kms:RecipientAttestation:ImageSha384";
/// What all attestation keys begin with, in lower case.
pub(crate) const ATTESTATION: &str = "kms:recipientattestation:";
/// The same as it is written.
pub(crate) const ATTESTATION_KEY: &str = "kms:RecipientAttestation:";
