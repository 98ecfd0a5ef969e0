//! Stories of what a step waits for, and of what it does not.

use crate::play::{COMMITMENT, Play, blocked, release, share};
use measurement::{MANIFEST_REGISTER, Pcr};
use rollover::{Gate, Manifest, Plan, Reason, Release, Step, tags};

fn tag_revoked(play: &mut Play, key: usize, byte: u8) {
    let prefix = tags::prefix(&release(byte).measurement.image_sha384);
    for (name, value) in tags::revoked_pages(&[prefix]) {
        play.set_tag(key, &name, &value);
    }
}

#[test]
fn a_target_that_one_key_calls_revoked_after_the_beginning_is_admitted_nowhere() {
    let mut play = Play::rolling("Measure: begins, v1 -> v2");
    tag_revoked(&mut play, 2, 2);
    play.run(20);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::MeasurementRevoked, "{}", play.story);
    assert!(message.contains("a tag on key c"), "{message}");
    for key in 0..3 {
        assert_eq!(play.admitted(key), [1], "{}", play.story);
    }
}

/// One key's word keeps an image out; it does not stop what every key has admitted.
#[test]
fn a_target_that_one_key_calls_revoked_when_every_key_admits_it_goes_on() {
    let mut play = Play::rolling("every key admits the live releases");
    tag_revoked(&mut play, 2, 2);
    play.until("Retire: the rollover is complete");
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
}

/// What was revoked opens nothing, so no settle time is waited for again.
#[test]
fn after_a_revocation_a_policy_that_somebody_changed_is_put_right_in_the_middle_of_roll() {
    let mut play = Play::rolling("v2 0->1");
    let image = release(1).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    play.until("Retire: writes policies a=[v2] b=[v2] c=[v2]");
    play.admits(0, &[]);
    play.until("Admit: writes policies a=[v2]");
    play.until("Verify: waits, Soaking");
    assert!(!play.story.contains("no longer admits"), "{}", play.story);
    assert_eq!(play.story.matches("Settling").count(), 1, "{}", play.story);
}

/// A holder who is slow to take others out has admitted all the same.
#[test]
fn a_holder_who_admits_more_than_is_asked_for_does_not_hold_up_admit() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    play.admits(2, &[1]);
    play.until("Settled");
    play.world.spec.release = release(2);
    play.until("Admit: waits, AwaitingKeyHolder");
    play.admits(2, &[1, 2, 7]);
    play.until("Admit: every key admits the live releases");
}

/// A corrected first release finds the empty set of the one before: that one never served.
#[test]
fn a_first_release_that_never_had_a_chamber_gives_way_to_the_corrected_one() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.managed_sealing = false;
    play.world.spec.gate = Gate::Disabled;
    play.until("Roll: makes the ReplicaSet of v1");
    play.world.spec.release = release(2);
    play.until("begins, the first start of v2");
    play.until("removes signer-v1");
    play.until("Settled");
    assert_eq!(play.world.set("v2").unwrap().unsealed(), 3);
}

/// The release under a run manifest of this cluster's master key.
fn sign(play: &mut Play, release: Release) {
    play.world.spec.release = release;
    let registers = &mut play.world.spec.release.measurement.registers;
    registers.insert(MANIFEST_REGISTER, Pcr::from_bytes([0x16; 48]));
    play.world.spec.authorities = vec!["f1".into()];
    play.world.spec.manifest = Some(Manifest {
        digest: "d1".into(),
        commitment: Some(COMMITMENT.into()),
        believed: true,
        signed_by: vec!["f1".into()],
    });
}

/// The person puts a seal permit in the place of the run manifest.
fn unsign(play: &mut Play) {
    play.world.spec.release.measurement.registers.clear();
    let manifest = play.world.spec.manifest.as_mut().unwrap();
    manifest.commitment = None;
}

/// A manifest that is taken away is asked for while there is a way back; afterwards the rollover ends first.
#[test]
fn a_manifest_that_is_gone_holds_a_rollover_until_retire_has_begun() {
    for (line, ends) in [
        ("v2 0->1", false),
        ("Retire: tags 3 keys as this cluster's (2/retire)", true),
    ] {
        let mut play = Play::settled();
        sign(&mut play, release(2));
        play.until(line);
        unsign(&mut play);
        let waits = if ends { "Settled" } else { "Roll" };
        play.until(&format!("{waits}: waits, ManifestWanted"));
        let complete = play.story.contains("the rollover is complete");
        assert_eq!(complete, ends, "{}", play.story);
        let next = play.looked();
        let step = if ends { Step::Settled } else { Step::Roll };
        assert!(
            matches!(&next, Plan::Wait { step: found, .. } if *found == step),
            "{next:?}"
        );
    }
}
