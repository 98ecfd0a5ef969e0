//! Stories: what the planner does, told in the order in which it happens. `BLESS=1` writes them anew.

use crate::play::{Play, blocked, compare, release, share};
use rollover::{KeyState, Metrics, PersistedState, Phase, Plan, Reason, laws, plan, tags};

fn three() -> Vec<rollover::Share> {
    vec![share("a", true), share("b", true), share("c", true)]
}

#[test]
fn first_start() {
    let mut play = Play::new(three());
    play.run(200);
    compare("first-start", &play);
}

#[test]
fn five_steps() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.run(200);
    compare("five-steps", &play);
}

#[test]
fn with_surge_a_new_chamber_comes_first() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    (play.world.spec.max_unavailable, play.world.spec.max_surge) = (0, 1);
    play.run(200);
    compare("surge", &play);
}

#[test]
fn decrypt_lags_behind_the_policy() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.held = true;
    play.until("ChamberSealed");
    let old = play.world.set("v1").unwrap();
    assert_eq!(old.unsealed(), 2, "the others serve");
    play.scene("Decrypt enforces the new policies", |play| {
        play.held = false;
    });
    play.tick(None);
    play.tick(None);
    play.run(200);
    compare("decrypt-lags", &play);
}

#[test]
fn an_old_chamber_that_dies_in_the_middle_comes_back_old() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    while play.world.set("v2").is_none() {
        play.turn();
    }
    play.tell("-- an old chamber dies");
    let old = play
        .world
        .sets
        .iter_mut()
        .find(|set| set.release.revision == "v1")
        .unwrap();
    old.chambers.retain(rollover::Chamber::terminating);
    play.run(200);
    compare("old-chamber-dies", &play);
}

#[test]
fn back_to_the_release_before_in_the_middle() {
    let mut play = Play::rolling("v2 0->1");
    play.scene("the user goes back to v1", |play| {
        play.world.spec.release = release(1);
    });
    play.run(200);
    compare("turned-back", &play);
}

#[test]
fn back_to_the_release_before_while_nothing_was_started() {
    let mut play = Play::rolling("every key admits the live releases");
    play.scene("the user goes back to v1", |play| {
        play.world.spec.release = release(1);
    });
    play.until("Settled");
    compare("turned-back-early", &play);
}

#[test]
fn a_third_release_in_the_middle_first_returns_to_one_measurement() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("ChamberSealed");
    play.scene("the user wants v3", |play| {
        play.world.spec.release = release(3);
    });
    play.until("begins, v1 -> v3");
    compare("third-release", &play);
}

/// On the way back from v2 to v1, for v3: what serves of v1 stays until v3 does.
#[test]
fn a_third_release_goes_on_where_what_it_first_returned_to_is_revoked() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    play.world.spec.release = release(3);
    play.until("v2 1->0, v1 2->3");
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.run(400);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert!(!play.story.contains("blocked"), "{}", play.story);
    assert_eq!(play.admitted(0), [3]);
}

/// Its key is accepted at risk, and he still admits what was revoked.
#[test]
fn a_silent_holder_of_a_revoked_image_holds_up_no_release_after_it() {
    let shares = vec![share("a", true), share("b", true), share("c", false)];
    let mut play = Play::new(shares);
    play.admits(2, &[1]);
    play.run(300);
    play.world.spec.shares[2].accepted_at_risk = true;
    play.world.spec.release = release(2);
    play.until("v1 3->2, v2 0->1");
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.world.spec.release = release(3);
    play.run(400);
    assert!(
        !play.story.contains("blocked, UnknownMeasurement"),
        "{}",
        play.story
    );
    assert_eq!(
        [play.admitted(0), play.admitted(2)],
        [[3], [1]],
        "{}",
        play.story
    );
}

/// The pod goes with its release, and nothing else would prove the blob: it is committed to before.
#[test]
fn a_corrected_first_release_right_after_the_seal_keeps_its_master_key() {
    let mut play = Play::new(three());
    play.until("Admit: stores the sealed blob for v1");
    play.world.spec.release = release(2);
    play.run(300);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert!(
        play.story.contains("binds the sealed blob to v2"),
        "{}",
        play.story
    );
}

#[test]
fn a_third_release_takes_the_place_of_one_that_never_started() {
    let mut play = Play::rolling("every key admits the live releases");
    play.scene("the user wants v3", |play| {
        play.world.spec.release = release(3);
    });
    play.run(300);
    compare("superseded", &play);
}

#[test]
fn a_first_release_that_never_ran_well_gives_way() {
    let mut play = Play::new(three());
    while play.world.set("v1").is_none() {
        play.turn();
    }
    play.held = true;
    play.enforced.clear();
    play.run(200);
    play.tell("-- the user wants v2");
    play.world.spec.release = release(2);
    play.held = false;
    play.run(300);
    compare("broken-first-release", &play);
}

/// The holder of the observed key c does as asked.
fn holder_admits(play: &mut Play, releases: &[u8]) {
    let live: Vec<_> = releases
        .iter()
        .map(|byte| release(*byte).measurement)
        .collect();
    let policy = play.world.spec.shares[2].template.render(&live);
    play.set_facts(2, |facts| facts.policy = Ok(policy.clone()));
    play.tell(&format!("-- the holder of c admits {releases:?}"));
}

/// Settled on v1, with a key c whose policy its holder writes; v2 is wanted.
fn observed() -> Play {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    holder_admits(&mut play, &[1]);
    play.run(200);
    play.story.clear();
    play.world.spec.release = release(2);
    play.run(200);
    play
}

#[test]
fn an_observed_key_is_waited_for() {
    let mut play = observed();
    holder_admits(&mut play, &[1, 2]);
    play.run(200);
    holder_admits(&mut play, &[2]);
    play.run(200);
    compare("observed-key", &play);
}

#[test]
fn drift_is_put_back() {
    let mut play = Play::settled();
    let template = play.world.spec.shares[0].template.clone();
    play.set_facts(0, |facts| {
        facts.policy = Ok(template.render(&[release(1).measurement, release(9).measurement]));
    });
    play.set_facts(1, |facts| facts.policy = Ok(template.render(&[])));
    play.run(200);
    compare("drift", &play);
}

#[test]
fn a_policy_that_is_changed_while_rolling_is_admitted_again_before_anything_starts() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    while play.world.set("v2").is_none() {
        play.turn();
    }
    play.tell("-- a foreign hand takes v2 out of b");
    let template = play.world.spec.shares[1].template.clone();
    play.set_facts(1, |facts| {
        facts.policy = Ok(template.render(&[release(1).measurement]));
    });
    play.run(200);
    compare("admission-lost", &play);
}

