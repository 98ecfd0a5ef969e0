//! Stories of objects that are not ours, that go badly, or that stay where they should not.

use crate::play::{COMMITMENT, Play, blocked, compare, release, share};
use jiff::SignedDuration;
use rollover::{
    Action, Blob, Object, ObjectProblem, PersistedState, Plan, Reason, Rollover, SealPod,
    Transition, laws, plan, tags,
};

fn three() -> Vec<rollover::Share> {
    vec![share("a", true), share("b", true), share("c", true)]
}

fn waits(play: &mut Play) -> (Reason, String) {
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    match plan(&play.world) {
        Plan::Wait { obstacle, .. } => (obstacle.reason(), obstacle.to_string()),
        other => panic!("{other:?}\n{}", play.story),
    }
}

fn sound(commitment: &str) -> Blob {
    Blob::Sound {
        commitment: commitment.into(),
    }
}

#[test]
fn a_corrected_release_replaces_a_seal_pod_that_cannot_start() {
    let mut play = Play::new(three());
    play.seal_stuck = Some("ImagePullBackOff no such image".into());
    play.run(100);
    let (reason, message) = waits(&mut play);
    assert_eq!(reason, Reason::SealFailed);
    assert!(message.contains("ImagePullBackOff"), "{message}");
    play.scene("the user corrects the release: v2", |play| {
        play.world.spec.release = release(2);
        play.seal_stuck = None;
    });
    play.until("Settled");
    compare("seal-pod-replaced", &play);
}

#[test]
fn a_pod_of_somebody_else_makes_no_master_key() {
    let mut play = Play::new(three());
    play.scene("somebody makes a pod of the seal pod's name", |play| {
        play.world.seal_pod = SealPod::Foreign("pod signer-seal is not of this cluster".into());
    });
    play.run(100);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::NotOurs);
    assert!(message.contains("pod signer-seal"), "{message}");
    play.scene("it is deleted", |play| {
        play.world.seal_pod = SealPod::Absent;
    });
    play.until("Settled");
    compare("seal-pod-foreign", &play);
}

#[test]
fn a_seal_pod_without_an_answer_or_on_a_lost_node_is_named() {
    let mut play = Play::new(three());
    play.until("starts the seal pod on v1");
    assert_eq!(waits(&mut play).0, Reason::Sealing);
    play.world.now += SignedDuration::from_mins(10);
    assert_eq!(waits(&mut play).0, Reason::SealFailed);
    let by = play.world.now;
    let node = Some("node-7".to_owned());
    play.world.seal_pod = SealPod::Ending { by, node };
    assert_eq!(waits(&mut play).0, Reason::Sealing);
    play.world.now += SignedDuration::from_mins(1);
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::NodeLost);
    assert!(message.contains("node-7"), "{message}");
}

#[test]
fn a_secret_that_no_seal_of_ours_made_is_refused_unless_a_key_knows_it() {
    let mut play = Play::new(three());
    let id = release(1).measurement.id();
    play.scene("a Secret of the blob's name is there", |play| {
        play.world.blobs.insert(id.clone(), sound("f00d"));
    });
    play.run(100);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::NotOurs);
    assert!(message.contains("f00d"), "{message}");
    play.scene("it is this cluster's copy, so key b gets its tag", |play| {
        play.set_facts(1, |facts| {
            drop(facts.tags.insert(tags::COMMITMENT.into(), "f00d".into()));
        });
    });
    play.until("Settled");
    assert_eq!(play.world.record.commitment.as_deref(), Some("f00d"));
    compare("secret-foreign", &play);
}

#[test]
fn a_secret_of_the_seal_that_crashed_the_operator_counts() {
    let mut play = Play::new(three());
    play.until("stores the sealed blob for v1");
    assert!(play.world.record.commitment.is_none());
    play.until("Settled");
    // Another Secret in that moment is none of it.
    let mut play = Play::new(three());
    play.until("stores the sealed blob for v1");
    let id = release(1).measurement.id();
    play.world.blobs.insert(id, sound("f00d"));
    assert_eq!(blocked(&play).0, Reason::NotOurs);
}

#[test]
fn a_secret_of_another_master_key_takes_no_chamber_with_it() {
    for managed in [true, false] {
        let mut play = Play::settled();
        for share in &mut play.world.spec.shares {
            share.managed = managed;
        }
        for key in 0..3 {
            play.set_facts(key, |facts| drop(facts.tags.remove(tags::COMMITMENT)));
        }
        play.world.spec.release = release(2);
        let id = release(2).measurement.id();
        play.world.blobs.insert(id, sound("f00d"));
        let holders = play.world.spec.shares[0]
            .template
            .render(&[release(1).measurement, release(2).measurement]);
        if !managed {
            for key in 0..3 {
                play.set_facts(key, |facts| facts.policy = Ok(holders.clone()));
            }
        }
        play.run(100);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::BlobMismatch);
        assert!(
            message.contains("f00d") && message.contains(COMMITMENT),
            "{message}"
        );
        assert!(!play.story.contains("commitment"), "{}", play.story);
        assert!(play.world.set("v2").is_none(), "{}", play.story);
    }
}

