//! Stories of a cluster at rest: whose chambers are ended, what is started again, and what is said meanwhile.

use crate::play::{Play, blocked, release, share};
use jiff::SignedDuration;
use rollover::{Action, KeyState, Plan, Reason, plan, tags};

/// v2 runs, for which v1 was retired, and a set of v9 is beside it, whose chambers are sealed.
fn beside_another() -> Play {
    let mut play = Play::rolling("Settled");
    let mut set = play.world.sets[0].clone();
    set.release = release(9);
    set.name = "signer-v9".into();
    for chamber in &mut set.chambers {
        chamber.revision = "v9".into();
        chamber.measurement_id = release(9).measurement.id();
        chamber.unsealed_since = None;
    }
    play.world.sets.push(set);
    play
}

/// Whether the chambers of v9 are ended; otherwise it is said that status alone calls v2 verified.
#[track_caller]
fn ends_the_other(play: &Play) -> bool {
    match plan(&play.world) {
        Plan::Act {
            action: Action::Resize(resizes),
            ..
        } => resizes[0].release == release(9) && resizes[0].to == 0,
        Plan::Block { obstacle, .. } => {
            assert_eq!(obstacle.reason(), Reason::StatusForged, "{obstacle}");
            false
        }
        other => panic!("{other:?}"),
    }
}

/// The keys' own word: they open for what runs, and not enough of them for what status calls verified.
#[test]
fn chambers_stay_where_keys_open_for_them_and_too_few_for_what_status_calls_verified() {
    for (admitted, ends) in [
        ([&[2][..], &[2], &[2, 9]], true),
        ([&[2], &[2], &[9]], true),
        ([&[2], &[], &[]], true),
        ([&[2], &[], &[9]], false),
    ] {
        let mut play = beside_another();
        for (key, numbers) in admitted.iter().enumerate() {
            play.admits(key, numbers);
        }
        assert_eq!(ends_the_other(&play), ends, "{admitted:?}");
    }
}

/// Of the keys' tags, those that count are on keys which are this cluster's and which it writes itself.
#[test]
fn what_status_calls_verified_is_proven_by_keys_of_ours_alone() {
    let without_proof = |play: &mut Play, key| {
        play.set_facts(key, |facts| drop(facts.tags.remove(tags::ROLLOVER)));
    };
    let mut play = beside_another();
    assert!(ends_the_other(&play));
    without_proof(&mut play, 0);
    without_proof(&mut play, 1);
    assert!(ends_the_other(&play));
    play.world.spec.shares[2] = share("c", false);
    assert!(!ends_the_other(&play), "a holder's key");
    play.world.spec.shares[2] = share("c", true);
    play.set_tag(2, tags::OWNER, "other/ns/signer");
    assert!(!ends_the_other(&play), "another owner's key");
}

#[test]
fn a_key_that_was_retired_for_another_release_proves_nothing() {
    let mut play = beside_another();
    let other = tags::retired_for(&release(9).measurement);
    for key in 0..3 {
        play.set_tag(key, tags::RETIRED_FOR, &other);
    }
    assert!(!ends_the_other(&play));
    for key in 0..3 {
        play.set_facts(key, |facts| drop(facts.tags.remove(tags::RETIRED_FOR)));
    }
    assert!(ends_the_other(&play), "tags of before");
}

#[test]
fn chambers_that_could_not_unseal_are_not_started() {
    let mut play = Play::settled();
    for key in 0..2 {
        play.set_facts(key, |facts| {
            facts.state = KeyState::Other("Disabled".into());
        });
    }
    play.world.spec.replicas = 5;
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::KeyNotEnabled, "{}", play.story);
    assert_eq!(play.world.sets[0].replicas, 3, "{}", play.story);
}

#[test]
fn a_settled_cluster_tells_why_a_chamber_is_sealed() {
    let mut play = Play::settled();
    let chambers = &mut play.world.sets[0].chambers;
    chambers[0].says = Some("it has three of three shares".into());
    chambers[2].unsealed_since = None;
    chambers[2].says = Some("KMS answers AccessDeniedException".into());
    let told = format!(
        "{} says: KMS answers AccessDeniedException",
        chambers[2].name
    );
    let Plan::Wait { obstacle, .. } = plan(&play.world) else {
        panic!("{:?}", plan(&play.world));
    };
    assert_eq!(obstacle.reason(), Reason::ChambersNotReady);
    assert!(obstacle.to_string().contains(&told), "{obstacle}");
}

/// The manifest is asked for the release that the spec names, and not for what runs meanwhile.
#[test]
fn what_runs_is_made_again_whatever_the_next_release_lacks() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    play.world.record.failure = Some(rollover::Failure {
        revision: "v2".into(),
        why: "it was aborted".into(),
    });
    play.world.sets.clear();
    play.until("makes the ReplicaSet of v1");
    play.until("resizes v1 0->3");
}

#[test]
fn chambers_that_nobody_wants_stay_and_are_named_while_too_few_others_serve() {
    let mut play = beside_another();
    let now = play.world.now;
    let unseal = |chamber: &mut rollover::Chamber| chamber.unsealed_since = Some(now);
    play.world.sets[1].replicas = 2;
    play.world.sets[1].chambers.truncate(2);
    play.world.sets[1].chambers.iter_mut().for_each(unseal);
    for chamber in &mut play.world.sets[0].chambers {
        chamber.unsealed_since = None;
    }
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::UnexpectedChambers);
    assert!(
        message.contains("ReplicaSet signer-v9 has 2 chambers of release v9"),
        "{message}"
    );
}

#[test]
fn a_key_that_refused_is_tried_again_as_soon_as_its_time_has_come() {
    let mut play = Play::settled();
    play.admits(0, &[]);
    play.refuse(0, SignedDuration::from_secs(20));
    let until = play.world.now + SignedDuration::from_secs(20);
    let Plan::Wait { until: found, .. } = plan(&play.world) else {
        panic!("{:?}", plan(&play.world));
    };
    assert_eq!(found, Some(until));
    play.world.now = until;
    let next = plan(&play.world);
    assert!(
        matches!(&next, Plan::Act { action: Action::WritePolicies(writes), .. } if writes.len() == 1),
        "{next:?}"
    );
}

/// A policy may admit exactly what it should and yet lack what keeps others out.
#[test]
fn an_error_in_a_policy_that_was_taken_over_is_mended_though_it_admits_what_it_should() {
    let mut play = Play::settled();
    play.world.spec.shares[0].adopt = true;
    let lost = "\"kms:GenerateDataKeyPair\",";
    play.rewrite(0, lost, "");
    play.until("Settled: writes policies a=[v1]");
    play.run(20);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert!(play.policy(0).to_json().contains(lost));
}

/// After a first start nothing was retired, and the keys prove it all the same: what nobody wants is ended.
#[test]
fn a_first_start_proves_itself_as_every_other_rollover() {
    let mut play = Play::settled();
    let mut set = play.world.sets[0].clone();
    (set.release, set.name) = (release(9), "signer-v9".into());
    for chamber in &mut set.chambers {
        chamber.revision = "v9".into();
        chamber.unsealed_since = None;
    }
    play.world.sets.push(set);
    assert!(ends_the_other(&play));
    for key in 0..3 {
        play.set_tag(key, tags::ROLLOVER, "1/admit");
    }
    assert!(!ends_the_other(&play));
}
