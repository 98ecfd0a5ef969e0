//! Nobody but those whom the template names has the key's material, or a way to it.

use strum::IntoEnumIterator;

use super::effective::possible;
use super::lens::Lens;
use super::{DATA_OPERATIONS, Finding, RuleId, Severity, WAYS_ROUND};
use crate::IMAGE_SHA384;
use crate::evaluate::names_action;
use crate::project::is_ours;
use crate::statement::{Effect, Statement};
use crate::template::Sid;

/// The cure of a statement that only lacks its name.
pub const NAME_IT: &str = "Give it the Sid of statement 3 or 4 (AllowChamberEnclaveDecryptWithAttestation, AllowChamberEnclaveEncryptForWrapping): by it the operator knows what it may change";

/// Allow statements that give more than the template does, or to others.
pub fn ways_to_the_key(lens: &Lens<'_>) -> impl Iterator<Item = Finding> {
    let template = Names::of(lens);
    let statements = lens.statements(Effect::Allow);
    statements.filter_map(move |(index, statement)| {
        let given = possible(lens, statement, given(statement, &template));
        if given.is_empty() {
            let finding = ends_the_key(lens, statement, index, &template);
            return finding.map(|finding| finding.at(index));
        }
        let what = format!(
            "statement {} gives {} to {}",
            statement.name(index),
            given.join(", "),
            statement.who()
        );
        let administers = given.iter().all(|action| WAYS_ROUND.contains(action));
        let finding = if administers && needs_mfa(statement) && named_individually(statement, &template) {
            Finding::new(
                RuleId::OtherAdministrator,
                Severity::Warning,
                format!("{what}, with MFA"),
                "Name the admin role alone: whoever may put the policy may admit an image",
            )
        } else if is_own_without_its_name(statement, &given, &template) {
            Finding::error(RuleId::ForeignAllow, what, NAME_IT)
        } else if statement.deleted_principal().is_some() && is_ours(statement) {
            Finding::error(
                RuleId::ForeignAllow,
                what,
                "Name the role by its ARN. On a Managed key the operator does it with its next write, on others spec.keys.policy.adopt does",
            )
        } else {
            Finding::error(
                RuleId::ForeignAllow,
                what,
                "Remove it: only the enclave role may use the key, only its administrators may change it",
            )
        };
        Some(finding.at(index))
    })
}

/// What ends a key, takes it from its owner, or brings back one that was retired.
const ENDING: [&str; 10] = [
    "kms:CancelKeyDeletion",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:ImportKeyMaterial",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdatePrimaryRegion",
];

/// An Allow that lets others than the template's principals end the key.
fn ends_the_key(
    lens: &Lens<'_>,
    statement: &Statement,
    index: usize,
    template: &Names<'_>,
) -> Option<Finding> {
    // Strangers in the five are found by what else these give.
    let of_the_five = || {
        let sid = statement.sid.as_deref();
        Sid::iter().any(|own| sid == Some(own.into()))
    };
    if of_the_five() {
        return None;
    }
    let named = Named::of(statement, template);
    if named.root || named.admin || named.enclave {
        return None;
    }
    let given = ENDING
        .into_iter()
        .filter(|action| names_action(statement, action));
    let given = possible(lens, statement, given.collect());
    (!given.is_empty()).then(|| {
        Finding::new(
            RuleId::OtherAdministrator,
            Severity::Warning,
            format!(
                "statement {} gives {} to {}",
                statement.name(index),
                given.join(", "),
                statement.who()
            ),
            "Leave what ends the key, or takes it from its owner, to the admin role alone",
        )
    })
}

/// A statement that is 3 or 4 in all but its name.
fn is_own_without_its_name(statement: &Statement, given: &[&str], template: &Names<'_>) -> bool {
    let gated = statement.conditions.iter().any(|condition| {
        condition.operator == "StringEqualsIgnoreCase"
            && condition.key.eq_ignore_ascii_case(IMAGE_SHA384)
    });
    let own = given == ["kms:Decrypt"] && gated || given == ["kms:Encrypt"];
    own && statement.names_only(template.enclave)
}

/// Whether a person has to be there: a key that is absent does not do.
fn needs_mfa(statement: &Statement) -> bool {
    statement.conditions.iter().any(|condition| {
        let is = |key: &str| condition.key.eq_ignore_ascii_case(key);
        let all = |wanted: &str| {
            let mut values = condition.values.iter();
            !condition.values.is_empty() && values.all(|value| value.eq_ignore_ascii_case(wanted))
        };
        match condition.operator.as_str() {
            "Bool" => is("aws:MultiFactorAuthPresent") && all("true"),
            // Only who showed a second factor has an age of it.
            "Null" => is("aws:MultiFactorAuthAge") && all("false"),
            "NumericLessThan" | "NumericLessThanEquals" => {
                is("aws:MultiFactorAuthAge") && !condition.values.is_empty()
            }
            _ => false,
        }
    })
}

