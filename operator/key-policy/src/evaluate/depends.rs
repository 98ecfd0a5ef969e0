//! On what an answer depends: what is not known is completed with examples, and the answers are compared.

use std::collections::BTreeMap;

use super::request::{Decision, Dependence, Identity, Request};
use super::statements::KEY_ARN;
use super::unknowns::{IAM, SESSION, Unknown, unknowns};
use super::verdict::{Asked, Verdict, everything};

/// Requests that are tried at most.
const MOST: usize = 1024;

/// Tries what is not known. An answer that no example turns stands, where the examples stand for all values.
pub fn resolve(asked: &Asked<'_>, request: &Request<'_>, by: String) -> Decision {
    let unknowns = unknowns(asked, request);
    let (tried, all) = completions(&unknowns);
    let answers: Vec<_> = tried
        .iter()
        .map(|choice| complete(asked, request, &unknowns, choice))
        .collect();
    let exhausted = all && unknowns.iter().all(|unknown| unknown.exhausted);
    let first = answers.first();
    let alike =
        |answer: &Decision| first.is_some_and(|first| first.is_allowed() == answer.is_allowed());
    match first {
        Some(first) if exhausted && answers.iter().all(alike) => first.clone(),
        _ => Decision::Depends {
            by,
            on: dependences(&unknowns, &tried, &answers),
        },
    }
}

/// The keys that turn the answer, with what turns it; all of them where none was seen to.
fn dependences(
    unknowns: &[Unknown],
    tried: &[Vec<usize>],
    answers: &[Decision],
) -> Vec<Dependence> {
    let answer: BTreeMap<_, _> = tried.iter().zip(answers).collect();
    let turning = |index: usize| {
        let unknown = unknowns.get(index)?;
        tried
            .iter()
            .rev()
            .filter(|one| answer[one].is_allowed())
            .find_map(|allowed| {
                let mut denied = allowed.clone();
                // The last example is the plainest: an absent key.
                let mut others = (0..unknown.examples.len()).rev();
                let other = others.find(|other| {
                    denied[index] = *other;
                    answer.get(&denied).is_some_and(|answer| answer.is_denied())
                })?;
                Some((
                    unknown.examples[allowed[index]].clone(),
                    unknown.examples[other].clone(),
                ))
            })
    };
    let of = |index: usize, turns: Option<(Vec<String>, Vec<String>)>| {
        let (allowed, denied) = turns.unzip();
        Dependence {
            key: unknowns[index].name.clone(),
            allowed,
            denied,
        }
    };
    let every = 0..unknowns.len();
    let seen: Vec<_> = every
        .clone()
        .filter_map(|index| Some(of(index, Some(turning(index)?))))
        .collect();
    if seen.is_empty() {
        // Nobody was seen to ask IAM.
        let keys = every.filter(|index| unknowns[*index].name != IAM);
        return keys.map(|index| of(index, None)).collect();
    }
    seen
}

/// Choices of one example each, and whether they are all that there are. Where there are too many, the first example
/// and the last are tried of each: a value of the policy, and none.
fn completions(unknowns: &[Unknown]) -> (Vec<Vec<usize>>, bool) {
    let counts = unknowns.iter().map(|unknown| unknown.examples.len());
    let product = counts.clone().try_fold(1, usize::checked_mul);
    let all = product.is_some_and(|product| product <= MOST);
    let mut choices = vec![Vec::new()];
    for count in counts {
        let last = count.saturating_sub(1);
        let some: Vec<_> = match all {
            true => (0..count).collect(),
            false if choices.len() <= MOST / 2 && last > 0 => vec![0, last],
            false => vec![0],
        };
        let with = |choice: &Vec<usize>, one: usize| [choice.as_slice(), &[one]].concat();
        choices = choices
            .iter()
            .flat_map(|choice| some.iter().map(move |one| with(choice, *one)))
            .collect();
    }
    (choices, all)
}

/// The answer once everything is known.
fn complete(
    asked: &Asked<'_>,
    request: &Request<'_>,
    unknowns: &[Unknown],
    choice: &[usize],
) -> Decision {
    let mut context = request.context.closed();
    let mut resource = request.resource.to_owned();
    let mut identity = asked.identity;
    let mut principal = request.principal.clone();
    for (unknown, choice) in unknowns.iter().zip(choice) {
        let values = &unknown.examples[*choice];
        match unknown.name.as_str() {
            KEY_ARN => resource.clone_from(&values.concat()),
            SESSION => principal.arn = principal.arn.replace('*', &values.concat()),
            IAM => {
                let policies = if values.is_empty() { &[] } else { everything() };
                identity = Identity::Policies(policies);
            }
            key => context.set(key, values.clone()),
        }
    }
    let request = Request {
        principal: &principal,
        resource: &resource,
        context: &context,
        ..*request
    };
    match (Asked { identity, ..*asked }).verdict(&request) {
        Verdict::Decided(decision) => decision,
        // Nothing is left that is not known.
        Verdict::Open { by } => Decision::Depends { by, on: Vec::new() },
    }
}
