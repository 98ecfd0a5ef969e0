//! Deny statements of others that would keep a release from decrypting.

use measurement::Measurement;

use crate::Policy;
use crate::access::enclave;
use crate::evaluate::{Context, Truth, applies, needed, unknown_keys};
use crate::pinned::is_pinned;
use crate::statement::{Effect, Statement};
use crate::template::Template;

/// Why a release might not decrypt although statement 3 admits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It surely is denied, or told from the current release.
    Certain {
        /// The Deny: its Sid, or `#index`; several that only together surely hold, joined by "and".
        by: String,
    },
    /// It may be denied.
    Depends {
        /// The Deny.
        by: String,
        /// The condition keys that decide and are not known.
        on: Vec<String>,
    },
}

/// The first Deny that stops the enclave role's Decrypt with `target`, that tells it from `current`, or that may stop
/// it: by condition keys that are not known (a VPC endpoint, say), and registers that the measurement does not name. Of
/// several that may, each with the other's complement, one stops it surely.
///
/// The template's own Deny is no exception: with an attestation it does not hold, unless somebody changed it.
pub fn foreign_deny(
    policy: &Policy,
    template: &Template,
    target: &Measurement,
    current: Option<&Measurement>,
) -> Option<Denial> {
    let enclave = enclave(template);
    let resource = template.resource();
    let known = enclave.context(template);
    let of = |measurement: &Measurement| known.clone().attesting(measurement);
    let (of_target, of_current) = (of(target), current.map(of));
    let denies = |statement: &Statement, context: &Context| {
        applies(policy, statement, &enclave.request(&resource, context))
    };
    let stops = |(index, statement): (usize, &Statement)| {
        let by = statement.name(index);
        match denies(statement, &of_target) {
            Truth::No => None,
            Truth::Yes => Some(Denial::Certain { by }),
            Truth::Unknown => {
                let spares = |context| denies(statement, context) == Truth::No;
                if of_current.as_ref().is_some_and(spares) {
                    return Some(Denial::Certain { by });
                }
                let on = unknown_keys(policy, statement, &enclave.request(&resource, &of_target));
                Some(Denial::Depends { by, on })
            }
        }
    };
    // Those of the profile Pinned follow the live measurements, in the write that admits the target.
    let foreign = |statement: &Statement| statement.effect == Effect::Deny && !is_pinned(statement);
    let statements = policy.statements().iter().enumerate();
    let foreign: Vec<_> = statements.filter(|(_, one)| foreign(one)).collect();
    let found: Vec<_> = foreign.iter().copied().filter_map(stops).collect();
    let certain = |denial: &&Denial| matches!(denial, Denial::Certain { .. });
    let certain = found.iter().find(certain);
    let together = || {
        let denies: Vec<_> = foreign.iter().map(|(_, statement)| *statement).collect();
        let request = enclave.request(&resource, &of_target);
        let needed = needed(policy, &denies, &request).into_iter();
        let names = needed.filter_map(|at| foreign.get(at).map(|(index, one)| one.name(*index)));
        let names: Vec<_> = names.collect();
        let by = names.join(" and ");
        (!names.is_empty()).then_some(Denial::Certain { by })
    };
    certain
        .cloned()
        .or_else(together)
        .or(found.first().cloned())
}