#[test]
fn rejected_attestations_hold_retire() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.rejected = Some(2.0);
    play.run(200);
    play.tell("-- the rejections end");
    play.rejected = Some(0.0);
    play.run(200);
    compare("rejected", &play);
}

#[test]
fn an_absent_series_is_never_zero() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.scraped = false;
    play.run(200);
    compare("not-scraped", &play);
}

#[test]
fn a_sample_from_before_the_chambers_start_proves_nothing() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.stale = true;
    play.run(200);
    compare("not-scraped", &play);
}

#[test]
fn a_share_that_no_chamber_opens_holds_retire_until_the_spec_accepts_its_key_at_risk() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.unopened = vec!["c"];
    play.run(200);
    play.scene("the spec accepts key c at risk", |play| {
        play.world.spec.shares[2].accepted_at_risk = true;
    });
    play.run(200);
    compare("share-unopened", &play);
}

#[test]
fn with_external_sealing_no_share_is_counted() {
    let mut play = Play::new(three());
    play.world.spec.managed_sealing = false;
    play.world.spec.gate = rollover::Gate::Disabled;
    play.unopened = vec!["a", "b", "c"];
    play.run(200);
    compare("external", &play);
}

/// What is wrong with the metrics of one pod, the reason, and words of the message.
type Wrong = (fn(&mut rollover::PodMetrics), Reason, &'static str);

const WRONG: [Wrong; 8] = [
    (
        |pod| *pod = rollover::PodMetrics::default(),
        Reason::MetricsInconclusive,
        "queries.unsealed gives no series for pod signer-v2-",
    ),
    (
        |pod| pod.sampled_at = Some(jiff::Timestamp::UNIX_EPOCH),
        Reason::MetricsInconclusive,
        "before its start",
    ),
    (
        |pod| pod.unsealed = Some(0.0),
        Reason::MetricsInconclusive,
        "expected 1 or more",
    ),
    (
        |pod| pod.rejected = None,
        Reason::MetricsInconclusive,
        "; a counter that appears with the first rejection needs `or` with one that is always there",
    ),
    (
        |pod| pod.unsealed_before = None,
        Reason::Soaking,
        "soakTime is not over by its clock",
    ),
    (
        |pod| pod.unsealed_before = Some(jiff::Timestamp::UNIX_EPOCH),
        Reason::Soaking,
        "soakTime is not over by its clock",
    ),
    (
        |pod| drop(pod.opened.pop_first()),
        Reason::ShareUnopened,
        "without the share of key a",
    ),
    (
        |pod| {
            let first = pod.opened.values_mut().next().unwrap();
            *first = jiff::Timestamp::UNIX_EPOCH;
        },
        Reason::ShareUnopened,
        "without the share of key a",
    ),
];

#[test]
fn each_gap_in_a_pods_metrics_holds_retire_and_names_the_query_and_the_pod() {
    for (wrong, reason, words) in WRONG {
        let mut play = Play::rolling("Verify: waits, Soaking");
        while play.world.metrics.is_none() {
            assert!(play.turn(), "{}", play.story);
        }
        let Some(Metrics::Known { pods, .. }) = &mut play.world.metrics else {
            panic!("{}", play.story);
        };
        wrong(pods.values_mut().next_back().unwrap());
        let Plan::Wait { obstacle, .. } = plan(&play.world) else {
            panic!("{words}: nothing is waited for");
        };
        let message = obstacle.to_string();
        assert_eq!(obstacle.reason(), reason, "{message}");
        assert!(message.contains(words), "{message}");
        let retire = rollover::Action::Transition(rollover::Transition::RetireBegun);
        let breach = laws::check(&play.world, &retire).unwrap_err();
        assert_eq!(breach.law, 4, "{words}: {}", breach.message);
    }
}

#[test]
fn a_cluster_whose_turn_has_not_come_waits_for_it() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.turn();
    let until = play.world.now + jiff::SignedDuration::from_secs(40);
    play.world.metrics = Some(Metrics::Deferred { until });
    let Plan::Wait { until: found, .. } = plan(&play.world) else {
        panic!("{:?}", plan(&play.world));
    };
    assert_eq!(found, Some(until));
}

#[test]
fn a_paused_rollover_does_nothing_and_says_so() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.paused = true;
    play.run(20);
    compare("paused", &play);
}

#[test]
fn external_sealing_needs_no_blob() {
    let mut play = Play::new(three());
    play.world.spec.managed_sealing = false;
    play.world.spec.gate = rollover::Gate::Disabled;
    play.run(200);
    compare("external", &play);
}

#[test]
fn a_template_only_change_touches_no_policy() {
    let mut play = Play::settled();
    let mut next = release(1);
    next.revision = "v1b".into();
    play.world.spec.release = next;
    play.run(200);
    compare("template-only", &play);
}

#[test]
fn lost_status_is_found_again_where_the_world_is_clear() {
    let mut play = Play::settled();
    play.world.record = rollover::PersistedState::default();
    play.run(200);
    compare("status-lost", &play);
}

#[test]
fn a_lost_blob_is_never_sealed_anew() {
    let mut play = Play::settled();
    let blobs = play.world.blobs.clone();
    play.scene("the sealed Secret is gone", |play| play.world.blobs.clear());
    play.run(10);
    assert_eq!(blocked(&play).0, Reason::BlobLost);
    play.scene("status and chambers, too: the keys know", |play| {
        play.world.record = rollover::PersistedState::default();
        play.world.sets.clear();
    });
    play.run(10);
    assert_eq!(blocked(&play).0, Reason::BlobLost);
    play.scene("the Secret is restored", |play| play.world.blobs = blobs);
    play.until("Settled");
    compare("secret-lost", &play);
}

/// How a story tells of a write to keys.
const WRITES: [&str; 2] = ["writes policies", ": tags "];

