//! Stories: what the planner does, told in the order in which it happens. `BLESS=1` writes them anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod play;

use play::{Play, release, share};
use rollover::{KeyState, Metrics, Plan, Reading, Reason, plan};

fn compare(name: &str, play: &Play) {
    let file = format!("{}/tests/stories/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &play.story).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden.lines().count() <= 40,
        "{name} is too long to be read"
    );
    assert!(
        play.story == golden,
        "{name}: run with BLESS=1 and read the difference\n{}",
        play.story
    );
}

fn three() -> Vec<rollover::Share> {
    vec![share("a", true), share("b", true), share("c", true)]
}

fn blocked(play: &Play) -> (Reason, String) {
    match plan(&play.world) {
        Plan::Block {
            reason, message, ..
        } => (reason, message),
        other => panic!("{other:?}\n{}", play.story),
    }
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
    play.run(200);
    let old = play.world.set("v1").unwrap();
    assert_eq!(old.unsealed(), 2, "the others serve");
    play.tell("-- Decrypt enforces the new policies");
    play.held = false;
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
    old.chambers.retain(|chamber| chamber.terminating);
    play.run(200);
    compare("old-chamber-dies", &play);
}

#[test]
fn back_to_the_release_before_in_the_middle() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.held = true;
    play.run(200);
    play.tell("-- the user goes back to v1");
    play.world.spec.release = release(1);
    play.run(200);
    compare("turned-back", &play);
}

#[test]
fn a_third_release_waits_for_the_second() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    while play.world.set("v2").is_none() {
        play.turn();
    }
    play.tell("-- the user wants v3");
    play.world.spec.release = release(3);
    while !play.story.ends_with("begins, v2 -> v3\n") {
        assert!(play.turn(), "{}", play.story);
    }
    compare("third-release", &play);
}

#[test]
fn a_third_release_takes_the_place_of_one_that_never_started() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    while play
        .world
        .record
        .rollover
        .as_ref()
        .is_none_or(|rollover| rollover.admitted_at.is_none())
    {
        play.turn();
    }
    play.tell("-- the user wants v3");
    play.world.spec.release = release(3);
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

#[test]
fn an_observed_key_is_waited_for() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    let template = play.world.spec.shares[2].template.clone();
    let admit = |play: &mut Play, releases: &[u8]| {
        let live: Vec<_> = releases
            .iter()
            .map(|byte| release(*byte).measurement)
            .collect();
        play.set_facts(2, |facts| facts.policy = Ok(template.render(&live)));
        play.tell(&format!("-- the holder of c admits {releases:?}"));
    };
    admit(&mut play, &[1]);
    play.run(200);
    play.story.clear();
    play.world.spec.release = release(2);
    play.run(200);
    admit(&mut play, &[1, 2]);
    play.run(200);
    admit(&mut play, &[2]);
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
    play.rejected = 2.0;
    play.run(200);
    play.tell("-- the rejections end");
    play.rejected = 0.0;
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
    play.world.record = rollover::Record::default();
    play.run(200);
    compare("status-lost", &play);
}

#[test]
fn a_lost_blob_is_never_sealed_anew() {
    let mut play = Play::settled();
    play.world.blobs.clear();
    play.run(10);
    assert_eq!(blocked(&play).0, Reason::BlobLost);
    // Not even when status is lost, too: the keys know.
    play.world.record = rollover::Record::default();
    play.world.sets.clear();
    play.run(10);
    assert_eq!(blocked(&play).0, Reason::BlobLost);
}

#[test]
fn bad_input_is_blocked_with_its_own_reason_and_nothing_is_done() {
    let cases: [(Reason, Spoil); 9] = [
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
            let read_at = play.world.now;
            let message = "key b".into();
            play.world.keys[1].reading = Reading::Failed {
                read_at,
                reason: Reason::KeyNotFound,
                message,
            };
        }),
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
        (Reason::ForeignDeny, |play| {
            with_statement(
                play,
                r#"{"Sid":"Stop","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}"#,
            );
        }),
        (Reason::PolicyUnsound, |play| {
            with_statement(
                play,
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
            !play.story.contains("writes") && !play.story.contains("claims"),
            "{reason}: {}",
            play.story
        );
        assert!(play.world.sets.is_empty(), "{reason} rolled");
    }
}

/// Makes one thing of a good world bad.
type Spoil = fn(&mut Play);

fn with_statement(play: &mut Play, statement: &str) {
    let rendered = share("b", true).template.render(&[]).to_json();
    let open = rendered.rfind(']').unwrap();
    let text = format!(
        "{},{statement}]{}",
        &rendered[..open],
        &rendered[open + 1..]
    );
    play.set_facts(1, |facts| {
        facts.policy = Ok(key_policy::Policy::parse(&text).unwrap());
    });
}

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
    play.world.now += jiff::SignedDuration::from_mins(9);
    assert!(matches!(plan(&play.world), Plan::Settled { .. }));
    play.world.now += jiff::SignedDuration::from_mins(2);
    assert_eq!(plan(&play.world), Plan::Look(rollover::Look::Keys));
}

#[test]
fn a_settled_world_yields_no_action() {
    let play = Play::settled();
    assert!(matches!(plan(&play.world), Plan::Settled { .. }));
}
