//! Condition operators (IAM user guide, "Condition operators" and "Multivalued context keys").

use super::compare::{self, Compare};
use super::context::{Context, is_attestation};
use super::fact::Fact;
use super::operations;
use super::pattern::{Pattern, Resolved, has_variable};
use super::truth::Truth;
use super::wanted::Wanted;
use crate::Policy;
use crate::statement::{Condition, Effect};

/// What is taken for a key that is not known.
pub struct Chosen<'a> {
    /// In whatever case.
    pub key: &'a str,
    /// Its values, with none it is absent; `None` where nothing is taken for it.
    pub values: Option<&'a [String]>,
}

/// What conditions are compared with.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    context: &'a Context,
    /// What counts before the context.
    chosen: &'a [Chosen<'a>],
    /// Whether the request can carry an attestation: where it cannot, its keys are absent.
    attests: bool,
    /// Whether `${...}` is a variable: not in the first version of the language.
    variables: bool,
}

impl<'a> Facts<'a> {
    /// For the statements of this policy.
    pub fn of(policy: &Policy, action: &str, context: &'a Context) -> Self {
        Self {
            context,
            chosen: &[],
            attests: operations::attests(action),
            variables: policy.version() != "2008-10-17",
        }
    }

    /// The same where something is taken for keys that are not known.
    pub fn with<'b>(self, chosen: &'b [Chosen<'b>]) -> Facts<'b>
    where
        'a: 'b,
    {
        Facts { chosen, ..self }
    }

    /// What is known of a key, in whatever case.
    pub fn fact(&self, key: &str) -> Fact<'a> {
        if !self.attests && is_attestation(key) {
            return Fact::ABSENT;
        }
        let mut chosen = self.chosen.iter();
        let chosen = chosen.find(|one| one.key.eq_ignore_ascii_case(key));
        match chosen.and_then(|one| one.values) {
            Some(values) => Fact::Values(values.into()),
            None => self.context.fact(key),
        }
    }

    /// Whether `${...}` is a variable.
    pub fn has_variables(&self) -> bool {
        self.variables
    }

    /// A value of a policy with its variables replaced.
    pub fn wanted<'t>(&self, text: &'t str) -> Resolved<Wanted<'t>> {
        if !self.variables || !has_variable(text) {
            return Resolved::Known(Wanted::Plain(text));
        }
        match Pattern::with_variables(text, |key| self.fact(key)) {
            Resolved::Known(pattern) => Resolved::Known(Wanted::Replaced(pattern)),
            Resolved::Missing => Resolved::Missing,
            Resolved::Unknown => Resolved::Unknown,
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

/// A condition's operator, taken apart.
pub struct Operator<'a> {
    quantifier: Quantifier,
    if_exists: bool,
    /// Without both.
    pub name: &'a str,
    compare: Compare,
    negated: bool,
}

impl<'a> Operator<'a> {
    /// `None` for `Null`, and where AWS has no such operator.
    pub fn parse(operator: &'a str) -> Option<Self> {
        let (quantifier, rest) = quantifier(operator);
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (compare, negated) = compare::operator(name)?;
        Some(Self {
            quantifier,
            if_exists,
            name,
            compare,
            negated,
        })
    }

    /// An operator in AWS's spelling, whatever the case in which it is written.
    pub fn in_any_case(operator: &str) -> Option<String> {
        let spellings = ["", "ForAnyValue:", "ForAllValues:"]
            .into_iter()
            .flat_map(|quantifier| {
                compare::OPERATORS.into_iter().flat_map(move |name| {
                    ["", "IfExists"].map(|suffix| format!("{quantifier}{name}{suffix}"))
                })
            });
        let mut known = spellings.chain(["Null".to_owned()]);
        known.find(|known| known.eq_ignore_ascii_case(operator))
    }

    /// Whether it compares a key with several values.
    pub fn is_of_sets(&self) -> bool {
        self.quantifier != Quantifier::None
    }

    /// How it compares, whether or not it negates that.
    pub fn compare(&self) -> Compare {
        self.compare
    }