#[test]
fn a_key_that_cannot_be_used_is_blocked_with_its_own_reason_and_nothing_is_done() {
    let cases: [(Reason, Spoil); 3] = [
        (Reason::KeyNotEnabled, |play| {
            play.set_facts(1, |facts| facts.state = KeyState::Other("Disabled".into()));
        }),
        (Reason::KeyOwnedByAnother, |play| {
            play.set_facts(1, |facts| {
                drop(
                    facts
                        .tags
                        .insert("chamber.dev/owner".into(), "other".into()),
                );
            });
        }),
        (Reason::KeyNotFound, |play| {
            play.unreadable(1, Reason::KeyNotFound, "key b");
        }),
    ];
    for (reason, spoil) in cases {
        is_blocked_and_nothing_is_done(reason, spoil);
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_blocked_with_its_own_reason_and_nothing_is_done() {
    let cases: [(Reason, Spoil); 3] = [
        (Reason::PolicyUnparsable, |play| {
            play.set_facts(1, |facts| facts.policy = Err("no JSON".into()));
        }),
        (Reason::PolicyNotOurs, |play| {
            let none = r#"{"Version":"2012-10-17","Statement":[]}"#;
            play.set_facts(1, |facts| {
                facts.policy = key_policy::Policy::parse(none).map_err(|e| e.to_string());
            });
        }),
        (Reason::KeyOfAnotherCluster, |play| {
            let mut template = share("b", true).template;
            template.cluster_id = "other".into();
            play.set_facts(1, |facts| facts.policy = Ok(template.render(&[])));
        }),
    ];
    for (reason, spoil) in cases {
        is_blocked_and_nothing_is_done(reason, spoil);
    }
}

#[test]
fn a_policy_that_says_what_it_should_not_is_blocked_with_its_own_reason_and_nothing_is_done() {
    let cases: [(Reason, Spoil); 3] = [
        (Reason::ForeignDeny, |play| {
            play.with_statement(
                1,
                r#"{"Sid":"Stop","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}"#,
            );
        }),
        (Reason::PolicyUnsound, |play| {
            play.with_statement(
                1,
                r#"{"Sid":"Open","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:D*","Resource":"*"}"#,
            );
        }),
        (Reason::UnknownMeasurement, |play| {
            let template = share("b", true).template;
            play.set_facts(1, |facts| {
                facts.policy = Ok(template.render(&[release(9).measurement]));
            });
        }),
    ];
    for (reason, spoil) in cases {
        is_blocked_and_nothing_is_done(reason, spoil);
    }
}

/// A first start with one thing spoiled blocks for this reason, names key b, writes no key and starts no chamber.
fn is_blocked_and_nothing_is_done(reason: Reason, spoil: Spoil) {
    let mut play = Play::new(three());
    spoil(&mut play);
    play.run(50);
    let (found, message) = blocked(&play);
    assert_eq!(found, reason, "{}", play.story);
    assert!(
        message.contains("key b"),
        "{reason} does not name the key: {message}"
    );
    assert!(
        !WRITES.iter().any(|write| play.story.contains(write)),
        "{reason}: {}",
        play.story
    );
    assert!(play.world.sets.is_empty(), "{reason} rolled");
}

/// What the stories above do not find is there where nothing is spoiled.
#[test]
fn a_good_world_writes_to_its_keys() {
    let mut good = Play::new(three());
    good.run(50);
    for write in WRITES {
        assert!(good.story.contains(write), "{write}: {}", good.story);
    }
}

/// Makes one thing of a good world bad.
type Spoil = fn(&mut Play);

#[test]
fn nothing_is_rolled_while_prometheus_cannot_be_asked() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.turn();
    play.world.metrics = Some(Metrics::Unavailable("connection refused".into()));
    assert_eq!(blocked(&play).0, Reason::PrometheusUnavailable);
}

#[test]
fn settled_keys_are_read_once_in_a_drift_interval() {
    let mut play = Play::settled();
    let mut readings = vec![];
    for second in 0..1500 {
        play.world.now += jiff::SignedDuration::from_secs(1);
        match plan(&play.world) {
            Plan::Settled { .. } => {}
            Plan::Look(rollover::Look::Keys) => {
                readings.push(second);
                play.turn();
            }
            other => panic!("{other:?}"),
        }
    }
    // Soon after the rollover, since a late write of an old leader may arrive; then once in ten minutes.
    let between: Vec<_> = readings.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(between, [240, 600, 600], "{readings:?}");
}

#[test]
fn a_settled_world_yields_no_action() {
    let play = Play::settled();
    assert!(matches!(plan(&play.world), Plan::Settled { .. }));
}

#[test]
fn a_release_that_never_unseals_is_rolled_back_and_not_tried_again() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.run(300);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed);
    play.scene("v2 is mended outside, the user retries", |play| {
        play.broken.clear();
        play.world.spec.verbs.retry = Some("1".into());
    });
    play.until("begins, v1 -> v2");
    compare("rolled-back", &play);
}

#[test]
fn the_spec_names_another_release_after_a_failure() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.run(300);
    play.story.clear();
    play.scene("the user goes back to v1", |play| {
        play.world.spec.release = release(1);
    });
    play.run(100);
    play.scene("the user wants v2 again", |play| {
        play.world.spec.release = release(2);
    });
    play.until("v1 -> v2");
    compare("failure-forgotten", &play);
}

#[test]
fn on_failure_pause_leaves_everything_as_it_is() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.on_failure = rollover::OnFailure::Pause;
    play.broken = vec!["v2"];
    play.run(300);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed);
    play.scene("the user aborts", |play| {
        play.world.spec.verbs.abort = Some("1".into());
    });
    play.run(300);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed);
    compare("on-failure-pause", &play);
}

#[test]
fn rejections_that_do_not_end_fail_the_release() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.rejected = Some(2.0);
    play.until("waits, AttestationRejected");
    play.scene("eleven minutes later", |play| {
        play.world.now += jiff::SignedDuration::from_mins(11);
    });
    play.until("turns back to the release before");
    play.scene("the rejections end", |play| play.rejected = Some(0.0));
    play.run(300);
    compare("rejected-for-good", &play);
}

#[test]
fn a_missing_prometheus_never_fails_a_release() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.scraped = false;
    play.until("waits, MetricsInconclusive");
    play.world.now += jiff::SignedDuration::from_hours(5);
    play.turn();
    play.turn();
    play.until("waits, MetricsInconclusive");
    assert_eq!(play.world.record.failure, None);
}

#[test]
fn a_return_that_fails_too_is_a_persons_to_solve() {
    let mut play = Play::rolling("v2 0->1");
    play.scene("nothing unseals any more", |play| {
        play.broken = vec!["v1", "v2"];
    });
    for set in &mut play.world.sets {
        set.chambers
            .iter_mut()
            .for_each(|chamber| chamber.unsealed_since = None);
    }
    play.run(300);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::ReleaseFailed);
    assert!(message.contains("the return to release v1"), "{message}");
    compare("return-fails", &play);
}