#[test]
fn law_12_stops_a_slip_of_the_planner() {
    let mut play = Play::settled();
    let breach = |play: &Play, action| laws::check(&play.world, &action).unwrap_err().law;
    let arns = vec![play.world.spec.shares[0].arn.clone()];
    let commitment = "f00d".to_owned();
    assert_eq!(
        breach(&play, Action::TagCommitment { arns, commitment }),
        12
    );
    let note = Action::Transition(Transition::Committed("f00d".into()));
    assert_eq!(breach(&play, note), 12);
    let (from, to) = (release(1).measurement, release(2).measurement);
    play.world.blobs.insert(from.id(), sound("f00d"));
    let bind = Action::BindBlob {
        from,
        to,
        generation: 1,
    };
    assert_eq!(breach(&play, bind), 12);
    let mut play = Play::new(three());
    play.until("every key admits the live releases");
    play.world.seal_pod = SealPod::Foreign("a pod".into());
    let store = Action::StoreBlob(release(1).measurement);
    assert_eq!(breach(&play, store), 12);
}

#[test]
fn full_nodes_do_not_fail_a_good_release() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.full = true;
    play.until("waits, ChamberUnschedulable");
    play.world.now += SignedDuration::from_hours(3);
    play.turn();
    assert_eq!(waits(&mut play).0, Reason::ChamberUnschedulable);
    play.scene("nodes come, three hours later", |play| play.full = false);
    play.broken = vec!["v2"];
    play.tick(None);
    // The release's own time begins now.
    assert_eq!(waits(&mut play).0, Reason::ChamberSealed);
    play.broken.clear();
    play.until("Settled");
    compare("nodes-full", &play);
}

#[test]
fn a_chamber_that_stays_sealed_says_why_and_so_does_the_failure() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    let why = "the sealed blob's seal is not right";
    let mut sets = play.world.sets.iter_mut();
    let set = sets.find(|set| set.release.revision == "v2").unwrap();
    set.chambers[0].says = Some(why.into());
    let name = set.chambers[0].name.clone();
    play.run(100);
    let failure = play.world.record.failure.clone().unwrap();
    let told = format!("waiting for {name}. {name} says: {why}");
    assert!(failure.why.ends_with(&told), "{}", failure.why);
}

#[test]
fn a_node_with_a_chamber_of_the_target_is_lost_in_verify() {
    let mut play = Play::rolling("Verify: waits, Soaking");
    play.scene("the node of a new chamber is lost", |play| {
        play.node_lost = true;
        let now = play.world.now;
        let mut sets = play.world.sets.iter_mut();
        let set = sets.find(|set| set.release.revision == "v2").unwrap();
        set.chambers[0].gone_by = Some(now);
        set.chambers[0].unsealed_since = None;
    });
    play.tick(None);
    play.run(300);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::NodeLost);
    assert!(message.contains("node-1"), "{message}");
    play.scene("the Node object is deleted", |play| play.node_lost = false);
    play.tick(None);
    play.until("Settled");
    compare("node-of-the-target-lost", &play);
}

#[test]
fn an_orphan_is_named_while_settled_and_in_roll() {
    let mut play = Play::settled();
    let mut orphan = play.world.sets[0].chambers[0].clone();
    orphan.name = "signer-v1-orphan".into();
    play.world.orphans.push(orphan);
    play.run(10);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::UnexpectedChambers);
    assert!(message.contains("signer-v1-orphan"), "{message}");
    play.world.spec.release = release(2);
    play.run(300);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::UnexpectedChambers);
    assert!(message.contains("signer-v1-orphan"), "{message}");
    assert!(!play.story.contains("begins to retire"), "{}", play.story);
    play.world.orphans.clear();
    play.until("Settled");
    assert!(play.story.contains("begins to retire"), "{}", play.story);
}

/// The way back from a release that failed, where somebody deletes what runs.
fn without_its_set() -> Play {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.run(2000);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed);
    play.scene("somebody deletes the ReplicaSet of v1", |play| {
        play.world.sets.retain(|set| set.release.revision != "v1");
    });
    play
}

