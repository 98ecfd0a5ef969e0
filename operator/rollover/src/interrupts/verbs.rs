//! What a person asks for once: abort, retry, revoke and unrevoke. Each asking is answered once, in every state.

use measurement::Pcr;

use crate::tags::MOST_REVOKED;
use crate::{Action, Answer, Failure, Plan, Step, Transition, Verb, World};

/// Answers the first verb that was not answered yet.
pub fn next(world: &World) -> Option<Plan> {
    let (asked, handled) = (&world.spec.verbs, &world.record.handled);
    let new = |asked: &Option<String>, handled: &Option<String>| {
        asked
            .clone()
            .filter(|token| Some(token) != handled.as_ref())
    };
    let (verb, token, answer) = if let Some(token) = new(&asked.revoke, &handled.revoke) {
        (Verb::Revoke, token.clone(), revoke(world, &token))
    } else if let Some(token) = new(&asked.unrevoke, &handled.unrevoke) {
        (Verb::Unrevoke, token.clone(), unrevoke(world, &token))
    } else if let Some(token) = new(&asked.abort, &handled.abort) {
        (Verb::Abort, token, abort(world))
    } else {
        (
            Verb::Retry,
            new(&asked.retry, &handled.retry)?,
            retry(world),
        )
    };
    let step = world
        .record
        .rollover
        .as_ref()
        .map_or(Step::Settled, Step::of);
    let note = Transition::Answered {
        verb,
        token,
        answer,
    };
    Some(Plan::act(step, Action::Transition(note)))
}

/// Back to the release before, as long as there is a way back.
fn abort(world: &World) -> Answer {
    let Some(rollover) = &world.record.rollover else {
        return refused("no rollover is in flight. Change spec.release to run another release");
    };
    let Some(from) = &rollover.from else {
        return refused("the first start has no release to return to. Change spec.release");
    };
    if rollover.retires() {
        return refused(
            "Retire has begun, so the only way is forward. Change spec.release to the release before, it is rolled out when this rollover has ended",
        );
    }
    if rollover.to.revision != world.spec.release.revision {
        return Answer::Refused(format!("release {} is being left already", from.revision));
    }
    if world.revoked(&from.measurement.image_sha384) {
        return Answer::Refused(format!(
            "release {} was revoked, so there is no way back to it: change spec.release",
            from.revision
        ));
    }
    Answer::Aborted(Failure {
        revision: rollover.to.revision.clone(),
        why: "it was aborted".to_owned(),
    })
}

fn retry(world: &World) -> Answer {
    let flips = world.record.any_flips(world.now);
    if world.record.failure.is_some() || flips {
        return Answer::Retried;
    }
    refused("nothing has failed")
}

/// Every line that was not answered before; one that is no `<imageSha384> <why>` refuses all of them.
fn revoke(world: &World, text: &str) -> Answer {
    let asked = match lines(Verb::Revoke, text) {
        Ok(asked) => asked,
        Err(why) => return Answer::Refused(why),
    };
    let known = &world.record.revoked;
    let new: Vec<_> = asked
        .into_iter()
        .filter(|(image, _)| !known.contains(image))
        .collect();
    match new.as_slice() {
        [] => refused("it was revoked before"),
        new if known.len() + new.len() > MOST_REVOKED => Answer::Refused(format!(
            "a key's tags hold {MOST_REVOKED} revoked images at most, and {} are there: give up one that nobody can sign any more (kubectl chamber unrevoke)",
            known.len()
        )),
        _ => Answer::Revoked(new),
    }
}

fn unrevoke(world: &World, text: &str) -> Answer {
    let asked = match lines(Verb::Unrevoke, text) {
        Ok(asked) => asked,
        Err(why) => return Answer::Refused(why),
    };
    let again = asked
        .iter()
        .find(|(image, _)| world.spec.verbs.asks_to_revoke(image));
    if let Some((image, _)) = again {
        return Answer::Refused(format!(
            "the annotation chamber.dev/revoke still names {image}: remove its line there"
        ));
    }
    let known = |image: &Pcr| world.record.revoked.contains(image) || world.bars(image).is_some();
    if asked.iter().any(|(image, _)| known(image)) {
        return Answer::Unrevoked(asked);
    }
    refused("it was not revoked")
}

/// Lines of `<imageSha384> <why>`: both are needed.
fn lines(verb: Verb, text: &str) -> Result<Vec<(Pcr, String)>, String> {
    let name = verb.to_string().to_lowercase();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let asked: Vec<_> = lines
        .map(|line| {
            let (image, why) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let why = why.trim();
            match Pcr::parse(image) {
                Err(fault) => Err(format!(
                    "the annotation chamber.dev/{name} names no ImageSha384 ({fault}), expected `<imageSha384> <why>`"
                )),
                Ok(_) if why.is_empty() => Err(format!(
                    "the annotation chamber.dev/{name} gives no reason, expected `<imageSha384> <why>`"
                )),
                Ok(image) => Ok((image, why.to_owned())),
            }
        })
        .collect::<Result<_, _>>()?;
    if asked.is_empty() {
        return Err(format!(
            "the annotation chamber.dev/{name} is empty, expected `<imageSha384> <why>`"
        ));
    }
    Ok(asked)
}

fn refused(why: &str) -> Answer {
    Answer::Refused(why.to_owned())
}