#[test]
fn abort_returns_to_the_release_before() {
    let mut play = Play::rolling("v2 0->1");
    play.scene("abort", |play| {
        play.world.spec.verbs.abort = Some("1".into());
    });
    play.run(300);
    play.scene("retry", |play| {
        play.world.spec.verbs.retry = Some("1".into());
    });
    play.until("begins, v1 -> v2");
    compare("abort", &play);
}

#[test]
fn verbs_are_refused_where_they_mean_nothing() {
    let mut play = Play::settled();
    ask_to_abort_and_to_retry(&mut play, "settled");
    play.world.spec.release = release(2);
    play.until("begins to retire: from now on the only way is forward");
    ask_to_abort_and_to_retry(&mut play, "Retire has begun");
    play.until("Settled");
    assert_eq!(
        refusals(&play),
        [
            "-- settled",
            "Settled: Abort is refused: no rollover is in flight. Change spec.release to run another release",
            "Settled: Retry is refused: nothing has failed",
            "-- Retire has begun",
            "Retire: Abort is refused: Retire has begun, so the only way is forward. Change spec.release to the release before, it is rolled out when this rollover has ended",
            "Retire: Retry is refused: nothing has failed",
        ]
    );
}

#[test]
fn a_rollover_on_its_way_back_is_not_aborted() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.until("Settled");
    play.world.spec.release = release(3);
    play.until("v3 0->1");
    play.scene("turned back by the spec", |play| {
        play.world.spec.release = release(2);
    });
    play.turn();
    play.world.spec.release = release(3);
    play.world.record.failure = Some(rollover::Failure {
        revision: "v3".into(),
        why: "it failed".into(),
    });
    play.scene("abort on the way back", |play| {
        play.world.spec.verbs.abort = Some("late".into());
    });
    play.turn();
    assert_eq!(
        refusals(&play),
        [
            "-- turned back by the spec",
            "-- abort on the way back",
            "Roll: Abort is refused: release v3 is being left already",
        ]
    );
}

/// Each verb with the scene's name for its value, which is a new one.
fn ask_to_abort_and_to_retry(play: &mut Play, scene: &str) {
    play.scene(scene, |play| {
        play.world.spec.verbs.abort = Some(scene.to_owned());
        play.world.spec.verbs.retry = Some(scene.to_owned());
    });
    play.turn();
    play.turn();
}

/// The scenes, and what was refused in each.
fn refusals(play: &Play) -> Vec<&str> {
    let lines = play.story.lines();
    lines
        .filter(|line| line.starts_with("--") || line.contains("refused"))
        .collect()
}

#[test]
fn a_first_start_cannot_be_aborted() {
    let mut play = Play::new(three());
    play.until("v1 0->3");
    play.story.clear();
    play.world.spec.verbs.abort = Some("1".into());
    play.turn();
    assert_eq!(
        play.story,
        "Roll: Abort is refused: the first start has no release to return to. Change spec.release\n"
    );
}

fn revocation(byte: u8) -> String {
    format!(
        "{} its signing key leaked",
        release(byte).measurement.image_sha384
    )
}

#[test]
fn the_release_before_is_revoked_in_the_middle() {
    let mut play = Play::rolling("v2 0->1");
    play.scene("v1 is revoked, although chambers run it", |play| {
        play.world.spec.verbs.revoke = Some(revocation(1));
    });
    play.until("Settled");
    compare("revoke-old", &play);
}

#[test]
fn the_target_is_revoked_in_the_middle() {
    let mut play = Play::rolling("v2 0->1");
    play.scene("v2 is revoked", |play| {
        play.world.spec.verbs.revoke = Some(revocation(2));
    });
    play.run(300);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed);
    play.scene("retry", |play| {
        play.world.spec.verbs.retry = Some("1".into());
    });
    play.run(100);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    compare("revoke-target", &play);
}