#[test]
fn a_release_is_made_again_from_what_was_kept_of_it() {
    let mut play = without_its_set();
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed);
    assert!(play.story.contains("makes the ReplicaSet of v1"));
    play.tick(None);
    assert_eq!(
        play.world.set("v1").unwrap().unsealed(),
        3,
        "{}",
        play.story
    );
    // In the middle of a rollover, too: the spec names v2, and what goes is v1.
    let mut play = Play::rolling("v1 2->1, v2 1->2");
    play.world.sets.retain(|set| set.release.revision != "v1");
    play.world.spec.verbs.abort = Some("1".into());
    play.run(100);
    assert_eq!(
        play.world.set("v1").unwrap().unsealed(),
        3,
        "{}",
        play.story
    );
    let kept: Vec<_> = play.world.templates.iter().collect();
    assert_eq!(kept, ["v1"], "what is kept of v2 goes with its set");
}

#[test]
fn a_release_of_which_nothing_is_kept_is_made_again_from_its_own_template_only() {
    let mut play = without_its_set();
    play.world.templates.clear();
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::TemplateLost);
    assert!(
        message.contains("v1") && message.contains("v2"),
        "{message}"
    );
    play.scene("the user writes v1 back", |play| {
        play.world.spec.release = release(1);
    });
    play.until("Settled");
    assert_eq!(play.world.unsealed(), 3);
}

#[test]
fn objects_of_others_are_named_and_hold_up_only_what_needs_them() {
    let mut play = Play::settled();
    play.world.objects = vec![ObjectProblem {
        object: Object::Surroundings,
        reason: Reason::NotOurs,
        message: "Service signer is somebody else's".into(),
    }];
    assert_eq!(blocked(&play).0, Reason::NotOurs);
    play.world.spec.release = release(2);
    play.until("v1 3->2, v2 0->1");
    let (_, message) = waits(&mut play);
    assert!(message.contains("Service signer"), "{message}");
    play.until("blocked, NotOurs");
    assert!(
        play.story.contains("the rollover is complete"),
        "{}",
        play.story
    );

    let revision = "v3".to_owned();
    play.world.objects[0].object = Object::ReplicaSet { revision };
    play.world.spec.release = release(3);
    play.run(300);
    assert_eq!(blocked(&play).0, Reason::NotOurs);
    assert!(play.story.trim_end().ends_with("Roll: blocked, NotOurs"));
    assert_eq!(play.world.unsealed(), 3);
}

#[test]
fn starting_chambers_asks_for_no_disruption_budget() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.until("makes the ReplicaSet of v1");
    play.world.budget = None;
    let ordered = plan(&play.world);
    assert!(matches!(ordered, Plan::Act { .. }), "{ordered:?}");
}

