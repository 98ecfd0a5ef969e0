//! Rules that a policy must keep, each with its cure.

mod administrators;
mod admitted;
mod attestation;
mod break_glass;
mod document;
mod effective;
mod enclave;
mod enclave_denied;
mod foreign_allow;
mod images;
mod key;
mod lens;
mod malformed;
mod not_ours;
mod registers;
mod rules;
mod without_attestation;

use std::borrow::Cow;

use strum::{Display, EnumIter};

use crate::Policy;
use crate::template::{Sid, Template};

pub use break_glass::administrators_keep;
pub use document::MAX_SIZE;
pub use images::lint_images;
pub use key::{Grant, KeyFacts, KeyLists, Unread, lint_key};
use lens::Lens;
pub use malformed::{malformed, not_a_principal, not_a_service};
pub use rules::Rule;
pub use without_attestation::binds;

/// What uses a key's material.
const DATA_OPERATIONS: [&str; 9] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:DeriveSharedSecret",
];
/// What gives others a way to the key's material: another policy, a grant, a copy with a policy of its own.
const WAYS_ROUND: [&str; 3] = ["kms:PutKeyPolicy", "kms:CreateGrant", "kms:ReplicateKey"];

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the template itself has it.
    Note,
    /// Should be mended.
    Warning,
    /// Must not be written.
    Error,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum RuleId {
    /// KMS refuses the document.
    MalformedPolicy,
    /// The account's root may not do everything: losing the admin role loses the key.
    MissingBreakGlass,
    /// An administrator may use the key's material.
    AdminUsesKey,
    /// The enclave role may end the key, or open another way to it.
    EnclaveManagesKey,
    /// A Deny keeps the enclave role from decrypting with an image that is admitted.
    EnclaveDenied,
    /// The enclave role may decrypt without the right attestation.
    DecryptWithoutAttestation,
    /// A value is not 96 lower-case hex characters.
    MalformedMeasurement,
    /// A register may be all zeros.
    ZeroMeasurement,
    /// A Deny spares a measurement that statement 3 does not admit.
    DenySparesMeasurement,
    /// More than two measurements are admitted.
    TooManyMeasurements,
    /// A list without a value.
    EmptyList,
    /// Data operations without attestation are not denied to everybody.
    MissingDeny,
    /// Somebody whom the template does not name may use the key or open a way to it.
    ForeignAllow,
    /// One of the five statements is there more than once.
    RepeatedSid,
    /// The document is larger than KMS accepts.
    TooLarge,
    /// The account's root keeps the key under a condition only.
    ConditionalBreakGlass,
    /// The enclave role may not decrypt, or not encrypt, at all.
    MissingStatement,
    /// The policy is not of the template's statements: the operator does not write it.
    PolicyNotOurs,
    /// An Allow with `NotPrincipal`.
    AllowNotPrincipal,
    /// An operator in another case than AWS's.
    OperatorCase,
    /// The statement of the administrators names others than the admin role.
    OtherAdministrator,
    /// A statement lacks what it would need to have an effect.
    WithoutEffect,
    /// One Deny compares several registers: it holds only where all of them differ.
    RegistersInOneDeny,
    /// `ForAnyValue:` or `ForAllValues:` on an attestation key, which has one value.
    SetOperator,
    /// A comparison that minds the case, with a value that is not in lower case.
    CaseSensitive,
    /// A key of `kms:RecipientAttestation:*` that KMS does not have.
    UnknownAttestationKey,
    /// A role for enclaves that is another cluster's, or nobody's.
    SharedRole,
    /// Encrypt is denied without an attestation, which it cannot carry.
    EncryptDenied,
    /// A principal was deleted: KMS shows its unique id.
    UniqueIdPrincipal,
    /// A measurement is admitted that no known release has.
    UnknownImage,
    /// A pinned register has a value that no known release has.
    PcrMismatch,
    /// The key is a multi-Region key.
    MultiRegion,
    /// The key's material was imported, or lies outside of KMS.
    ImportedMaterial,
    /// The key has another policy than `default`.
    SecondPolicy,
    /// The key is no enabled key for encryption and decryption.
    KeyNotUsable,
    /// A grant lets somebody use the key's material, or give grants on.
    Grant,
    /// What KMS may say of the key beside its policy was not read.
    FactsNotRead,
    /// A Deny holds for the enclave role depending on what a policy does not show.
    DependsOnContext,
    /// The root statement lets IAM policies of the account decide.
    RootDelegates,
    /// `kms:Create*` includes `CreateGrant`.
    AdminCreatesGrants,
    /// No register ties the policy to a signer or an instance.
    NoDeploymentBinding,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// How bad.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do.
    pub cure: Cow<'static, str>,
    /// Index of the statement that it is about, where it is one; others are found by their rule.
    pub(crate) statement: Option<usize>,
}