#[test]
fn what_runs_is_revoked_even_while_paused() {
    let mut play = Play::settled();
    play.scene("paused, v1 is revoked", |play| {
        play.world.spec.paused = true;
        play.world.spec.verbs.revoke = Some(revocation(1));
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    play.scene("resumed, the user wants v2", |play| {
        play.world.spec.paused = false;
        play.world.spec.release = release(2);
    });
    play.until("Settled");
    play.scene("status is lost, the user wants v1", |play| {
        play.world.record = rollover::PersistedState::default();
        play.turn();
        play.world.spec.release = release(1);
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    compare("revoke-current", &play);
}

/// A cluster that runs v1, the third key of which is its holder's.
fn beside_a_holder() -> Play {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    holder_writes(&mut play, &[1]);
    play.until("Settled");
    play.story.clear();
    play
}

fn holder_writes(play: &mut Play, numbers: &[u8]) {
    let images = numbers.iter().map(|number| release(*number).measurement);
    let images: Vec<_> = images.collect();
    let policy = play.world.spec.shares[2].template.render(&images);
    play.set_facts(2, |facts| facts.policy = Ok(policy));
}

fn leave_the_revoked(play: &mut Play) {
    play.scene("v1 is revoked, the user wants v2", |play| {
        play.world.spec.verbs.revoke = Some(revocation(1));
        play.world.spec.release = release(2);
    });
    play.run(200);
}

/// What was revoked opens nothing any more: chambers of the next release start with as many keys as they need.
#[test]
fn after_a_revocation_no_holder_holds_up_the_next_release() {
    let mut play = beside_a_holder();
    leave_the_revoked(&mut play);
    let unsealed = |play: &Play| play.world.set("v2").map_or(0, rollover::Set::unsealed);
    assert_eq!(unsealed(&play), 3, "{}", play.story);
    assert!(play.story.ends_with("Verify: waits, ShareUnopened\n"));
    play.scene("the holder of c admits v2", |play| {
        holder_writes(play, &[2]);
    });
    play.until("Settled");
    compare("revoke-slow-holder", &play);

    // With one key fewer there are not enough.
    let mut play = beside_a_holder();
    play.world.spec.threshold = 3;
    leave_the_revoked(&mut play);
    assert_eq!(unsealed(&play), 0, "{}", play.story);
    assert!(play.story.ends_with("Admit: waits, AwaitingKeyHolder\n"));
}

#[test]
fn after_a_revocation_no_key_that_refuses_holds_up_the_next_release() {
    let mut play = Play::settled();
    play.refuse(2, jiff::SignedDuration::from_hours(100));
    leave_the_revoked(&mut play);
    let unsealed = play.world.set("v2").map_or(0, rollover::Set::unsealed);
    assert_eq!(unsealed, 3, "{}", play.story);
    compare("revoke-refusing-key", &play);
}

#[test]
fn a_revocation_needs_a_measurement_and_a_reason() {
    for (text, names) in [
        ("v1 leaked", "names no ImageSha384"),
        (&"ab".repeat(48), "gives no reason"),
    ] {
        let mut play = Play::settled();
        play.world.spec.verbs.revoke = Some(text.to_owned());
        play.run(20);
        assert!(play.story.contains("Revoke is refused"), "{}", play.story);
        assert!(play.story.contains(names), "{}", play.story);
        assert!(!play.story.contains("writes"), "{}", play.story);
    }
}

#[test]
fn a_lost_node_holds_retire_by_name() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.node_lost = true;
    play.run(300);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::NodeLost);
    assert!(message.contains("node-1"), "{message}");
    play.scene("the Node object is deleted", |play| play.node_lost = false);
    play.tick(None);
    play.until("Settled");
    compare("node-lost", &play);
}

#[test]
fn replicas_change_in_the_middle() {
    let mut play = Play::rolling("v2 0->1");
    play.scene("five are wanted", |play| play.world.spec.replicas = 5);
    play.until("begins to retire: from now on the only way is forward");
    play.scene("two are wanted", |play| play.world.spec.replicas = 2);
    play.until("Settled");
    compare("replicas", &play);
}

#[test]
fn a_budget_of_somebody_else_is_kept() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.budget = 0;
    play.run(100);
    play.scene("the budget allows one", |play| play.budget = 1);
    play.until("Settled");
    compare("budget", &play);
}

#[test]
fn a_foreign_hand_that_does_not_stop_is_not_fought() {
    let mut play = Play::settled();
    for _ in 0..6 {
        let template = play.world.spec.shares[0].template.clone();
        play.scene("a foreign hand empties a", |play| {
            play.set_facts(0, |facts| facts.policy = Ok(template.render(&[])));
        });
        play.world.now += jiff::SignedDuration::from_mins(11);
        play.run(50);
    }
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyConflict);
    assert!(message.contains("chamber.dev/retry"), "{message}");
    // It is looked at again: nobody need say retry where the policy was put right by its other writer.
    play.world.now += jiff::SignedDuration::from_mins(1);
    assert_eq!(plan(&play.world), Plan::Look(rollover::Look::Keys));
    play.scene("retry", |play| {
        play.world.spec.verbs.retry = Some("1".into());
    });
    play.run(50);
    compare("policy-conflict", &play);
}

/// A foreign hand empties key a, and the operator puts it right or does not.
fn flipped(play: &mut Play) {
    let template = play.world.spec.shares[0].template.clone();
    play.set_facts(0, |facts| facts.policy = Ok(template.render(&[])));
    play.world.now += jiff::SignedDuration::from_mins(5);
    play.run(100);
}

#[test]
fn flips_are_counted_through_phases_and_rollovers_and_hold_up_their_own_key_alone() {
    let mut play = Play::settled();
    flipped(&mut play);
    flipped(&mut play);
    play.world.spec.release = release(2);
    play.until("every key admits the live releases");
    let both = [release(1), release(2)].map(|release| release.measurement);
    let template = play.world.spec.shares[0].template.clone();
    play.set_facts(0, |facts| facts.policy = Ok(template.render(&both[..1])));
    play.run(400);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    flipped(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    let template = play.world.spec.shares[0].template.clone();
    play.set_facts(1, |facts| facts.policy = Ok(template.render(&[])));
    flipped(&mut play);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyConflict, "{}", play.story);
    assert!(message.contains("key a was"), "{message}");
    assert!(
        play.story.contains("writes policies b=[v2]\n"),
        "{}",
        play.story
    );
    // The next rollover does not make it forgotten.
    play.world.spec.release = release(3);
    play.run(100);
    assert_eq!(blocked(&play).0, Reason::PolicyConflict, "{}", play.story);
    play.world.spec.verbs.retry = Some("1".into());
    play.run(400);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

/// The operator ends each time between the last write and its record: nobody else has changed anything.
#[test]
fn writes_that_were_never_recorded_are_no_conflict() {
    let mut play = Play::settled();
    play.world.spec.progress_deadline = jiff::SignedDuration::from_mins(1);
    for round in 0..8 {
        play.world.spec.release = release(if round % 2 == 0 { 2 } else { 1 });
        play.until("/retire)");
        let written = play.world.record.written.clone();
        play.until("]");
        assert!(
            play.story.contains("Retire: writes policies"),
            "{}",
            play.story
        );
        play.world.record.written = written;
        play.until("the rollover is complete");
        play.story.clear();
    }
}

#[test]
fn changes_of_our_own_are_no_conflict() {
    let mut play = Play::settled();
    for round in 0..8 {
        let profile = if round % 2 == 0 {
            key_policy::Profile::Pinned
        } else {
            key_policy::Profile::Standard
        };
        for share in &mut play.world.spec.shares {
            share.template.profile = profile;
        }
        play.world.now += jiff::SignedDuration::from_mins(1);
        play.run(50);
        assert!(
            matches!(plan(&play.world), Plan::Settled { .. }),
            "{}",
            play.story
        );
    }
    assert_eq!(play.story.matches("writes policies").count(), 8);
}

#[test]
fn a_revocation_does_not_give_way_to_another_writer_and_a_deletion_says_so() {
    let mut play = Play::rolling("every key admits the live releases");
    for _ in 0..6 {
        flipped(&mut play);
    }
    assert_eq!(blocked(&play).0, Reason::PolicyConflict, "{}", play.story);
    let image = release(2).measurement.image_sha384;
    let admitting = play.world.spec.shares[0]
        .template
        .render(&[release(1).measurement, release(2).measurement]);
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    for _ in 0..6 {
        play.set_facts(0, |facts| facts.policy = Ok(admitting.clone()));
        play.run(30);
        let admits = key_policy::admits(
            play.policy(0),
            &play.world.spec.shares[0].template,
            &release(2).measurement,
        );
        assert_eq!(admits, Ok(false), "{}", play.story);
    }
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.full = true;
    play.until("every key admits the live releases");
    for _ in 0..6 {
        flipped(&mut play);
    }
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    play.run(50);
    assert!(
        play.story
            .contains("allows deletion, but something else changes the policy of key a back"),
        "{}",
        play.story
    );
}

/// Neither the target nor the release before runs well any more, and a third one is wanted.
#[test]
fn a_return_that_makes_no_progress_is_not_sent_back_to_what_was_left() {
    for on_failure in [rollover::OnFailure::Rollback, rollover::OnFailure::Pause] {
        let mut play = Play::settled();
        play.world.spec.on_failure = on_failure;
        play.world.spec.release = release(2);
        play.until("v1 2->1, v2 1->2");
        play.lying = vec!["v1"];
        play.world.spec.release = release(3);
        play.run(2000);
        play.world.now += jiff::SignedDuration::from_hours(1);
        play.run(50);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::ReleaseFailed, "{}", play.story);
        assert!(message.contains("the return to release v1"), "{message}");
        assert_eq!(
            play.story.matches("turns back").count(),
            1,
            "{}",
            play.story
        );
        play.lying.clear();
        play.tick(None);
        play.run(400);
        assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    }
}

