//! Stories of releases that make no progress: when they have failed, and where there is no way back.

use crate::play::{Play, blocked, release};
use jiff::{SignedDuration, Timestamp};
use rollover::{Action, Plan, Reason, Transition};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn revoke(play: &mut Play, byte: u8) {
    let image = release(byte).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
}

/// Sets the clock to a second before the deadline and to the deadline, and tells what is planned.
fn around(play: &mut Play, deadline: Timestamp) -> (Plan, Plan) {
    play.world.now = deadline - SECOND;
    let before = play.looked();
    play.forget_looks();
    play.world.now = deadline;
    (before, play.looked())
}

fn last_unsealed(play: &Play) -> Timestamp {
    let chambers = play.world.chambers();
    let unsealed = chambers.filter_map(|chamber| chamber.unsealed_since);
    unsealed.max().unwrap()
}

/// The soak time is none that is lost: it does not count as time without progress.
#[test]
fn a_release_fails_at_the_deadline_and_in_verify_the_soak_time_comes_before_it() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.rejected = Some(2.0);
    play.until("Verify: waits, AttestationRejected");
    let spec = &play.world.spec;
    let deadline = last_unsealed(&play) + spec.soak_time + spec.progress_deadline;
    let (before, at) = around(&mut play, deadline);
    assert!(
        matches!(&before, Plan::Wait { until, .. } if *until <= Some(deadline)),
        "{before:?}"
    );
    assert!(
        matches!(
            &at,
            Plan::Act {
                action: Action::Transition(Transition::Failed { back: true, .. }),
                ..
            }
        ),
        "{at:?}"
    );
}

#[test]
fn a_release_that_fails_does_not_return_to_one_that_was_revoked() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    revoke(&mut play, 1);
    play.run(300);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::ReleaseFailed, "{}", play.story);
    assert!(
        message.contains("Release v1 was revoked, or runs nowhere"),
        "{message}"
    );
    assert!(!play.story.contains("turns back"), "{}", play.story);
}

/// A release before that nothing but status names is no way back, either.
#[test]
fn a_release_that_fails_does_not_return_to_one_that_status_alone_names() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.from = Some(release(9));
    play.world.now += play.world.spec.progress_deadline;
    let next = play.looked();
    let Plan::Block { obstacle, .. } = &next else {
        panic!("{next:?}");
    };
    assert_eq!(obstacle.reason(), Reason::ReleaseFailed);
    let message = obstacle.to_string();
    assert!(message.contains("Release v9"), "{message}");
}

/// A return that the spec asks for is a rollover like any other: only one that nobody asked for is not left again.
#[test]
fn a_return_that_the_spec_names_fails_like_any_release() {
    let mut play = Play::rolling("v1 2->1, v2 1->2");
    play.scene("the user wants v1 again, and it is broken", |play| {
        play.broken = vec!["v1"];
        play.world.spec.release = release(1);
    });
    play.until("waiting for signer-v1-6; turns back to the release before");
    play.until("the rollover is complete");
    assert_eq!(play.world.set("v2").unwrap().unsealed(), 3);
}
