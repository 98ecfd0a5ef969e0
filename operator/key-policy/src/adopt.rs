//! Taking over a key whose policy somebody else made: what it admits, and the same policy with the template's statements.

use measurement::{Measurement, Pcr};

use crate::project::{Admitted, DECRYPT, NotOurs, unexpected, values};
use crate::statement::{Condition, Effect, Statement};
use crate::template::{Sid, Template};
use crate::{Policy, deleted, project};

/// What a policy admits for this cluster's enclave role, however else its five statements look.
///
/// Nothing, where statement 3 is missing or for other principals. What can be read in no certain
/// way is a fault: nobody could say whom a change would lock out.
pub fn found(policy: &Policy, template: &Template) -> Result<Admitted, NotOurs> {
    let mut named = policy.statements_named(DECRYPT.into());
    let statement = match (named.next(), named.next()) {
        (None, _) => return Ok(Admitted::default()),
        (Some(one), None) => one,
        (Some(_), Some(_)) => return Err(unexpected("is there twice")),
    };
    if statement.effect != Effect::Allow {
        return Err(unexpected("has the effect Deny, expected Allow"));
    }
    if !names(statement, &template.enclave_role_arn())? {
        return Ok(Admitted::default());
    }
    let plain: Vec<_> = statement.conditions.iter().map(plain).collect();
    let admitted = values(&plain)?;
    let every = admitted.registers.values().chain([&admitted.image_sha384]);
    let wrong = every.flatten().find(|value| Pcr::parse(value).is_err());
    if let Some(value) = wrong {
        return Err(unexpected(format!(
            "admits {value:?}, which is no measurement"
        )));
    }
    Ok(admitted)
}

/// The tuple of an image that a policy admits beside the `known` releases; `None` where its registers are not certain.
pub fn found_tuple(admitted: &Admitted, image: &Pcr, known: &[Measurement]) -> Option<Measurement> {
    let mut tuple = Measurement::image(*image);
    for (index, values) in &admitted.registers {
        let taken: Vec<_> = known
            .iter()
            .filter(|other| {
                admitted
                    .image_sha384
                    .contains(&other.image_sha384.to_string())
            })
            .filter_map(|other| other.register(*index).map(ToString::to_string))
            .collect();
        let own: Vec<_> = values
            .iter()
            .filter(|value| !taken.contains(value))
            .collect();
        // A certificate that both were signed with is there once.
        let value = match (own.as_slice(), values.first()) {
            ([only], _) => only,
            ([], Some(shared)) if values.len() == 1 => shared,
            _ => return None,
        };
        tuple.registers.insert(*index, Pcr::parse(value).ok()?);
    }
    Some(tuple)
}

/// The same policy with the template's statements in place of those of their names; who administers stays as it is,
/// but for principals that were deleted.
pub fn adopt(policy: &Policy, template: &Template, live: &[Measurement]) -> Policy {
    let administrators = policy.statements_named(Sid::AllowKeyAdministrators.into());
    let administered = administrators.count() == 1;
    let stays = |statement: &Statement| {
        let sid = statement.sid.as_deref();
        administered && sid == Some(Sid::AllowKeyAdministrators.into())
    };
    let mut new = template.five_statements(live);
    new.retain(|statement| !stays(statement));
    new.extend(template.pinned_statements(live));
    let goes = |statement: &Statement| project::is_ours(statement) && !stays(statement);
    let adopted = policy.replacing(goes, &new);
    deleted::repaired(&adopted, template)
}

/// Whether a statement is for this principal, others beside it or not.
fn names(statement: &Statement, arn: &str) -> Result<bool, NotOurs> {
    match &statement.principals {
        None => Ok(false),
        Some(principals) if principals.negated => Err(unexpected("names everybody but some")),
        Some(principals) => Ok(principals.listed.values().flatten().any(|name| name == arn)),
    }
}

/// The same comparison as the template writes it: the attestation keys have one value, in lower case.
fn plain(condition: &Condition) -> Condition {
    let operator = condition.operator.as_str();
    let operator = operator
        .split_once(':')
        .map_or(operator, |(_, plain)| plain);
    let equals = ["StringEquals", "StringEqualsIgnoreCase"].contains(&operator);
    let operator = if equals {
        "StringEqualsIgnoreCase"
    } else {
        operator
    };
    Condition {
        operator: operator.to_owned(),
        ..condition.clone()
    }
}