#[test]
fn a_finalizer_stays_where_status_was_lost_in_the_middle() {
    let mut play = Play::rolling("Roll: resizes v1 3->2, v2 0->1");
    assert!(play.world.finalizer);
    play.world.record = PersistedState::default();
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::UnexpectedChambers);
    assert!(play.world.finalizer, "{}", play.story);
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    play.run(50);
    assert!(
        play.story
            .contains("still admits more than one measurement"),
        "{}",
        play.story
    );
}

#[test]
fn a_key_that_is_lost_in_retire_keeps_no_chamber_from_being_started() {
    let mut play = Play::rolling("begins to retire: from now on the only way is forward");
    play.until("(2/retire)");
    play.set_facts(2, |facts| facts.state = KeyState::Other("Disabled".into()));
    play.world.spec.replicas = 5;
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::KeyNotEnabled, "{}", play.story);
    assert_eq!(play.world.set("v2").unwrap().replicas, 5, "{}", play.story);
    // With fewer keys than the threshold nothing could unseal.
    play.set_facts(1, |facts| facts.state = KeyState::Other("Disabled".into()));
    play.world.spec.replicas = 6;
    play.run(50);
    assert_eq!(play.world.set("v2").unwrap().replicas, 5, "{}", play.story);
}

#[test]
fn drift_is_only_reported_where_that_is_wanted() {
    let mut play = Play::settled();
    play.world.spec.drift_policy = rollover::DriftPolicy::Report;
    let template = play.world.spec.shares[0].template.clone();
    play.set_facts(0, |facts| facts.policy = Ok(template.render(&[])));
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyDrift);
    assert!(message.contains("key a"), "{message}");
    assert!(!play.story.contains("writes"), "{}", play.story);
}

