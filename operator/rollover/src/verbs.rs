//! What a person asks for once: abort, retry, revoke. Each asking is answered once, in every state.

use measurement::Pcr;

use crate::{Action, Answer, Failure, Note, Plan, Step, Verb, World};

/// Answers the first verb that was not answered yet.
pub fn next(world: &World) -> Option<Plan> {
    let (asked, handled) = (&world.spec.verbs, &world.record.handled);
    let each = [
        (Verb::Revoke, &asked.revoke, &handled.revoke),
        (Verb::Abort, &asked.abort, &handled.abort),
        (Verb::Retry, &asked.retry, &handled.retry),
    ];
    let (verb, token) = each.into_iter().find_map(|(verb, asked, handled)| {
        let token = asked.as_ref()?;
        (Some(token) != handled.as_ref()).then_some((verb, token))
    })?;
    let answer = match verb {
        Verb::Abort => abort(world),
        Verb::Retry => retry(world),
        Verb::Revoke => revoke(world, token),
    };
    let step = world
        .record
        .rollover
        .as_ref()
        .map_or(Step::Settled, Step::of);
    let note = Note::Answered {
        verb,
        token: token.clone(),
        answer,
    };
    Some(Plan::act(step, Action::Note(note)))
}

/// Back to the release before, as long as there is a way back.
fn abort(world: &World) -> Answer {
    let Some(rollover) = &world.record.rollover else {
        return refused("no rollover is in flight: change spec.release to run another release");
    };
    let Some(from) = &rollover.from else {
        return refused("the first start has no release to return to: change spec.release");
    };
    if rollover.retires() {
        return refused(
            "Retire has begun, so the only way is forward: change spec.release to the release before, it is rolled out when this rollover has ended",
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
    let flips = world.record.policies_flip(world.now);
    if world.record.failure.is_some() || flips {
        return Answer::Retried;
    }
    refused("nothing has failed")
}

/// `<imageSha384> <why>`: both are needed.
fn revoke(world: &World, text: &str) -> Answer {
    let (image, why) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text, ""));
    let why = why.trim();
    match Pcr::parse(image) {
        Err(fault) => Answer::Refused(format!(
            "the annotation chamber.dev/revoke names no ImageSha384 ({fault}), expected `<imageSha384> <why>`"
        )),
        Ok(_) if why.is_empty() => refused(
            "the annotation chamber.dev/revoke gives no reason, expected `<imageSha384> <why>`",
        ),
        Ok(image) if world.record.revoked.contains(&image) => refused("it was revoked before"),
        Ok(image) => Answer::Revoked {
            image,
            why: why.to_owned(),
        },
    }
}

fn refused(why: &str) -> Answer {
    Answer::Refused(why.to_owned())
}
