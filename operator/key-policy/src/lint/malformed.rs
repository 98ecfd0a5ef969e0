//! Documents that KMS refuses, or may refuse (IAM user guide, "IAM JSON policy elements reference"; KMS developer guide,
//! "Key policies").

use std::borrow::Cow;

use super::{Finding, RuleId, Severity};
use crate::Policy;
use crate::arn::{Arn, PARTITIONS};
use crate::evaluate::Operator;
use crate::principal_name::{account_of_root, is_deleted};
use crate::statement::{Effect, Match, Statement};

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
/// Kinds of principals in resource policies.
const KINDS: [&str; 4] = ["AWS", "Service", "Federated", "CanonicalUser"];

/// What the documentation says that KMS refuses (`MalformedPolicyDocumentException`): the first of each statement.
pub fn refused(policy: &Policy) -> Vec<Finding> {
    let error = |what: String| {
        let cure = "Mend it: KMS refuses the document";
        Finding::error(RuleId::MalformedPolicy, what, cure)
    };
    let mut findings: Vec<_> = document(policy).map(error).into_iter().collect();
    for (index, statement) in policy.statements().iter().enumerate() {
        let fault = principals(statement)
            .or_else(|| actions(statement))
            .or_else(|| operators(statement));
        let Some(fault) = fault else { continue };
        let name = statement.name(index);
        findings.push(error(format!("statement {name} {fault}")).at(index));
    }
    findings
}

/// What KMS refuses as far as is known, without a word of its documentation.
pub fn doubtful(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        let found = not_principal(statement, index)
            .into_iter()
            .chain(operator_case(statement, index));
        findings.extend(found.map(|finding| finding.at(index)));
    }
    findings
}

fn not_principal(statement: &Statement, index: usize) -> Option<Finding> {
    let principals = statement.principals.as_ref()?;
    (statement.effect == Effect::Allow && principals.negated).then(|| {
        Finding::new(
            RuleId::AllowNotPrincipal,
            Severity::Warning,
            format!(
                "statement {} allows with NotPrincipal: everybody else, also of other accounts",
                statement.name(index)
            ),
            "Name who is meant in Principal: KMS refuses NotPrincipal in an Allow",
        )
    })
}

fn operator_case(statement: &Statement, index: usize) -> Option<Finding> {
    let mut conditions = statement.conditions.iter();
    let (found, known) = conditions.find_map(|condition| {
        let known = well_known(&condition.operator)?;
        (known != condition.operator).then_some((&condition.operator, known))
    })?;
    Some(Finding::new(
        RuleId::OperatorCase,
        Severity::Warning,
        format!(
            "statement {} has the operator {found}, which AWS writes {known}",
            statement.name(index)
        ),
        "Write it as AWS does: KMS refuses it in another case",
    ))
}

/// The first reason why KMS answers `MalformedPolicyDocumentException` to this document.
pub fn malformed(policy: &Policy) -> Option<String> {
    let mut faults = refused(policy).into_iter().chain(doubtful(policy));
    faults.next().map(|finding| finding.message)
}

fn document(policy: &Policy) -> Option<String> {
    if !VERSIONS.contains(&policy.version()) {
        let found = policy.version();
        return Some(format!("the version is {found:?}, expected 2012-10-17"));
    }
    let empty = policy.statements().is_empty();
    empty.then(|| "the document has no statement".to_owned())
}

fn principals(statement: &Statement) -> Option<String> {
    let Match { listed, .. } = statement.principals.as_ref()?;
    let unknown = listed.keys().find(|kind| !KINDS.contains(&kind.as_str()));
    if let Some(kind) = unknown {
        return Some(format!("has the principal {kind}, expected AWS or Service"));
    }
    let mut names = listed.get("AWS").into_iter().flatten();
    let aws = names.find_map(|name| Some((name, not_a_principal(name)?)));
    let mut names = listed.get("Service").into_iter().flatten();
    let service = || names.find_map(|name| Some((name, not_a_service(name)?)));
    let (name, why) = aws.or_else(service)?;
    Some(format!("names the principal {name}, which {why}"))
}

/// Why a name cannot stand under `AWS`.
pub fn not_a_principal(name: &str) -> Option<&'static str> {
    if name == "*" {
        return None;
    }
    let arn = Arn::parse(name);
    if arn.is_some_and(|arn| !PARTITIONS.contains(&arn.partition)) {
        return Some("is of no partition of AWS");
    }
    if account_of_root(name).is_some() || is_deleted(name) {
        return None;
    }
    let Some(arn) = arn else {
        return Some("is no ARN and no account");
    };
    if name.bytes().any(|byte| matches!(byte, b'*' | b'?')) {
        return Some("has a wildcard: a principal is everybody, or named in full");
    }
    if !arn.region.is_empty() {
        return Some("has a Region, and principals have none");
    }
    let (kind, rest) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    // Names are of letters, digits and signs, nearly all: only what is none of these is looked at as a character.
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain && name.contains(char::is_whitespace) && arn.account != "cloudfront" {
        return Some("has a blank");
    }
    let parts = rest.split('/').count();
    let in_full = arn.has_account() && rest.split('/').all(|part| !part.is_empty());
    match (arn.service, kind) {
        ("iam", "group") => Some("is a group, and a group is no principal"),
        // An origin access identity of CloudFront has the account `cloudfront`.
        ("iam", _) if arn.account == "cloudfront" => None,
        ("iam", "role" | "user") | ("sts", "federated-user") if in_full => None,
        ("sts", "assumed-role") if in_full && parts == 2 => None,
        ("sts", "assumed-role") => Some("names no session: expected assumed-role/ROLE/SESSION"),
        _ => Some("is no role, user, session or account"),
    }
}

/// Why a name cannot stand under `Service`.
pub fn not_a_service(name: &str) -> Option<&'static str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let labels = name.contains('.') && name.split('.').all(|label| !label.is_empty());
    let named = labels && name.bytes().all(letter);
    (!named).then_some("is no service: expected one such as ec2.amazonaws.com")
}

/// An action has a service, or is `*`.
fn actions(statement: &Statement) -> Option<String> {
    let mut listed = statement.actions.as_ref()?.listed.iter();
    let without = listed.find(|action| *action != "*" && !action.contains(':'))?;
    Some(format!(
        "has the action {without}, expected its service before it, as in kms:{without}"
    ))
}

/// The policy with its operators as AWS writes them: what is meant by one in another case is plain, and one finding about it
/// is enough.
pub fn as_meant(policy: &Policy) -> Policy {
    policy.reading_operators(|operator| well_known(operator).map(Cow::into_owned))
}

fn operators(statement: &Statement) -> Option<String> {
    let mut conditions = statement.conditions.iter();
    let unknown = conditions.find(|one| well_known(&one.operator).is_none())?;
    Some(format!(
        "has the operator {}, which AWS does not have",
        unknown.operator
    ))
}

/// An operator as AWS writes it, whatever its case.
fn well_known(operator: &str) -> Option<Cow<'_, str>> {
    if operator == "Null" || Operator::parse(operator).is_some() {
        return Some(operator.into());
    }
    Operator::in_any_case(operator).map(Cow::from)
}
