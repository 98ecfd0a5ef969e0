//! Deny statements of which each depends on what is not known, and which together hold whatever that is.

use super::candidates::{Candidate, Of, candidate, candidates};
use super::condition;
use super::depends;
use super::request::Request;
use super::trial::MOST_WORK;
use super::truth::Truth;
use super::verdict::{Deciding, Verdict, everything};
use crate::Policy;
use crate::statement::{Effect, Statement};

/// Whether one or another of these Deny statements surely applies to a request.
pub(crate) fn one_applies(policy: &Policy, denies: &[&Statement], request: &Request<'_>) -> bool {
    one_applies_within(&mut { MOST_WORK }, policy, denies, request)
}

/// The same with so much work, from which it takes its own.
fn one_applies_within(
    work_left: &mut usize,
    policy: &Policy,
    denies: &[&Statement],
    request: &Request<'_>,
) -> bool {
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
        Verdict::Open { .. } => depends::is_denied(&deciding, request, work_left),
    }
}

/// The places of those of these Deny statements of which one or another surely applies, without any that can be left out;
/// none where that is not so. All that is asked costs as much as one question may: what is not asked any more stays.
pub(crate) fn needed(policy: &Policy, denies: &[&Statement], request: &Request<'_>) -> Vec<usize> {
    needed_within(MOST_WORK, policy, denies, request)
}

fn needed_within(
    mut work_left: usize,
    policy: &Policy,
    denies: &[&Statement],
    request: &Request<'_>,
) -> Vec<usize> {
    let mut hold = |places: &[usize]| {
        let denies = places.iter().filter_map(|at| denies.get(*at).copied());
        let denies: Vec<_> = denies.collect();
        one_applies_within(&mut work_left, policy, &denies, request)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Context, Principal};

    /// Complements of one key, with one beside them that has no part in it.
    const DENIES: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}},
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}}]}"#;

    /// All questions together have the work of one.
    #[test]
    fn what_there_is_no_work_left_for_is_not_left_out() {
        let policy = Policy::parse(DENIES).unwrap();
        let denies: Vec<_> = policy.statements().iter().collect();
        let anybody = Principal::service("anybody");
        let context = Context::open();
        let request = Request {
            principal: &anybody,
            action: "kms:Decrypt",
            resource: "arn:aws:kms:us-east-1:111122223333:key/k",
            context: &context,
        };
        let needed = |work| needed_within(work, &policy, &denies, &request);
        assert_eq!(needed(MOST_WORK), [1, 2]);
        let applies = |work: &mut usize| one_applies_within(work, &policy, &denies, &request);
        let enough = (0..MOST_WORK).find(|work| applies(&mut { *work }));
        let enough = enough.unwrap();
        assert!(enough > 0);
        assert!(needed(enough - 1).is_empty());
        assert_eq!(needed(enough), [0, 1, 2]);
        let mut left = MOST_WORK;
        assert!(applies(&mut left) && left < MOST_WORK);
    }
}
