//! What each rule is about: one table for the documentation and for reports.

use strum::IntoEnumIterator;

use super::{RuleId, Severity};

/// A rule, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The rule.
    pub id: RuleId,
    /// Severity of its findings.
    pub severity: Severity,
    /// Why what it finds is bad.
    pub why: &'static str,
    /// What to do in general; a finding says it for its case.
    pub cure: &'static str,
    /// The check of Prowler that it answers to, after `kms_key_enclave_attestation_`.
    pub prowler: Option<&'static str>,
}

impl RuleId {
    /// All rules, in the order of findings.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// Its description.
    pub fn rule(self) -> Rule {
        let (severity, why, cure, prowler) = describe(self);
        Rule {
            id: self,
            severity,
            why,
            cure,
            prowler,
        }
    }
}

type Description = (Severity, &'static str, &'static str, Option<&'static str>);

#[expect(
    clippy::too_many_lines,
    reason = "one table, which grows with the rules"
)]
fn describe(rule: RuleId) -> Description {
    match rule {
        RuleId::MalformedPolicy => (
            Severity::Error,
            "KMS takes one of two versions, at least one statement, principals that exist, actions with their service and the operators of IAM. It refuses every other document, so nothing could be written.",
            "Mend what the message names",
            None,
        ),
        RuleId::MissingBreakGlass => (
            Severity::Error,
            "Whoever may change a key policy has to be named by it. Without the account's root, losing the admin role makes the key unrecoverable, and every share in it.",
            "Put the statement EnableIAMRootPermissionsBreakGlass back",
            None,
        ),
        RuleId::AdminUsesKey => (
            Severity::Error,
            "Administrators change the policy; whoever could also decrypt would need no enclave. Wildcards count: kms:D* holds Decrypt.",
            "Take data operations from the administrators, also where a wildcard includes them",
            Some("bypassable_path"),
        ),
        RuleId::EnclaveManagesKey => (
            Severity::Error,
            "An enclave unseals and seals. With ScheduleKeyDeletion, DisableKey or TagResource whoever holds the role ends the key or takes it from its owner; with EnableKey or CancelKeyDeletion it brings back one that was retired; with PutKeyPolicy or CreateGrant it needs no image. A session of the role counts as the role.",
            "Leave Decrypt and Encrypt to the enclave role, and nothing else",
            Some("bypassable_path"),
        ),
        RuleId::EnclaveDenied => (
            Severity::Error,
            "A Deny wins over every Allow: the images that statement 3 admits cannot decrypt, and chambers stay sealed. Two that depend on a condition and on its complement hold together. A register key that KMS never sets is absent, so that a negated comparison or Null with it always holds.",
            "Remove the Deny, or except the enclave role from it",
            None,
        ),
        RuleId::DecryptWithoutAttestation => (
            Severity::Error,
            "Without a comparison of ImageSha384 the role alone decrypts, on any machine.",
            "Compare kms:RecipientAttestation:ImageSha384 by StringEqualsIgnoreCase",
            Some("not_enforced"),
        ),
        RuleId::MalformedMeasurement => (
            Severity::Error,
            "KMS compares 96 lower-case hex characters; a value with 0x, of another length or with other characters never matches.",
            "Use what describe-eif prints, in lower case and without 0x",
            None,
        ),
        RuleId::ZeroMeasurement => (
            Severity::Error,
            "Enclaves in debug mode attest zeros in every register, and their memory can be read; PCR8 is zeros for every image that nobody signed, PCR3 on every instance without a role. A comparison with zeros binds nothing.",
            "Remove the zeros",
            Some("debug_attestation_detected"),
        ),
        RuleId::DenySparesMeasurement => (
            Severity::Error,
            "The Deny statements of the Pinned profile retire an image for everybody. One that still spares a retired image, or one of which statement 3 knows nothing, leaves it to whoever IAM allows to decrypt.",
            "Take the value out of the Deny",
            Some("unknown_image"),
        ),
        RuleId::TooManyMeasurements => (
            Severity::Error,
            "A rollover needs the current release and the next. Each further image is one more that can decrypt.",
            "Keep the current release and the one that is rolled out",
            Some("unknown_image"),
        ),
        RuleId::EmptyList => (
            Severity::Error,
            "What a list without a value means is uncertain: IAM's policy validator says of an empty condition both that it holds and that it gives nothing.",
            "Name a value, or remove the statement; where no image is to be admitted, name 96 x f, which no image has",
            None,
        ),
        RuleId::MissingDeny => (
            Severity::Error,
            "The Deny is what holds against IAM policies of the account and against grants where no attestation is there.",
            "Put the statement DenyDataOpsWithoutAttestation back, with all its actions",
            Some("not_enforced"),
        ),
        RuleId::ForeignAllow => (
            Severity::Error,
            "Data operations, PutKeyPolicy, CreateGrant and ReplicateKey are each a way to the key's material. NotAction, NotPrincipal, wildcards and account principals are read as AWS reads them.",
            "Remove the statement",
            Some("bypassable_path"),
        ),
        RuleId::RepeatedSid => (
            Severity::Error,
            "KMS takes two statements of one name and obeys both; readers look at the first.",
            "Keep the one that the template has",
            None,
        ),
        RuleId::TooLarge => (
            Severity::Error,
            "KMS refuses a document of more than 32,768 bytes, so the next rollover would stop.",
            "Remove statements that are not needed",
            None,
        ),
        RuleId::ConditionalBreakGlass => (
            Severity::Warning,
            "Break-glass has to work on a bad day. Organisations delete the root user's credentials in their accounts, and a condition may not hold when the admin role is lost.",
            "Give the account's root kms:* without a condition",
            None,
        ),
        RuleId::MissingStatement => (
            Severity::Warning,
            "Without Decrypt no chamber unseals; without Encrypt no share can be wrapped under the key.",
            "Put statement 3 or 4 back",
            None,
        ),
        RuleId::PolicyNotOurs => (
            Severity::Warning,
            "The operator changes what statement 3 admits, and stops (PolicyNotOurs) where it does not find the five statements by their Sids, or finds more in statement 3 than the template has. Not said where an error is about the same statement, or about the Sids.",
            "Write the template's statements, or let spec.keys.policy.adopt do it where the finding says so",
            None,
        ),
        RuleId::AllowNotPrincipal => (
            Severity::Warning,
            "An Allow with NotPrincipal gives to everybody else, in every account. AWS does not document it; KMS refuses such a document.",
            "Name who is meant in Principal",
            Some("bypassable_path"),
        ),
        RuleId::OperatorCase => (
            Severity::Warning,
            "Condition keys may be written in any case, operators may not. AWS does not document it; KMS refuses such a document.",
            "Write the operator as IAM's documentation does",
            None,
        ),
        RuleId::OtherAdministrator => (
            Severity::Warning,
            "Whoever may put the policy may admit an image; whoever may end the key, bring it back, or take its tags, takes it from its owner.",
            "Name the admin role alone",
            None,
        ),
        RuleId::WithoutEffect => (
            Severity::Warning,
            "KMS takes a statement without Principal, Action or Resource, about another key or an alias, with an action that does not exist, or that nobody whom it names can ever do (PutKeyPolicy from another account, Encrypt with an attestation), and ignores it; its author meant something.",
            "Complete it or remove it",
            None,
        ),
        RuleId::RegistersInOneDeny => (
            Severity::Error,
            "Conditions of one statement must all hold. A Deny that compares two registers by a negated operator spares an enclave in which one of them is right.",
            "Write one Deny statement per register",
            Some("pcr_mismatch"),
        ),
        RuleId::SetOperator => (
            Severity::Warning,
            "The attestation keys have one value. ForAllValues holds where the key is absent, so in an Allow it opens the key without an attestation.",
            "Use the operator without ForAnyValue and ForAllValues",
            Some("not_enforced"),
        ),
        RuleId::CaseSensitive => (
            Severity::Warning,
            "KMS writes measurements in lower case. StringEquals with upper case never matches; StringNotEquals always does.",
            "Use StringEqualsIgnoreCase, and lower case",
            Some("pcr_mismatch"),
        ),
        RuleId::UnknownAttestationKey => (
            Severity::Warning,
            "KMS sets ImageSha384, PCR0 to PCR31 and NitroTPMPCR0 to 23, each with one value. Another key is always absent: an Allow with it never holds, a negated Deny always does.",
            "Use one key per register",
            Some("not_enforced"),
        ),
        RuleId::SharedRole => (
            Severity::Warning,
            "Two clusters that share a role open each other's keys.",
            "Give every cluster its ChamberEnclaveRole-<cluster id>",
            Some("bypassable_path"),
        ),
        RuleId::EncryptDenied => (
            Severity::Warning,
            "Encrypt cannot carry an attestation, so such a Deny stops every wrapping of a share.",
            "Take kms:Encrypt out of the Deny",
            None,
        ),
        RuleId::UniqueIdPrincipal => (
            Severity::Warning,
            "KMS shows the id of a deleted role or user, and refuses the next policy that holds it. A new role of the same name is not meant by it.",
            "Name the role by its ARN, or remove it",
            None,
        ),
        RuleId::UnknownImage => (
            Severity::Warning,
            "An image that nobody released can decrypt. Needs the known releases.",
            "Remove it, or find out whose image it is",
            Some("unknown_image"),
        ),
        RuleId::PcrMismatch => (
            Severity::Warning,
            "A pin that no release has locks the releases out. Needs the known releases.",
            "Pin what describe-eif prints for the release",
            Some("pcr_mismatch"),
        ),
        RuleId::MultiRegion => (
            Severity::Warning,
            "A replica of the key has a policy of its own, in another Region. Seen in DescribeKey.",
            "Use a key of one Region",
            Some("bypassable_path"),
        ),
        RuleId::ImportedMaterial => (
            Severity::Warning,
            "Whoever imported the material may have a copy, which no policy guards. Seen in DescribeKey.",
            "Use a key whose material KMS made",
            Some("bypassable_path"),
        ),
        RuleId::SecondPolicy => (
            Severity::Warning,
            "A resource share adds a policy beside default, which PutKeyPolicy does not change. Seen in ListKeyPolicies.",
            "End the resource share",
            Some("bypassable_path"),
        ),
        RuleId::KeyNotUsable => (
            Severity::Warning,
            "A disabled key, one that is to be deleted or one for signing wraps no share. Seen in DescribeKey.",
            "Use an enabled key for ENCRYPT_DECRYPT",
            None,
        ),
        RuleId::Grant => (
            Severity::Warning,
            "A grant allows what no statement of the policy says, without an attestation condition; only a Deny holds against it. Seen in ListGrants: Decrypt, Encrypt, GenerateDataKey*, ReEncrypt*, DeriveSharedSecret, and CreateGrant, which gives such a grant on.",
            "Take it back by RevokeGrant, unless it is meant",
            Some("bypassable_path"),
        ),
        RuleId::FactsNotRead => (
            Severity::Note,
            "Grants and a second policy go beside the policy, and whoever reads the key may not list them: they may be there.",
            "Allow kms:ListGrants and kms:ListKeyPolicies to the role that reads the key",
            None,
        ),
        RuleId::DependsOnContext => (
            Severity::Note,
            "A policy does not show from which network, organisation or service its chambers call. The operator counts what it does not know as a denial, and does not begin a rollover that could lock chambers out. Where PutKeyPolicy depends on it, so does break-glass.",
            "Say in spec.keys.policy.assume what holds",
            None,
        ),
        RuleId::RootDelegates => (
            Severity::Note,
            "Statement 1 lets IAM policies of the account decide, and the Deny holds only where no attestation is there: a principal that IAM allows may decrypt from any attested enclave, and without the Deny from anywhere.",
            "The Pinned profile closes this",
            Some("bypassable_path"),
        ),
        RuleId::AdminCreatesGrants => (
            Severity::Note,
            "kms:Create* includes CreateGrant. A grant goes round the Allow of statement 3, not round a Deny.",
            "The Pinned profile closes this",
            Some("bypassable_path"),
        ),
        RuleId::NoDeploymentBinding => (
            Severity::Note,
            "PCR0 names the image and nothing else: whoever has it may start it on an instance of their own, if they get the role's credentials.",
            "Pin PCR8 (the signer) or PCR3 (the instance's role)",
            Some("no_deployment_binding"),
        ),
    }
}
