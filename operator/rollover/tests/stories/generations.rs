//! Generations of the sealed blob, and the keys that a stored one names.

use crate::play::{Play, blocked, release, share};
use rollover::{Action, Plan, Reason, Release, laws, plan};

/// A release whose manifest is of this generation.
fn of(generation: u32, release: Release) -> Release {
    Release {
        generation,
        ..release
    }
}

#[test]
fn the_first_generation_has_the_names_of_before_and_later_ones_say_theirs() {
    let first = release(1);
    assert_eq!(first.blob_id(), first.measurement.id());
    assert_eq!(first.set_id(), first.revision);
    let later = of(12, release(1));
    assert_eq!(later.blob_id(), format!("{}-g12", first.measurement.id()));
    assert_eq!(later.set_id(), format!("{}-g12", first.revision));
}

#[test]
fn a_later_generation_begins_once_its_blob_is_there_and_is_bound_within_itself() {
    let mut play = Play::settled();
    let before = play.story.clone();
    play.world.spec.release = of(2, release(2));
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::BlobMismatch);
    let missing = format!("signer-sealed-{}-g2", release(2).measurement.id());
    assert!(message.contains(&missing), "{message}");
    assert!(message.contains("blob import"), "{message}");
    assert!(
        !play.story[before.len()..].contains("begins"),
        "{}",
        play.story
    );

    play.scene("a person puts generation 2 back", |play| {
        play.store(&release(2).measurement, 2);
    });
    play.until("Settled");
    assert_eq!(play.world.record.current, Some(of(2, release(2))));
    let first = release(1).blob_id();
    assert!(
        play.world.blobs.contains_key(&first),
        "no blob is taken away"
    );
    assert!(!play.world.blobs.contains_key(&release(2).blob_id()));

    play.scene("another image of generation 2", |play| {
        play.world.spec.release = of(2, release(3));
    });
    play.until("Settled");
    assert!(play.world.blobs.contains_key(&of(2, release(3)).blob_id()));
    assert!(!play.world.blobs.contains_key(&release(3).blob_id()));
}

/// The rollover was begun by somebody who wrote status: Admit and the laws stop it, too.
#[test]
fn no_generation_is_bound_from_another_one_whatever_status_says() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.until("every key admits the live releases");
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.to.generation = 2;
    play.world.spec.release.generation = 2;
    assert_eq!(blocked(&play).0, Reason::BlobMismatch);
    let bind = Action::BindBlob {
        from: release(1).measurement,
        to: release(2).measurement,
        generation: 2,
    };
    assert_eq!(laws::check(&play.world, &bind).unwrap_err().law, 12);
}

#[test]
fn nothing_is_sealed_for_a_later_generation() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.release.generation = 2;
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::BlobMismatch);
    assert!(message.contains("a seal makes generation 1"), "{message}");
    assert!(!play.story.contains("seal pod"), "{}", play.story);
}

/// The API server keeps keys as they are once a cluster is sealed; this is for where it does not.
#[test]
fn keys_that_the_blob_does_not_name_are_not_acted_on_in_any_step() {
    const FOUND: &str = "Secret x: its blob needs 2 of the keys a, b, the spec names 2 of a, c";
    for stage in [
        "begins, v1 -> v2",
        "every key admits the live releases",
        "begins to retire: from now on the only way is forward",
        "Settled",
    ] {
        let mut play = Play::settled();
        play.world.spec.release = release(2);
        play.until(stage);
        play.world.other_keys = Some(FOUND.into());
        // Drift that would be repaired, too.
        let other = play.world.spec.shares[0].template.render(&[]);
        play.set_facts(0, |facts| facts.policy = Ok(other));
        let before = play.story.clone();
        play.run(20);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::BlobMismatch, "{stage}");
        assert!(message.contains(FOUND), "{message}");
        assert!(message.contains("put spec.keys back"), "{message}");
        let since = &play.story[before.len()..];
        assert!(!since.contains("writes policies"), "{stage}: {since}");
    }
}

#[test]
fn a_revocation_goes_on_whatever_keys_the_blob_names() {
    let mut play = Play::settled();
    play.world.other_keys = Some("others".into());
    let image = release(1).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} leaked"));
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    assert!(
        matches!(plan(&play.world), Plan::Act { .. }),
        "{:?}",
        plan(&play.world)
    );
}