    /// Whether it holds for an absent key.
    pub fn holds_for_absent(&self) -> bool {
        match self.quantifier {
            Quantifier::None => self.negated || self.if_exists,
            Quantifier::Any => self.if_exists,
            Quantifier::All => true,
        }
    }
}

/// Whether a condition holds. One that is not understood never gives: it fails in an Allow and holds in a Deny.
pub fn holds(condition: &Condition, facts: Facts<'_>, effect: Effect) -> Truth {
    let not_understood = Truth::from(effect == Effect::Deny);
    // IAM's policy validator says of an empty list both that it holds and that it gives nothing.
    if condition.values.is_empty() {
        return not_understood;
    }
    let fact = facts.fact(&condition.key);
    if condition.operator == "Null" {
        return null(&condition.values, &fact).unwrap_or(not_understood);
    }
    let Some(operator) = Operator::parse(&condition.operator) else {
        return not_understood;
    };
    let found = match fact {
        Fact::Values(found) if found.is_empty() => {
            return Truth::from(operator.holds_for_absent());
        }
        Fact::Values(found) => found,
        Fact::Present | Fact::Unknown => return Truth::Unknown,
    };
    let matches = |value: &String| {
        match any(value, &condition.values, operator.compare, facts) {
            Compared::Is(matched) if operator.negated => matched.negated(),
            Compared::Is(matched) => matched,
            // What cannot be compared does not match, and must not give by not matching either.
            Compared::Incomparable if operator.negated => not_understood,
            Compared::Incomparable => Truth::No,
        }
    };
    match operator.quantifier {
        Quantifier::All => Truth::all(found.iter().map(matches)),
        Quantifier::None | Quantifier::Any => Truth::any(found.iter().map(matches)),
    }
}

/// Whether a value of its key, or none, keeps a condition from holding that may hold or not. `false` proves nothing.
pub fn may_fail(condition: &Condition, facts: Facts<'_>) -> bool {
    let may_be_absent = facts.fact(&condition.key) == Fact::Unknown;
    let Some(operator) = Operator::parse(&condition.operator) else {
        // It asks whether the key is there.
        return may_be_absent;
    };
    if may_be_absent && !operator.holds_for_absent() {
        return true;
    }
    // What the policy names matches, and so fails where that is negated.
    let mut values = condition.values.iter();
    match operator.name {
        name if name.starts_with("StringNot") => values.any(|value| !has_variable(value)),
        "NotIpAddress" => values.any(|value| compare::network(value).is_some()),
        _ => false,
    }
}

/// `"true"` asks for an absent key, `"false"` for a present one; anything else asks for nothing.
fn null(wanted: &[String], fact: &Fact<'_>) -> Option<Truth> {
    let (mut absent, mut present) = (false, false);
    for wanted in wanted {
        match wanted {
            wanted if wanted.eq_ignore_ascii_case("true") => absent = true,
            wanted if wanted.eq_ignore_ascii_case("false") => present = true,
            _ => return None,
        }
    }
    Some(match fact {
        Fact::Values(values) if values.is_empty() => Truth::from(absent),
        Fact::Values(_) | Fact::Present => Truth::from(present),
        Fact::Unknown if absent && present => Truth::Yes,
        Fact::Unknown => Truth::Unknown,
    })
}

/// How a value of the request compares with those of the policy.
enum Compared {
    /// Whether one of them matches.
    Is(Truth),
    /// None matched, and one could not be compared.
    Incomparable,
}

/// Several values of a policy are alternatives.
fn any(value: &str, wanted: &[String], compare: Compare, facts: Facts<'_>) -> Compared {
    let mut compared = Compared::Is(Truth::No);
    for wanted in wanted {
        let one = match facts.wanted(wanted) {
            Resolved::Known(wanted) => compare(value, &wanted).map(Truth::from),
            Resolved::Missing => None,
            Resolved::Unknown => Some(Truth::Unknown),
        };
        compared = match (one, compared) {
            (Some(Truth::Yes), _) => return Compared::Is(Truth::Yes),
            (Some(Truth::Unknown), _) | (None, Compared::Is(Truth::Unknown)) => {
                Compared::Is(Truth::Unknown)
            }
            (Some(Truth::No), compared) => compared,
            (None, _) => Compared::Incomparable,
        };
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
