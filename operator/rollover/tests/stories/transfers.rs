//! Stories of keys that carry another owner's tags, and of a person who moves them.

use crate::play::{Play, blocked, owner, release, share};
use jiff::SignedDuration;
use rollover::{Look, PersistedState, Plan, Reason, plan, tags};

/// The namespace of before, which had the same name.
const GONE: &str = "uid/ns/gone/signer";

/// The namespace and all in it was deleted and made anew: status and chambers are gone, the keys are as they were.
fn made_anew() -> Play {
    let mut play = Play::settled();
    for key in 0..3 {
        play.set_tag(key, tags::NAMESPACE_UID, "gone");
    }
    play.world.record = PersistedState::default();
    play.world.sets.clear();
    play
}

fn owners(play: &Play) -> Vec<Option<String>> {
    let facts = play.world.facts();
    facts
        .map(|(_, facts)| tags::owner_of(&facts.tags))
        .collect()
}

#[test]
fn a_namespace_made_anew_inherits_nothing_and_is_told_the_way() {
    let mut play = made_anew();
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::KeyOwnedByAnother);
    for part in [
        GONE,
        "uid/ns/ns-uid/signer",
        "kubectl chamber transfer signer --from 'uid/ns/gone/signer'",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert_eq!(owners(&play), vec![Some(GONE.to_owned()); 3]);
    assert!(
        !play.story.contains("as this cluster's (2/"),
        "{}",
        play.story
    );
}

#[test]
fn a_person_moves_the_keys_and_what_was_revoked_stays_revoked() {
    let mut play = made_anew();
    let image = release(2).measurement.image_sha384;
    play.world.spec.release = release(2);
    for (name, value) in tags::revoked_pages(&[tags::prefix(&image)]) {
        play.set_tag(0, &name, &value);
    }
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    play.run(50);
    assert!(
        play.story
            .contains("takes over 3 keys of uid/ns/gone/signer")
    );
    assert!(play.story.contains("keys of this cluster now: a, b, c"));
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    play.world.spec.release = release(1);
    play.run(400);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(owners(&play), vec![Some(owner().external_id()); 3]);
}

#[test]
fn keys_that_were_claimed_without_a_namespace_s_uid_get_it_and_stay_ours() {
    let mut play = Play::settled();
    play.set_facts(1, |facts| {
        facts.tags.remove(tags::NAMESPACE_UID);
    });
    play.until("Settled: tags 1 keys as this cluster's (1/retire)");
    play.run(50);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(owners(&play), vec![Some(owner().external_id()); 3]);
}

#[test]
fn the_owner_has_to_be_named_as_it_is() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some("uid/ns/signer".to_owned());
    play.run(50);
    assert!(play.story.contains("Transfer is refused"), "{}", play.story);
    assert_eq!(owners(&play), vec![Some(GONE.to_owned()); 3]);
    // A key that was claimed before has no uid to name.
    play.set_facts(2, |facts| {
        facts.tags.remove(tags::NAMESPACE_UID);
        facts
            .tags
            .insert(tags::OWNER.to_owned(), "old/ns/signer".to_owned());
    });
    play.world.spec.verbs.transfer = Some("old/ns/signer".to_owned());
    play.run(50);
    assert_eq!(owners(&play)[2], Some(owner().external_id()));
}

#[test]
fn an_owner_that_takes_its_key_back_is_not_answered_with_the_same_word() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    play.run(400);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    play.set_tag(1, tags::NAMESPACE_UID, "gone");
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::KeyOwnedByAnother);
    assert_eq!(owners(&play)[1].as_deref(), Some(GONE));
}

#[test]
fn a_pause_and_a_dry_run_move_nothing_and_a_holder_s_key_is_not_tagged() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    play.world.spec.paused = true;
    play.run(50);
    (play.world.spec.paused, play.world.spec.dry_run) = (false, true);
    play.run(50);
    assert_eq!(owners(&play), vec![Some(GONE.to_owned()); 3]);
    play.world.spec.dry_run = false;
    play.world.spec.shares[2] = share("c", false);
    play.run(50);
    assert_eq!(
        owners(&play)[1..],
        [Some(owner().external_id()), Some(GONE.to_owned())]
    );
}

/// The answer to a word that moves nothing waits as well: what is wrong with it may be corrected until then.
#[test]
fn a_pause_and_a_dry_run_answer_no_transfer() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some("uid/ns/of-nobody/signer".to_owned());
    for (paused, dry_run) in [(true, false), (false, true)] {
        (play.world.spec.paused, play.world.spec.dry_run) = (paused, dry_run);
        play.run(20);
        assert_eq!(blocked(&play).0, Reason::KeyOwnedByAnother);
        assert_eq!(play.world.record.handled.transfer, None);
    }
    play.world.spec.dry_run = false;
    play.until("names the owner as it has to be written");
}

/// An operator that has just started knows no key's tags, and must not say that no key carries them.
#[test]
fn a_transfer_is_answered_by_keys_that_were_read() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    let read = std::mem::take(&mut play.world.readings);
    assert_eq!(plan(&play.world), Plan::Look(Look::Keys));
    play.world.readings = read;
    play.until("takes over 3 keys of uid/ns/gone/signer");
}

#[test]
fn a_key_that_refuses_the_tag_keeps_no_other_and_no_deletion() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    play.refuse(1, SignedDuration::from_hours(9));
    play.run(20);
    assert!(play.story.contains("takes over 2 keys"), "{}", play.story);
    assert!(play.story.contains("KeyRefusesWrite"), "{}", play.story);
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    play.run(20);
    assert!(!play.world.finalizer, "{}", play.story);
}

/// Whoever may make a resource may not take the keys of an older one. Where bindings refuse it, only what is urgent is
/// planned, and a transfer is not.
#[test]
fn a_later_claim_takes_nothing_over_and_a_transfer_is_not_urgent() {
    let mut play = made_anew();
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    assert_eq!(rollover::urgent(&play.world), None);
    play.world.ownership_conflict = Some(rollover::OwnershipConflict {
        reason: Reason::DuplicateKey,
        message: "an older one has key a".into(),
    });
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::DuplicateKey);
    assert_eq!(owners(&play), vec![Some(GONE.to_owned()); 3]);
}

#[test]
fn a_key_of_ours_that_refuses_the_uid_keeps_nothing_from_settling() {
    let mut play = Play::settled();
    play.set_facts(1, |facts| {
        facts.tags.remove(tags::NAMESPACE_UID);
    });
    play.refuse(1, SignedDuration::from_hours(9));
    play.run(20);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert!(!play.story.contains("waits"), "{}", play.story);
}

/// A misspelt owner moves nothing: the keys that are still another's are named with theirs.
#[test]
fn a_key_that_is_still_another_s_is_named_in_the_answer() {
    let mut play = made_anew();
    play.set_tag(2, tags::OWNER, "other/ns/signer");
    play.world.spec.verbs.transfer = Some(GONE.to_owned());
    play.run(50);
    let answer =
        "keys of this cluster now: a, b; not moved, of another owner: c (other/ns/gone/signer)";
    assert!(play.story.contains(answer), "{}", play.story);
    assert_eq!(blocked(&play).0, Reason::KeyOwnedByAnother);
    assert_eq!(owners(&play)[2].as_deref(), Some("other/ns/gone/signer"));
}