/// What a statement gives that the template does not give to these principals.
fn given(statement: &Statement, template: &Names<'_>) -> Vec<&'static str> {
    let named = Named::of(statement, template);
    let ways = DATA_OPERATIONS.into_iter().chain(WAYS_ROUND);
    // What the template gives is the rule, and cheap to see.
    ways.filter(|action| !is_templates(&named, action) && names_action(statement, action))
        .collect()
}

/// The template's principals, written once.
struct Names<'a> {
    root: &'a str,
    admin: &'a str,
    enclave: &'a str,
    /// What the ARNs of roles and users of the key's account begin with.
    account: String,
}

impl<'a> Names<'a> {
    fn of(lens: &'a Lens<'_>) -> Self {
        let template = lens.template;
        Self {
            root: &lens.root.arn,
            admin: &template.admin_role_arn,
            enclave: lens.enclave_role(),
            account: format!("arn:{}:iam::{}:", template.partition, template.key_account),
        }
    }
}

/// Whom a statement names, as far as the template is concerned.
#[expect(
    clippy::struct_excessive_bools,
    reason = "five questions about one statement"
)]
struct Named {
    sid: Option<Sid>,
    root: bool,
    everything: bool,
    admin: bool,
    enclave: bool,
    individually: bool,
}

impl Named {
    fn of(statement: &Statement, template: &Names<'_>) -> Self {
        Self {
            sid: Sid::iter().find(|sid| statement.sid.as_deref() == Some((*sid).into())),
            root: statement.names_only(template.root),
            everything: statement
                .actions
                .as_ref()
                .is_some_and(|actions| !actions.negated && actions.listed == ["kms:*"]),
            admin: statement.names_only(template.admin),
            enclave: statement.names_only(template.enclave),
            individually: named_individually(statement, template),
        }
    }
}

/// Whether the template gives this action to these principals.
fn is_templates(named: &Named, action: &str) -> bool {
    match named.sid {
        Some(Sid::EnableIAMRootPermissionsBreakGlass) if named.root => true,
        // Every key begins with statement 1 under another name ("Enable IAM User Permissions").
        None if named.root && named.everything => true,
        // That its data operations are too much is the administrators' rule.
        Some(Sid::AllowKeyAdministrators) if named.individually => true,
        Some(Sid::AllowChamberEnclaveDecryptWithAttestation) => {
            named.enclave && action == "kms:Decrypt"
        }
        Some(Sid::AllowChamberEnclaveEncryptForWrapping) => {
            named.enclave && action == "kms:Encrypt"
        }
        // The administrators' rule reports the data operations of the admin role wherever they are.
        _ => named.admin || (WAYS_ROUND.contains(&action) && named.root),
    }
}

/// Roles and users of the key's account: never everybody, an account, another account, or a deleted role's id.
fn named_individually(statement: &Statement, template: &Names<'_>) -> bool {
    let is_individual = |name: &String| {
        let resource = name.strip_prefix(&template.account);
        *name == template.admin
            || resource.is_some_and(|r| r.starts_with("role/") || r.starts_with("user/"))
    };
    statement.principals.as_ref().is_some_and(|principals| {
        let mut kinds = principals.listed.iter();
        !principals.negated
            && kinds.all(|(kind, names)| kind == "AWS" && names.iter().all(is_individual))
    })
}

/// Enclave roles by name that are not this cluster's: two clusters of one role open each other's keys.
pub fn shared_role(lens: &Lens<'_>) -> impl Iterator<Item = Finding> {
    let own = lens.enclave_role();
    let statements = lens.policy.statements().iter().enumerate();
    statements.filter_map(move |(index, statement)| {
        let principals = statement.principals.as_ref()?;
        let mut names = principals.listed.values().flatten();
        let other = names.find(|name| name.contains(":role/ChamberEnclaveRole") && *name != own)?;
        (statement.effect == Effect::Allow && !principals.negated).then(|| {
            Finding::new(
                RuleId::SharedRole,
                Severity::Warning,
                format!(
                    "statement {} names {other} where this cluster's role is {own}",
                    statement.name(index)
                ),
                "Give every cluster a role of its own: ChamberEnclaveRole-<cluster id>",
            )
            .at(index)
        })
    })
}