impl Finding {
    fn new(
        rule: RuleId,
        severity: Severity,
        message: impl Into<String>,
        cure: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            rule,
            severity,
            message: message.into(),
            cure: cure.into(),
            statement: None,
        }
    }

    /// The same finding, of this statement.
    fn at(self, index: usize) -> Self {
        Self {
            statement: Some(index),
            ..self
        }
    }

    fn error(rule: RuleId, message: impl Into<String>, cure: &'static str) -> Self {
        Self::new(rule, Severity::Error, message, cure)
    }
}

/// The statement that a finding is about: its own, or the one of the five that its rule is for.
pub(crate) fn statement_of(finding: &Finding, policy: &Policy) -> Option<usize> {
    let named = |sid: Sid| {
        let mut statements = policy.statements().iter();
        statements.position(|statement| statement.sid.as_deref() == Some(sid.into()))
    };
    finding.statement.or_else(|| match finding.rule {
        RuleId::ConditionalBreakGlass => named(Sid::EnableIAMRootPermissionsBreakGlass),
        RuleId::OtherAdministrator | RuleId::AdminCreatesGrants => {
            named(Sid::AllowKeyAdministrators)
        }
        RuleId::DecryptWithoutAttestation
        | RuleId::MalformedMeasurement
        | RuleId::ZeroMeasurement
        | RuleId::TooManyMeasurements
        | RuleId::UnknownImage
        | RuleId::PcrMismatch
        | RuleId::NoDeploymentBinding => named(Sid::AllowChamberEnclaveDecryptWithAttestation),
        _ => None,
    })
}

/// Everything that the rules find, in the order of the rules.
pub fn lint(policy: &Policy, template: &Template) -> Vec<Finding> {
    let mut findings = malformed::refused(policy);
    findings.extend(malformed::doubtful(policy));
    let cased = findings.iter().any(|one| one.rule == RuleId::OperatorCase);
    let meant = cased.then(|| malformed::as_meant(policy));
    let (written, policy) = (policy, meant.as_ref().unwrap_or(policy));
    let lens = &Lens::new(policy, template);
    findings.extend(break_glass::break_glass(lens));
    findings.extend(administrators::data_operations(policy, template));
    findings.extend(administrators::others(policy, template));
    findings.extend(enclave::manages(lens));
    findings.extend(enclave_denied::denied(lens));
    findings.extend(enclave::depends(lens));
    findings.extend(enclave::missing(lens));
    findings.extend(attestation::gate(policy));
    findings.extend(attestation::measurements(policy));
    findings.extend(attestation::zeros(policy));
    findings.extend(attestation::spared(policy));
    findings.extend(without_attestation::deny(lens));
    findings.extend(foreign_allow::ways_to_the_key(lens));
    findings.extend(document::repeated_sids(policy));
    findings.extend(document::empty_lists(policy));
    findings.extend(document::size(policy));
    findings.extend(document::without_effect(lens, &findings));
    findings.extend(registers::conditions(policy));
    findings.extend(registers::several_in_one_deny(policy));
    findings.extend(registers::deployment(policy));
    findings.extend(administrators::unique_ids(policy));
    findings.extend(foreign_allow::shared_role(lens));
    findings.extend(administrators::known_holes(lens));
    findings.extend(not_ours::stops(written, template, &findings));
    findings.sort_by_key(|finding| finding.rule);
    findings
}