#[test]
fn fewer_chambers_of_the_target_are_stopped_only_as_the_budgets_allow() {
    let mut play = Play::rolling("v1 1->0, v2 2->3");
    play.world.spec.replicas = 1;
    play.world.spec.max_unavailable = 1;
    play.budget = 0;
    play.run(20);
    assert!(
        play.story.ends_with("waits, DisruptionBudget\n"),
        "{}",
        play.story
    );
    play.budget = 9;
    play.run(200);
    assert!(play.story.contains("resizes v2 3->1"), "{}", play.story);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn a_set_that_nobody_wants_loses_its_sealed_and_its_unsealed_chambers() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.run(400);
    let mut unwanted = play.world.sets[0].clone();
    unwanted.release = release(9);
    unwanted.name = "signer-v9".into();
    unwanted.chambers[0].unsealed_since = None;
    for chamber in &mut unwanted.chambers {
        chamber.name = format!("{}-9", chamber.name);
        chamber.revision = "v9".into();
    }
    play.world.sets.push(unwanted);
    play.broken = vec!["v9"];
    play.run(60);
    assert!(play.story.contains("resizes v9 3->0"), "{}", play.story);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn where_no_chamber_is_wanted_nothing_is_proven_and_nothing_retired() {
    let mut play = Play::rolling("v1 1->0, v2 2->3");
    play.world.spec.replicas = 0;
    play.run(40);
    assert!(
        play.story.ends_with("waits, MetricsInconclusive\n"),
        "{}",
        play.story
    );
    assert!(!play.story.contains("begins to retire"), "{}", play.story);
    play.world.spec.replicas = 2;
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

/// What is planned once everything that has to be looked at was.
fn ordered(play: &mut Play) -> Plan {
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    plan(&play.world)
}

/// A drained chamber of the target, and one of the release before that its `ReplicaSet` has not ended yet.
#[test]
fn verify_does_not_begin_while_a_chamber_is_there_that_should_not_be() {
    let spoils: [fn(&mut Play) -> String; 2] = [
        |play| {
            let now = play.world.now;
            let sets = &mut play.world.sets;
            let set = sets.iter_mut().find(|set| set.release.revision == "v2");
            let set = set.unwrap();
            let mut drained = set.chambers[0].clone();
            drained.name = "signer-v2-drained".into();
            drained.gone_by = Some(now);
            set.chambers.push(drained.clone());
            drained.name
        },
        |play| {
            let mut old = play.world.sets[1].chambers[0].clone();
            old.name = "signer-v1-slow".into();
            old.revision = "v1".into();
            old.measurement_id = release(1).measurement.id();
            play.world.sets[0].chambers.push(old.clone());
            old.name
        },
    ];
    for spoil in spoils {
        let mut play = Play::rolling("Verify: waits, Soaking");
        let name = spoil(&mut play);
        let (reason, message) = waits(&mut play);
        assert_eq!(reason, Reason::ChamberTerminating, "{message}");
        assert!(message.contains(&name), "{message}");
    }
}

#[test]
fn no_chamber_is_started_in_retire_on_a_blob_that_is_gone_or_bad() {
    for (spoil, reason) in [
        (None, Reason::BlobLost),
        (
            Some(Blob::Unsound("it does not open".into())),
            Reason::BlobMismatch,
        ),
    ] {
        let mut play = Play::rolling("begins to retire: from now on the only way is forward");
        play.refuse(1, SignedDuration::from_hours(9));
        play.world.blobs.clear();
        let id = release(2).measurement.id();
        play.world.blobs.extend(spoil.map(|blob| (id, blob)));
        play.world.spec.replicas = 5;
        play.run(50);
        assert_eq!(blocked(&play).0, reason, "{}", play.story);
        assert!(!play.story.contains("resizes v2 3->5"), "{}", play.story);
    }
}

#[test]
fn a_seal_pod_that_failed_is_left_to_be_looked_at_for_ten_seconds() {
    let mut play = Play::new(three());
    play.until("starts the seal pod on v1");
    let at = play.world.now;
    let message = "no enclave slot".to_owned();
    play.world.seal_pod = SealPod::Failed {
        at,
        message,
        wants_manifest: false,
    };
    let until = at + SignedDuration::from_secs(10);
    for now in [at, until - SignedDuration::from_secs(1)] {
        play.world.now = now;
        let Plan::Wait {
            obstacle,
            until: again,
            ..
        } = ordered(&mut play)
        else {
            panic!("{}", play.story);
        };
        assert_eq!(obstacle.reason(), Reason::SealFailed);
        assert!(obstacle.to_string().contains("no enclave slot"));
        assert_eq!(again, Some(until));
    }
    play.world.now = until;
    let Plan::Act { action, .. } = ordered(&mut play) else {
        panic!("{}", play.story);
    };
    assert_eq!(action, Action::RemoveSealPod);
}

#[track_caller]
fn unexpected(play: &Play, parts: &[&str]) {
    let (reason, message) = blocked(play);
    assert_eq!(reason, Reason::UnexpectedChambers, "{}", play.story);
    for part in parts {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

/// Two chambers of a release that nobody wants are all that is unsealed: they serve until somebody decides.
#[test]
fn unwanted_chambers_that_must_not_be_stopped_are_named_with_the_cure() {
    let mut play = Play::rolling("Settled");
    let mut unwanted = play.world.sets[0].clone();
    (unwanted.release, unwanted.name) = (release(9), "signer-v9".into());
    unwanted.replicas = 2;
    unwanted.chambers.truncate(2);
    for chamber in &mut play.world.sets[0].chambers {
        chamber.unsealed_since = None;
    }
    play.world.sets.push(unwanted);
    play.broken = vec!["v2"];
    play.run(20);
    let set = "ReplicaSet signer-v9 has 2 chambers of release v9";
    unexpected(&play, &[set, "scale it to 0"]);
}

#[test]
fn a_lost_status_beside_a_key_that_does_not_admit_what_runs_names_the_image_to_admit() {
    let mut play = Play::settled();
    play.world.record = PersistedState::default();
    let policy = play.world.spec.shares[1].template.render(&[]);
    play.set_facts(1, |facts| facts.policy = Ok(policy));
    let image = release(1).measurement.image_sha384.to_string();
    let cure = "Set the policies to it";
    unexpected(&play, &["ReplicaSet signer-v1", &image, cure]);
}

#[test]
fn a_first_release_in_status_beside_chambers_that_serve_is_told_to_be_removed() {
    let mut play = Play::settled();
    let first = Rollover::begin(None, release(2), play.world.now);
    play.world.record = PersistedState {
        rollover: Some(first),
        rollovers: 2,
        ..PersistedState::default()
    };
    play.world.spec.release = release(2);
    let cure = "Remove the resource's status";
    unexpected(&play, &["first release v2", "ReplicaSet signer-v1", cure]);
}
