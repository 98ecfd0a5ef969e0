//! Condition operators (IAM user guide, "Condition operators" and "Multivalued context keys").

use std::collections::BTreeMap;

use super::compare::{self, Compare};
use super::pattern::Pattern;
use crate::Policy;
use crate::statement::{Condition, Effect};

/// What conditions are compared with.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The request's keys in lower case, with their values.
    context: &'a BTreeMap<String, Vec<String>>,
    /// Whether `${...}` is a variable: not in the first version of the language.
    variables: bool,
}

impl<'a> Facts<'a> {
    /// For the statements of this policy.
    pub fn of(policy: &Policy, context: &'a BTreeMap<String, Vec<String>>) -> Self {
        Self {
            context,
            variables: policy.version() != "2008-10-17",
        }
    }

    /// A pattern with its variables replaced; `None` where the request lacks one.
    pub fn pattern(&self, text: &str) -> Option<Pattern> {
        if self.variables {
            Pattern::with_variables(text, self.context)
        } else {
            Some(Pattern::plain(text))
        }
    }
}

/// Prefix for keys with several values.
#[derive(Clone, Copy, PartialEq)]
enum Quantifier {
    /// A scalar key.
    None,
    /// At least one value of the request matches; false where the key is absent.
    Any,
    /// Every value of the request matches; true where the key is absent.
    All,
}

/// Whether a condition holds. One that is not understood never gives: it fails in an Allow and holds in a Deny.
pub fn holds(condition: &Condition, facts: Facts<'_>, effect: Effect) -> bool {
    let found = facts
        .context
        .get(&condition.key.to_ascii_lowercase())
        .filter(|values| !values.is_empty());
    let not_understood = effect == Effect::Deny;
    // IAM's policy validator says of an empty list both that it holds and that it gives nothing.
    if condition.values.is_empty() {
        return not_understood;
    }
    if condition.operator == "Null" {
        return null(&condition.values, found.is_none()).unwrap_or(not_understood);
    }
    let (quantifier, rest) = quantifier(&condition.operator);
    let (operator, if_exists) = match rest.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (rest, false),
    };
    let Some((compare, negated)) = compare::operator(operator) else {
        return not_understood;
    };
    let Some(found) = found else {
        return match quantifier {
            Quantifier::None => negated || if_exists,
            Quantifier::Any => if_exists,
            Quantifier::All => true,
        };
    };
    let matches = |value: &String| {
        let one = any(value, &condition.values, compare, facts);
        match (one, negated) {
            (Some(matched), negated) => matched != negated,
            // What cannot be compared does not match, and must not give by not matching either.
            (None, false) => false,
            (None, true) => not_understood,
        }
    };
    match quantifier {
        Quantifier::All => found.iter().all(matches),
        Quantifier::None | Quantifier::Any => found.iter().any(matches),
    }
}

/// `"true"` asks for an absent key, `"false"` for a present one; anything else asks for nothing.
fn null(wanted: &[String], absent: bool) -> Option<bool> {
    let wanted = wanted.iter().map(|wanted| match wanted {
        wanted if wanted.eq_ignore_ascii_case("true") => Some(true),
        wanted if wanted.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    });
    let wanted: Option<Vec<bool>> = wanted.collect();
    Some(wanted?.contains(&absent))
}

/// Several values of a policy are alternatives. `None`: none matched, and one could not be compared.
fn any(value: &str, wanted: &[String], compare: Compare, facts: Facts<'_>) -> Option<bool> {
    let mut compared = Some(false);
    for wanted in wanted {
        let one = facts
            .pattern(wanted)
            .and_then(|wanted| compare(value, &wanted));
        match one {
            Some(true) => return Some(true),
            Some(false) => {}
            None => compared = None,
        }
    }
    compared
}

fn quantifier(operator: &str) -> (Quantifier, &str) {
    if let Some(rest) = operator.strip_prefix("ForAnyValue:") {
        (Quantifier::Any, rest)
    } else if let Some(rest) = operator.strip_prefix("ForAllValues:") {
        (Quantifier::All, rest)
    } else {
        (Quantifier::None, operator)
    }
}
