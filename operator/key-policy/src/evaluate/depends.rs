//! On what an answer depends: what is not known is completed with examples, and the answers are compared.

use super::request::{Decision, Dependence, Request, Unturned};
use super::search::{Both, Search};
use super::trial::Trial;
use super::turns::Turns;
use super::unknowns::{Unknown, unknowns};
use super::verdict::Deciding;

/// Tries what is not known. An answer that no example turns stands, where the examples stand for all values.
pub fn resolve(deciding: &Deciding<'_>, request: &Request<'_>, by: String) -> Decision {
    let unknowns = unknowns(deciding, request);
    let mut search = Search::of(Trial::of(deciding, request, &unknowns), &unknowns);
    let both = search.both();
    if let (Some(allowed), Some(denied)) = (&both.allowed, &both.denied) {
        let on = turned(&unknowns, &search.turning(allowed, denied));
        return Decision::Depends { by, on };
    }
    if both.proven {
        return alike(Trial::of(deciding, request, &unknowns), &unknowns);
    }
    let on = unturned(&unknowns, &both);
    Decision::Depends { by, on }
}

/// Whether it is denied whatever is not known. What that compares is taken from the work that is left.
pub fn is_denied(deciding: &Deciding<'_>, request: &Request<'_>, work_left: &mut usize) -> bool {
    let unknowns = unknowns(deciding, request);
    let trial = Trial::within(*work_left, deciding, request, &unknowns);
    let mut search = Search::of(trial, &unknowns);
    let never = search.is_never_allowed();
    *work_left = search.trial.work_left();
    never
}

/// The answer that all examples have.
fn alike(mut trial: Trial<'_>, unknowns: &[Unknown]) -> Decision {
    for index in 0..unknowns.len() {
        trial.choose(index, Some(0));
    }
    trial.decision()
}

/// What turns the answer, with what turns it, and what may turn it.
fn turned(unknowns: &[Unknown], turns: &[Turns]) -> Vec<Dependence> {
    let each = unknowns.iter().zip(turns);
    let each = each.filter_map(|(unknown, turns)| match *turns {
        Turns::By(allowed, denied) => Some(Dependence {
            key: unknown.name.clone(),
            allowed: Some(unknown.examples[allowed].clone()),
            denied: Some(unknown.examples[denied].clone()),
            unturned: None,
        }),
        Turns::Never => None,
        Turns::NotByExamples => Some(without(unknown, Unturned::NoValueFound)),
        Turns::NotSeen => Some(without(unknown, Unturned::NotTried)),
    });
    each.collect()
}

/// All that may turn the answer, where nothing was seen to.
fn unturned(unknowns: &[Unknown], both: &Both) -> Vec<Dependence> {
    let why = if both.all_tried {
        Unturned::NoValueFound
    } else {
        Unturned::NotTried
    };
    unknowns
        .iter()
        .map(|unknown| without(unknown, why))
        .collect()
}

fn without(unknown: &Unknown, why: Unturned) -> Dependence {
    Dependence {
        key: unknown.name.clone(),
        allowed: None,
        denied: None,
        unturned: Some(why),
    }
}
