//! Stories of a deletion: which measurement stays, and what is said of the rest.

use crate::play::{Play, release, share};
use jiff::SignedDuration;
use measurement::{MANIFEST_REGISTER, Pcr};
use rollover::{Action, Deletion, Look, PersistedState, Plan, Reason, plan};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn delete(play: &mut Play, orphans: bool) {
    play.world.spec.deletion = Some(Deletion { orphans });
}

/// What the deletion leaves undone; nothing where the finalizer goes without a word.
#[track_caller]
fn undone(next: Plan) -> Option<String> {
    match next {
        Plan::Act {
            action: Action::RemoveFinalizer(undone),
            ..
        } => undone,
        other => panic!("{other:?}"),
    }
}

/// The resource is deleted after its status was lost.
fn without_status() -> Play {
    let mut play = Play::settled();
    play.world.record = PersistedState::default();
    play.world.finalizer = true;
    delete(&mut play, false);
    play
}

/// Every key pins these values of the manifest's register.
fn pin(play: &mut Play, values: &[u8]) {
    let of = |value: &u8| {
        let mut measurement = release(1).measurement;
        let pcr = Pcr::from_bytes([*value; 48]);
        measurement.registers.insert(MANIFEST_REGISTER, pcr);
        measurement
    };
    let live: Vec<_> = values.iter().map(of).collect();
    for key in 0..3 {
        let template = &mut play.world.spec.shares[key].template;
        template.pins.insert(MANIFEST_REGISTER);
        let policy = template.render(&live);
        play.set_facts(key, |facts| facts.policy = Ok(policy));
    }
}

#[test]
fn without_status_a_deletion_says_what_admits_two_releases_or_one_under_two_manifests() {
    let mut play = without_status();
    assert_eq!(undone(plan(&play.world)), None);
    play.admits(1, &[1, 2]);
    let told = undone(plan(&play.world)).unwrap();
    assert!(told.contains("key b still admits more"), "{told}");
    pin(&mut play, &[7]);
    assert_eq!(undone(plan(&play.world)), None);
    pin(&mut play, &[7, 8]);
    let told = undone(plan(&play.world)).unwrap();
    assert!(told.contains("key a, b, c still admits more"), "{told}");
}

/// An operator that has just started has read no key, and must not say that nothing is left undone.
#[test]
fn a_deletion_looks_at_the_keys_before_it_lets_go() {
    let mut play = without_status();
    play.admits(1, &[1, 2]);
    play.world.readings.clear();
    assert_eq!(plan(&play.world), Plan::Look(Look::Keys));
    let mut play = Play::rolling("v2 1->2");
    play.world.sets.clear();
    delete(&mut play, false);
    play.world.readings.clear();
    assert_eq!(plan(&play.world), Plan::Look(Look::Keys));
}

#[test]
fn chambers_that_stay_keep_their_own_measurement() {
    let mut play = Play::rolling("Verify: waits, Soaking");
    delete(&mut play, true);
    play.until("allows deletion");
    for key in 0..3 {
        assert_eq!(play.admitted(key), [2], "{}", play.story);
    }
}

/// A chamber on a lost node never ends: after the deadline the resource goes without it.
#[test]
fn a_deletion_waits_for_chambers_until_the_deadline_and_not_longer() {
    let mut play = Play::rolling("v2 1->2");
    play.node_lost = true;
    delete(&mut play, false);
    play.until("Retire: waits, Deleting");
    let by = play.world.chambers().find_map(|chamber| chamber.gone_by);
    let deadline = play.world.spec.progress_deadline;
    let latest = play.world.chambers().filter_map(|chamber| chamber.gone_by);
    assert_eq!(latest.max(), by, "all of them end together");
    play.world.now = by.unwrap() + deadline;
    let next = plan(&play.world);
    assert!(
        matches!(&next, Plan::Wait { obstacle, .. } if obstacle.reason() == Reason::Deleting),
        "{next:?}"
    );
    play.world.now += SECOND;
    let told = undone(plan(&play.world)).unwrap();
    assert!(told.contains("on node node-1 does not end"), "{told}");
}

#[test]
fn a_deletion_waits_for_a_key_that_refuses_until_the_deadline_and_not_longer() {
    let mut play = Play::rolling("v2 1->2");
    play.world.sets.retain(|set| set.release == release(1));
    play.world.sets[0].replicas = 0;
    play.world.sets[0].chambers.clear();
    delete(&mut play, false);
    play.refuse(2, SignedDuration::from_hours(9));
    let since = play.world.now;
    play.until("Retire: waits, KeyRefusesWrite");
    play.world.now = since + play.world.spec.progress_deadline;
    let next = play.looked();
    assert!(
        matches!(&next, Plan::Wait { obstacle, .. } if obstacle.reason() == Reason::KeyRefusesWrite),
        "{next:?}"
    );
    play.world.now += SECOND;
    let told = undone(play.looked()).unwrap();
    assert!(told.contains("key c"), "{told}");
    assert_eq!(play.admitted(0), [1], "{}", play.story);
}

/// Another hand took the release before out of a holder's key: with two of two keys needed it opens nothing any more, and is not what is left.
#[test]
fn a_release_that_too_few_keys_still_open_for_is_not_what_a_deletion_leaves() {
    let mut play = Play::rolling("v2 1->2");
    play.world.spec.shares[2] = share("c", false);
    play.world.spec.threshold = 3;
    delete(&mut play, false);
    let mut lost = Play::rolling("v2 1->2");
    lost.world.spec = play.world.spec.clone();
    lost.admits(2, &[2]);
    for (mut play, stays) in [(play, 1), (lost, 2)] {
        play.run(60);
        assert!(play.story.contains("allows deletion"), "{}", play.story);
        let managed = [play.admitted(0), play.admitted(1)];
        assert_eq!(managed, [[stays], [stays]], "{}", play.story);
    }
}

/// Another hand took the release before out of keys that the operator writes: it is written back, and stays.
#[test]
fn a_deletion_puts_back_what_was_verified_where_the_keys_are_its_own() {
    let mut play = Play::rolling("v2 1->2");
    play.admits(0, &[2]);
    play.admits(1, &[2]);
    delete(&mut play, false);
    play.run(60);
    for key in 0..3 {
        assert_eq!(play.admitted(key), [1], "{}", play.story);
    }
}