#[test]
fn a_status_from_a_backup_is_seen_by_the_keys() {
    let mut play = Play::settled();
    let backup = play.world.record.clone();
    play.world.spec.release = release(2);
    play.until("writes policies a=[v2] b=[v2] c=[v2]");
    let young = play.world.record.clone();
    play.until("Settled");
    play.story.clear();
    play.scene("the status from before is restored", |play| {
        play.world.record = backup;
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::StatusBehindKeys);
    play.scene("the one from before Retire is restored", |play| {
        play.world.record = young;
        let at = play.world.now;
        play.world.record.rollover.as_mut().unwrap().phase = Phase::Admitted { at };
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::StatusBehindKeys);
    play.scene("status is removed", |play| {
        play.world.record = rollover::PersistedState::default();
    });
    play.run(50);
    compare("status-behind", &play);
}

#[test]
fn deleting_in_the_middle_leaves_one_measurement() {
    let mut play = Play::rolling("v2 1->2");
    play.scene("deleted", |play| {
        play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    });
    play.until("allows deletion");
    play.scene("created again, with v1", |play| {
        play.world.spec.deletion = None;
        play.world.spec.release = release(1);
        play.world.sets.clear();
        play.world.record = rollover::PersistedState::default();
    });
    play.until("Settled");
    compare("deleted", &play);
}

#[test]
fn deleting_and_keeping_the_chambers_of_two_releases_says_what_is_left() {
    let mut play = Play::rolling("v2 1->2");
    play.story.clear();
    play.world.spec.deletion = Some(rollover::Deletion { orphans: true });
    play.turn();
    assert_eq!(
        play.story,
        "Retire: allows deletion, but chambers of two releases stay, so every policy still admits both measurements\n"
    );
}

#[test]
fn deleting_says_which_holder_still_admits_two() {
    let mut play = observed();
    holder_admits(&mut play, &[1, 2]);
    play.until("v2 1->2");
    play.scene("deleted", |play| {
        play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    });
    play.until(
        "allows deletion, but key c is Observed: ask its holder to leave only v1 in its policy",
    );
    compare("deleted-observed-key", &play);
}

#[test]
fn deleting_says_which_keys_it_could_not_reach() {
    let mut play = Play::rolling("v2 1->2");
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    play.set_facts(1, |facts| facts.policy = Err("not JSON".to_owned()));
    play.unreadable(2, Reason::KeyUnreadable, "key c cannot be read");
    play.until(
        "allows deletion, but the policy of key b is no document: not JSON; key c cannot be read",
    );
}

/// The release before is the last one that was verified: while nothing of it is left, it comes back before the third one.
#[test]
fn a_third_release_waits_for_the_return_even_when_nothing_of_it_has_started() {
    let mut play = Play::rolling("v1 1->0, v2 2->3");
    play.run(4);
    play.story.clear();
    play.scene("the user wants v3", |play| {
        play.world.spec.release = release(3);
    });
    play.until("Measure: begins, v1 -> v3");
    compare("third-release-late", &play);
}

#[test]
fn a_later_claim_to_a_key_is_blocked_until_the_older_one_is_gone() {
    let mut play = Play::new(three());
    play.scene("an older resource names the same key", |play| {
        play.world.ownership_conflict = Some(rollover::OwnershipConflict {
            reason: Reason::DuplicateKey,
            message: "key a is named by ns/older".to_owned(),
        });
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::DuplicateKey);
    play.scene("the older one is gone", |play| {
        play.world.ownership_conflict = None;
    });
    play.until("Settled");
    compare("duplicate-key", &play);
}

#[test]
fn a_revoked_release_gets_no_more_chambers() {
    let mut play = Play::settled();
    play.scene("v1 is revoked", |play| {
        play.world.spec.verbs.revoke = Some(revocation(1));
    });
    play.run(50);
    play.scene("one chamber more is wanted", |play| {
        play.world.spec.replicas += 1;
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    play.scene("the user wants v2", |play| {
        play.world.spec.release = release(2);
    });
    play.until("Settled");
    compare("revoke-and-replicas", &play);
}

#[test]
fn a_key_at_risk_stops_everything_unless_the_spec_accepts_it() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.set_facts(2, |facts| {
        facts.state = KeyState::Other("PendingDeletion".into());
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::KeyNotEnabled);
    play.scene("spec.keys.acceptAtRisk names c", |play| {
        play.world.spec.shares[2].accepted_at_risk = true;
    });
    play.until("Settled");
    play.scene("c is enabled again", |play| {
        play.set_facts(2, |facts| facts.state = KeyState::Enabled);
    });
    play.until("Settled");
    compare("key-at-risk", &play);
}

/// Disabled keys open nothing, until somebody enables them: so many of them would open the old image alone.
#[test]
fn disabled_keys_that_could_open_the_old_image_together_are_waited_for() {
    let mut shares = three();
    shares.push(share("d", false));
    shares[2].managed = false;
    let mut play = Play::new(shares);
    play.until("waits, AwaitingKeyHolder");
    for key in [2, 3] {
        play.admits(key, &[1]);
    }
    play.until("Settled");
    for key in [2, 3] {
        play.disable_at_risk(key);
    }
    play.world.spec.release = release(2);
    play.until("Retire: waits, AwaitingKeyHolder");
    play.admits(3, &[2]);
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

/// Managed ones are written, however many of them are disabled.
#[test]
fn the_old_image_leaves_disabled_keys_that_could_open_it_together() {
    let mut shares = three();
    shares.extend([share("d", true), share("e", true)]);
    let mut play = Play::new(shares);
    play.until("Settled");
    for key in [3, 4] {
        play.disable_at_risk(key);
    }
    play.world.spec.release = release(2);
    play.until("the rollover is complete");
    assert_eq!([3, 4].map(|key| play.admitted(key)), [[2], [2]]);
}

/// A key that admits nobody opens nothing for anybody, and so nobody waits for it.
#[test]
fn disabled_keys_that_admit_nobody_are_not_waited_for() {
    let mut shares = three();
    shares.extend([share("d", false), share("e", false)]);
    let mut play = Play::new(shares);
    for key in [3, 4] {
        play.disable_at_risk(key);
    }
    play.until("Settled");
    play.world.spec.release = release(2);
    play.until("the rollover is complete");
    play.run(50);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

/// Whatever is wrong with a key that nobody waits for: the others lose the old image, and the rollover ends.
#[test]
fn nothing_about_a_disabled_key_at_risk_holds_up_the_others() {
    let deny = r#"{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Resource":"*"}"#;
    let troubles: [fn(&mut Play, &str); 3] = [
        |play, deny| play.with_statement(2, deny),
        |play, _| play.set_facts(2, |facts| facts.tags.clear()),
        |play, _| {
            play.set_facts(2, |facts| facts.tags.clear());
            play.admits(2, &[7]);
        },
    ];
    for trouble in troubles {
        let mut play = Play::settled();
        play.disable_at_risk(2);
        play.world.spec.release = release(2);
        play.until("Roll: resizes v1 3->2, v2 0->1");
        trouble(&mut play, deny);
        play.until("the rollover is complete");
        assert_eq!([0, 1].map(|key| play.admitted(key)), [[2], [2]]);
        assert!(!play.story.contains("blocked"), "{}", play.story);
    }
}

/// What KMS would refuse on a key that nobody waits for holds up nothing.
#[test]
fn a_disabled_key_at_risk_with_a_deleted_principal_holds_up_nothing() {
    let mut play = Play::settled();
    play.disable_at_risk(2);
    play.world.spec.release = release(2);
    play.until("Roll: resizes v1 3->2, v2 0->1");
    play.with_statement(
        2,
        r#"{"Sid":"Theirs","Effect":"Deny","Principal":{"AWS":"AROAEXAMPLEEXAMPLEEX"},"Action":"kms:Sign","Resource":"*"}"#,
    );
    play.run(300);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(play.admitted(2), [1]);
}

#[test]
fn a_holder_who_never_answers_holds_up_nothing_once_the_spec_accepts_its_key_at_risk() {
    let mut play = Play::settled();
    play.world.spec.shares[2].managed = false;
    play.world.spec.release = release(2);
    play.until("AwaitingKeyHolder");
    play.scene("spec.keys.acceptAtRisk names c", |play| {
        play.world.spec.shares[2].accepted_at_risk = true;
    });
    play.until("Settled");
    compare("silent-holder-at-risk", &play);
}

#[test]
fn keys_that_could_open_the_old_image_together_are_waited_for_whatever_the_spec_accepts() {
    let mut play = Play::settled();
    for share in &mut play.world.spec.shares[1..] {
        (share.managed, share.accepted_at_risk) = (false, true);
    }
    play.world.spec.release = release(2);
    // Two of three shares open the master key: key a alone starts no chamber of v2.
    play.until("Admit: waits, AwaitingKeyHolder");
    let both = [release(1).measurement, release(2).measurement];
    let both = play.world.spec.shares[1].template.render(&both);
    play.set_facts(1, |facts| facts.policy = Ok(both));
    play.until("Retire: waits, AwaitingKeyHolder");
    let v2 = [release(2).measurement];
    let v2 = play.world.spec.shares[1].template.render(&v2);
    play.set_facts(1, |facts| facts.policy = Ok(v2));
    play.until("Settled");
}

#[test]
fn a_key_that_refuses_every_write_holds_up_nothing_once_the_spec_accepts_it_at_risk() {
    let mut play = Play::settled();
    play.refuse(2, jiff::SignedDuration::from_hours(9));
    play.world.spec.release = release(2);
    play.until("KeyRefusesWrite");
    play.world.spec.shares[2].accepted_at_risk = true;
    play.refuse(2, jiff::SignedDuration::from_hours(9));
    play.until("Roll: makes the ReplicaSet of v2");
    assert!(!play.story.contains(" c=["), "{}", play.story);
}

/// Between the word that Retire begins and its first write, whatever is asked for still has its way.
#[test]
fn a_target_that_is_revoked_when_retire_has_begun_leaves_every_key() {
    let mut play = Play::rolling("begins to retire: from now on the only way is forward");
    play.story.clear();
    play.scene("v2 is revoked", |play| {
        play.world.spec.verbs.revoke = Some(revocation(2));
    });
    play.run(100);
    play.scene("the user wants v3", |play| {
        play.world.spec.release = release(3);
    });
    play.until("Settled");
    compare("revoked-when-retire-begun", &play);
}

#[test]
fn a_deletion_when_retire_has_begun_leaves_the_target() {
    let mut play = Play::rolling("begins to retire: from now on the only way is forward");
    play.story.clear();
    play.scene("the resource is deleted", |play| {
        play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    });
    play.until("allows deletion");
    compare("deleted-when-retire-begun", &play);
}

#[test]
fn a_pause_when_retire_has_begun_keeps_the_targets_size_and_goes_on_afterwards() {
    let mut play = Play::rolling("begins to retire: from now on the only way is forward");
    play.story.clear();
    play.scene("paused, and a chamber more is wanted", |play| {
        play.world.spec.paused = true;
        play.world.spec.replicas += 1;
    });
    play.run(20);
    play.scene("resumed", |play| play.world.spec.paused = false);
    play.until("Settled");
    compare("paused-when-retire-begun", &play);
}

/// KMS takes no tag for a key that is pending deletion.
#[test]
fn a_commitment_is_not_tagged_on_a_key_that_is_pending_deletion() {
    let mut play = Play::new(three());
    play.world.spec.shares[2].accepted_at_risk = true;
    play.until("Admit: stores the sealed blob for v1");
    play.set_facts(2, |facts| {
        facts.state = KeyState::Other("PendingDeletion".into());
    });
    play.until("Settled");
    assert!(
        play.story.contains("tags 2 keys with the commitment"),
        "{}",
        play.story
    );
}

#[test]
fn two_first_releases_that_never_ran_give_way_to_a_third() {
    let mut play = Play::new(three());
    play.broken = vec!["v1", "v2"];
    play.run(100);
    play.story.clear();
    play.scene("the user wants v2", |play| {
        play.world.spec.release = release(2);
    });
    play.until("ChamberSealed");
    play.scene("the user wants v3", |play| {
        play.world.spec.release = release(3);
    });
    play.until("Settled");
    compare("broken-first-releases", &play);
}

#[test]
fn a_key_that_is_pending_deletion_does_not_hold_up_a_revocation() {
    let mut play = Play::settled();
    play.set_facts(2, |facts| {
        facts.state = KeyState::Other("PendingDeletion".into());
    });
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.run(50);
    assert!(
        play.story.contains("writes policies a=[] b=[] c=[]"),
        "{}",
        play.story
    );
    // KMS takes policies in every state, tags only while the key is not to be deleted.
    assert!(
        play.story.contains("tags 2 keys, revoked v1"),
        "{}",
        play.story
    );
    assert_eq!(blocked(&play).0, Reason::KeyNotEnabled);
}

/// A release that changes no measurement writes no policy: what another writer changes back in it is counted as ever.
#[test]
fn a_change_of_the_template_hides_no_other_writer() {
    let mut play = Play::settled();
    play.world.spec.release.revision = "v1b".to_owned();
    play.until("makes the ReplicaSet of v1b");
    play.admits(0, &[1, 2]);
    play.world.now += jiff::SignedDuration::from_secs(40);
    play.until("the rollover is complete");
    let written = play.world.record.written.values();
    let put_right: Vec<_> = written.map(|known| known.put_right.len()).collect();
    assert_eq!(put_right, [1, 0, 0], "{}", play.story);
}

/// Status is gone, and with it the rule that keeps the role's account: a policy of our own that names another role is not taken over.
#[test]
fn another_account_of_the_enclave_role_takes_over_no_key_of_ours() {
    for (forgets, next) in [(true, 2), (false, 2), (false, 1)] {
        let mut play = Play::settled();
        for share in &mut play.world.spec.shares {
            share.adopt = true;
            share.template.role_account = "444455556666".to_owned();
        }
        if forgets {
            play.world.record = rollover::PersistedState::default();
        }
        play.world.spec.release = release(next);
        play.forget_looks();
        play.run(50);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::KeyOfAnotherCluster, "{message}");
        assert!(
            message.contains("Put spec.enclaveRoleAccountId right"),
            "{message}"
        );
        assert!(!play.story.contains("writes policies"), "{}", play.story);
    }
}

/// One holder makes a key unusable once Retire has begun: the old image leaves the other keys all the same.
#[test]
fn a_key_that_turns_hostile_in_retire_keeps_the_old_image_in_no_other() {
    let troubles: [(Reason, Spoil); 4] = [
        (Reason::StatusBehindKeys, |play| {
            play.set_tag(2, tags::ROLLOVER, "99/retire");
        }),
        (Reason::KeyOwnedByAnother, |play| {
            play.set_tag(2, tags::OWNER, "other/ns/signer");
        }),
        (Reason::PolicyUnparsable, |play| {
            play.set_facts(2, |facts| facts.policy = Err("no JSON".into()));
        }),
        (Reason::KeyOfAnotherCluster, |play| {
            let mut template = share("c", true).template;
            template.cluster_id = "other".into();
            play.set_facts(2, |facts| facts.policy = Ok(template.render(&[])));
        }),
    ];
    for (reason, trouble) in troubles {
        let mut play = Play::rolling("Retire: tags 3 keys as this cluster's (2/retire)");
        trouble(&mut play);
        play.run(60);
        assert_eq!([0, 1].map(|key| play.admitted(key)), [[2], [2]], "{reason}");
        assert_eq!(blocked(&play).0, reason, "{}", play.story);
    }
}

/// Somebody deleted the ReplicaSet of the release before: the keys tell that it is no invention of status, once they are read.
#[test]
fn a_return_whose_set_is_gone_is_not_turned_round_again_on_keys_that_were_not_read() {
    let mut play = Play::settled();
    play.world.sets.clear();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("resizes v2 0->1");
    play.world.spec.release = release(3);
    play.until("turns back to the release before");
    let readings = std::mem::take(&mut play.world.readings);
    assert!(
        matches!(plan(&play.world), Plan::Look(_)),
        "{:?}",
        plan(&play.world)
    );
    play.world.readings = readings;
    (0..3).for_each(|key| play.unreadable(key, Reason::KeyUnreadable, "no answer"));
    assert_eq!(blocked(&play).0, Reason::KeyUnreadable, "{}", play.story);
}
