//! Deny statements of which each depends on what is not known, and which together hold whatever that is.

use super::candidates::{Candidate, Of, candidate, candidates};
use super::condition;
use super::depends;
use super::request::Request;
use super::truth::Truth;
use super::verdict::{Deciding, Verdict, everything};
use crate::Policy;
use crate::statement::{Effect, Statement};

/// Whether one or another of these Deny statements surely applies to a request.
pub(crate) fn one_applies(policy: &Policy, denies: &[&Statement], request: &Request<'_>) -> bool {
    let denies = denies.iter().enumerate();
    let may = denies.filter_map(|(index, one)| candidate(policy, (index, one), request, Of::Key));
    // One that names a single session keeps no other from anything.
    let surely = may.filter(|one| one.named.at_all() == Truth::Yes);
    let mut may: Vec<_> = surely.collect();
    // Mostly it is plain that they have nothing to do with each other.
    if all_may_fail(&may) {
        return false;
    }
    // What a Deny can take something from.
    let all = everything().iter();
    may.extend(all.flat_map(|one| candidates(one, request, Effect::Allow, Of::Iam)));
    let deciding = Deciding::of_statements(may);
    match deciding.verdict() {
        Verdict::Decided(decision) => decision.is_denied(),
        Verdict::Open { .. } => depends::is_denied(&deciding, request),
    }
}

/// The places of those of these Deny statements of which one or another surely applies, without any that can be left out;
/// none where that is not so.
pub(crate) fn needed(policy: &Policy, denies: &[&Statement], request: &Request<'_>) -> Vec<usize> {
    let hold = |places: &[usize]| {
        let denies = places.iter().filter_map(|at| denies.get(*at).copied());
        let denies: Vec<_> = denies.collect();
        one_applies(policy, &denies, request)
    };
    let mut places: Vec<_> = (0..denies.len()).collect();
    if !hold(&places) {
        return Vec::new();
    }
    for place in 0..denies.len() {
        let without: Vec<_> = places.iter().copied().filter(|at| *at != place).collect();
        if hold(&without) {
            places = without;
        }
    }
    places
}

/// Whether values of different keys keep each of them from applying: then there is nothing to search for.
fn all_may_fail(denies: &[Candidate<'_>]) -> bool {
    let mut taken: Vec<&str> = Vec::with_capacity(denies.len());
    denies.iter().all(|one| {
        let free = |key: &str| !taken.iter().any(|taken| taken.eq_ignore_ascii_case(key));
        let fails = one
            .open
            .iter()
            .find(|condition| free(&condition.key) && condition::may_fail(condition, one.facts));
        taken.extend(fails.map(|condition| condition.key.as_str()));
        fails.is_some()
    })
}
