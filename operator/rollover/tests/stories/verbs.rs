//! What a person asks for: the bounds of a revocation, what gives it up, and what it leaves on a key that is taken over.

use crate::play::{Play, release};
use measurement::Pcr;
use rollover::{Action, Answer, PersistedState, Plan, Transition, plan, tags};

/// The answer to the verb that is asked for.
#[track_caller]
fn answer(play: &Play) -> Answer {
    match plan(&play.world) {
        Plan::Act {
            action: Action::Transition(Transition::Answered { answer, .. }),
            ..
        } => answer,
        other => panic!("{other:?}"),
    }
}

fn line(byte: u8) -> String {
    let image = release(byte).measurement.image_sha384;
    format!("{image} it leaked")
}

/// So many other images were revoked before.
fn revoked_before(count: u8) -> Vec<Pcr> {
    let images = (100..).take(usize::from(count));
    images.map(|byte| Pcr::from_bytes([byte; 48])).collect()
}

#[test]
fn as_many_images_are_revoked_as_a_key_s_tags_hold() {
    let mut play = Play::settled();
    play.world.spec.verbs.revoke = Some(line(8));
    let most = u8::try_from(tags::MOST_REVOKED).unwrap();
    play.world.record.revoked = revoked_before(most - 1);
    assert!(matches!(answer(&play), Answer::Revoked(images) if images.len() == 1));
    for (before, text) in [
        (most, line(8)),
        (most - 1, format!("{}\n{}", line(8), line(9))),
    ] {
        play.world.record.revoked = revoked_before(before);
        play.world.spec.verbs.revoke = Some(text);
        let answer = answer(&play);
        let Answer::Refused(why) = answer else {
            panic!("{answer:?}");
        };
        assert!(why.contains(&format!("{before} are there")), "{why}");
    }
}

#[test]
fn what_was_revoked_before_is_not_revoked_again() {
    let mut play = Play::settled();
    play.world.spec.verbs.revoke = Some(line(9));
    play.run(20);
    play.world.spec.verbs.revoke = Some(format!("{}, says somebody else", line(9)));
    assert_eq!(
        answer(&play),
        Answer::Refused("it was revoked before".into())
    );
}

/// After a lost status the tags alone know of a revocation; where a key takes no tag, status alone.
#[test]
fn a_revocation_that_status_or_a_key_alone_knows_can_be_given_up() {
    let image = release(9).measurement.image_sha384;
    let mut play = Play::settled();
    play.world.spec.verbs.unrevoke = Some(line(9));
    assert_eq!(answer(&play), Answer::Refused("it was not revoked".into()));
    play.world.record.revoked = vec![image];
    assert!(matches!(answer(&play), Answer::Unrevoked(_)));
    play.world.record.revoked.clear();
    for (name, value) in tags::revoked_pages(&[tags::prefix(&image)]) {
        play.set_tag(1, &name, &value);
    }
    assert!(matches!(answer(&play), Answer::Unrevoked(_)));
}

/// What somebody else runs on a key that is taken over is not locked out by the revocation of another image.
#[test]
fn a_revocation_before_anything_has_begun_leaves_what_a_key_was_taken_over_with() {
    let mut play = Play::settled();
    play.world.record = PersistedState::default();
    play.world.sets.clear();
    play.world.spec.shares[0].adopt = true;
    play.admits(0, &[1, 3]);
    play.world.spec.release = release(2);
    play.world.spec.verbs.revoke = Some(line(1));
    play.until("Retire: writes policies a=[v3] b=[] c=[]");
}

/// A key that this cluster has had for long keeps nothing that nobody named.
#[test]
fn a_revocation_leaves_nothing_else_that_nobody_named() {
    for adopt in [true, false] {
        let mut play = Play::settled();
        play.world.spec.shares[0].adopt = adopt;
        play.admits(0, &[1, 3, 9]);
        play.world.spec.verbs.revoke = Some(line(9));
        play.until("Retire: writes policies a=[v1]");
    }
}
