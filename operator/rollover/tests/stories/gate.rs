//! Stories of the attested gate of Verify. `BLESS=1` writes them anew.

use crate::play::{Play, compare, release, share};
use jiff::SignedDuration;
use measurement::{MANIFEST_REGISTER, Pcr};
use rollover::{
    Action, Attestation, Attestations, Gate, Look, Metrics, Plan, Reason, Step, Transition, World,
    laws, plan,
};

/// Settled on v1, which did not know how to attest; v2 is wanted.
fn from_an_old_image(gate: Gate) -> Play {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.silent = vec!["v1"];
    play.run(200);
    play.story.clear();
    play.world.spec.gate = gate;
    play.world.spec.release = release(2);
    play
}

/// Settled on v1, which attested; v2 is wanted.
fn from_an_attested_image(gate: Gate) -> Play {
    let mut play = Play::settled();
    assert_eq!(play.world.record.attested.as_deref(), Some("v1"));
    play.world.spec.gate = gate;
    play.world.spec.release = release(2);
    play
}

/// The turn in which Retire would begin: everything was looked at, and nothing stands against it.
fn about_to_retire(gate: Gate) -> Play {
    let mut play = from_an_attested_image(gate);
    play.until("Verify: waits, Soaking");
    while !matches!(
        plan(&play.world),
        Plan::Act {
            action: Action::Transition(Transition::RetireBegun),
            ..
        }
    ) {
        assert!(play.turn(), "{}", play.story);
    }
    play
}

fn waits(world: &World) -> (Reason, String) {
    match plan(world) {
        Plan::Wait { obstacle, .. } => (obstacle.reason(), obstacle.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Why the fuse does not let Retire begin.
fn refused(world: &World) -> String {
    let breach = laws::check(world, &Action::Transition(Transition::RetireBegun)).unwrap_err();
    assert_eq!(breach.law, 4, "{}", breach.message);
    breach.message
}

#[test]
fn required_waits_for_a_silent_chamber() {
    let mut play = from_an_old_image(Gate::Required);
    play.silent.push("v2");
    play.run(200);
    play.scene("the chambers of v2 attest", |play| play.silent.clear());
    play.run(200);
    compare("gate-required", &play);
}

#[test]
fn preferred_falls_back_to_prometheus_and_not_after_a_release_has_attested() {
    let mut play = from_an_old_image(Gate::Preferred);
    play.silent.push("v2");
    play.run(200);
    assert!(play.story.contains("Retire: the rollover is complete"));
    assert_eq!(play.world.record.attested, None);
    play.tell("-- the user wants v3, which attests, and then v4, which does not");
    play.world.spec.release = release(3);
    play.run(200);
    play.world.spec.release = release(4);
    play.silent.push("v4");
    play.run(200);
    // The longest of the stories: it is told from v3's Verify on.
    let told = play.story.find("Verify: every chamber").unwrap();
    play.story.drain(..told);
    compare("gate-preferred", &play);
}

#[test]
fn what_a_chamber_attests_wrongly_stops_preferred_and_required_alike() {
    for gate in [Gate::Preferred, Gate::Required] {
        let mut play = from_an_old_image(gate);
        play.lying = vec!["v2"];
        play.run(200);
        play.turn();
        let (reason, message) = waits(&play.world);
        assert_eq!(reason, Reason::AttestationRefused);
        assert!(message.contains("it runs another image"), "{message}");
        compare("gate-refused", &play);
    }
}

#[test]
fn where_it_is_disabled_nobody_is_asked() {
    let mut play = from_an_attested_image(Gate::Disabled);
    play.lying = vec!["v2"];
    let before = play.asked;
    play.run(200);
    assert_eq!(play.asked, before);
    compare("five-steps", &play);
}

#[test]
fn a_restart_asks_again() {
    let mut play = about_to_retire(Gate::Required);
    let asked = play.asked;
    let restarted = play.world.now + SignedDuration::from_secs(1);
    let set = play.world.sets.iter_mut();
    let set = set.last().unwrap();
    set.chambers[0].started_at = Some(restarted);
    assert!(refused(&play.world).contains("is not verified"));
    play.tick(None);
    play.run(200);
    assert!(matches!(plan(&play.world), Plan::Settled { .. }));
    assert!(play.asked > asked);
}

#[test]
fn an_answer_from_before_the_start_counts_for_neither() {
    for gate in [Gate::Required, Gate::Preferred] {
        let mut play = about_to_retire(gate);
        change(&mut play, |attestation| {
            if let Attestation::Attested { at, .. } = attestation {
                *at -= SignedDuration::from_hours(1);
            }
        });
        let (reason, message) = waits(&play.world);
        assert_eq!(reason, Reason::AttestationMissing);
        assert!(message.contains("before its start"), "{message}");
        assert!(refused(&play.world).contains("does not attest"));
    }
}

#[test]
fn answers_stand_for_half_a_minute() {
    let mut play = about_to_retire(Gate::Required);
    for later in [31, -31] {
        let Some(Attestations::Asked { at, .. }) = &mut play.world.attestations else {
            panic!("{}", play.story);
        };
        *at = play.world.now - SignedDuration::from_secs(later);
        let revision = "v2".to_owned();
        assert_eq!(
            plan(&play.world),
            Plan::Look(rollover::Look::Attestation { revision })
        );
        assert!(refused(&play.world).contains("just now"));
    }
}

#[test]
fn a_share_that_a_chamber_attests_not_to_have_opened_holds_retire_until_it_is_accepted_at_risk() {
    let mut play = about_to_retire(Gate::Preferred);
    change(&mut play, |attestation| {
        if let Attestation::Attested { opened, .. } = attestation {
            opened.pop_last();
        }
    });
    let (reason, message) = waits(&play.world);
    assert_eq!(reason, Reason::ShareUnopened);
    assert!(message.contains("attests"), "{message}");
    assert!(refused(&play.world).contains("does not attest"));
    play.world.spec.shares[2].accepted_at_risk = true;
    let retire = Action::Transition(Transition::RetireBegun);
    assert_eq!(laws::check(&play.world, &retire), Ok(()));
    assert!(matches!(plan(&play.world), Plan::Act { .. }));
}

/// Another answer of one chamber, and what the planner and the fuse make of it.
#[test]
fn each_answer_of_a_single_chamber_has_its_reason_and_the_fuse_agrees() {
    for (gate, attested, answer, reason) in [
        (Gate::Required, false, silent(), Reason::AttestationMissing),
        (Gate::Preferred, true, silent(), Reason::AttestationMissing),
        (Gate::Required, true, wrong(), Reason::AttestationRefused),
        (Gate::Preferred, false, wrong(), Reason::AttestationRefused),
    ] {
        let mut play = about_to_retire(gate);
        play.world.record.attested = attested.then(|| "v1".to_owned());
        let name = change(&mut play, |attestation| *attestation = answer.clone());
        let (found, message) = waits(&play.world);
        assert_eq!(found, reason, "{gate:?} {message}");
        assert!(message.contains(&name), "{message}");
        assert!(refused(&play.world).contains(&name));
    }
}

#[test]
fn a_chamber_that_was_not_asked_is_none_that_attests() {
    for gate in [Gate::Required, Gate::Preferred] {
        let mut play = about_to_retire(gate);
        play.world.record.attested = None;
        let Some(Attestations::Asked { chambers, .. }) = &mut play.world.attestations else {
            panic!("{}", play.story);
        };
        chambers.pop_last();
        assert_eq!(waits(&play.world).0, Reason::AttestationMissing);
        assert!(refused(&play.world).contains("does not attest"));
    }
}

/// From then on silence would be no answer, so one that is silent now keeps it from being written down.
#[test]
fn a_release_has_attested_when_each_of_its_chambers_has() {
    let mut play = about_to_retire(Gate::Preferred);
    play.world.record.attested = None;
    let orders = |play: &Play, transition| {
        let action = Action::Transition(transition);
        matches!(plan(&play.world), Plan::Act { action: found, .. } if found == action)
    };
    assert!(orders(&play, Transition::Attested("v2".into())));
    change(&mut play, |attestation| *attestation = silent());
    assert!(orders(&play, Transition::RetireBegun));
}

#[test]
fn whoever_was_asked_a_moment_ago_is_asked_again_when_it_is_time() {
    let mut play = about_to_retire(Gate::Required);
    let later = play.world.now + SignedDuration::from_secs(3);
    play.world.attestations = Some(Attestations::Deferred { until: later });
    let Plan::Wait {
        until, obstacle, ..
    } = plan(&play.world)
    else {
        panic!("{:?}", plan(&play.world));
    };
    assert_eq!(until, Some(later));
    assert_eq!(obstacle.reason(), Reason::AttestationMissing);
    assert!(refused(&play.world).contains("just now"));
}

/// The same where a settled cluster is to pin its manifest: nobody is asked before the turn has come.
#[test]
fn before_a_pin_chambers_are_asked_when_it_is_time() {
    let mut play = Play::settled();
    let mut measurement = release(1).measurement;
    let pcr = Pcr::from_bytes([7; 48]);
    measurement.registers.insert(MANIFEST_REGISTER, pcr);
    play.world.spec.release.measurement = measurement.clone();
    play.world.record.current = Some(play.world.spec.release.clone());
    play.world.sets[0].release.measurement = measurement;
    for share in &mut play.world.spec.shares {
        share.template.pins.insert(MANIFEST_REGISTER);
    }
    let revision = "v1".to_owned();
    let look = Plan::Look(Look::Attestation { revision });
    assert_eq!(plan(&play.world), look);
    let later = play.world.now + SignedDuration::from_secs(3);
    play.world.attestations = Some(Attestations::Deferred { until: later });
    let next = plan(&play.world);
    assert!(
        matches!(next, Plan::Wait { step: Step::Settled, until, .. } if until == Some(later)),
        "{next:?}"
    );
}

/// What Prometheus does not say when Retire would begin.
#[test]
fn what_prometheus_cannot_say_is_waited_for_and_asked_again() {
    let mut play = about_to_retire(Gate::Required);
    let known = play.world.metrics.clone();
    play.world.metrics = Some(Metrics::Unavailable("connection refused".into()));
    let (reason, message) = waits(&play.world);
    assert_eq!(reason, Reason::PrometheusUnavailable);
    assert!(message.contains("connection refused"), "{message}");
    assert!(refused(&play.world).contains("metrics are not known"));
    let turn = play.world.now + SignedDuration::from_secs(9);
    play.world.metrics = Some(Metrics::Deferred { until: turn });
    let next = plan(&play.world);
    assert!(
        matches!(next, Plan::Wait { until, .. } if until == Some(turn)),
        "{next:?}"
    );
    play.world.metrics = known;
    // Rejections that were counted over a shorter time say nothing of the whole.
    play.world.spec.soak_time += SignedDuration::from_secs(1);
    play.world.now += SignedDuration::from_secs(1);
    let window = play.world.spec.soak_time;
    assert_eq!(plan(&play.world), Plan::Look(Look::Metrics { window }));
}

#[test]
fn a_sample_without_a_time_proves_nothing() {
    let mut play = about_to_retire(Gate::Required);
    let Some(Metrics::Known { pods, .. }) = &mut play.world.metrics else {
        panic!("{}", play.story);
    };
    pods.values_mut().next().unwrap().sampled_at = None;
    let (reason, message) = waits(&play.world);
    assert_eq!(reason, Reason::MetricsInconclusive);
    assert!(message.contains("gives no time of a sample"), "{message}");
    assert!(refused(&play.world).contains("is not verified"));
}

/// Prometheus keeps its veto, whatever chambers attest.
#[test]
fn an_attested_chamber_is_stopped_by_prometheus() {
    let mut play = from_an_attested_image(Gate::Required);
    play.scraped = false;
    play.run(200);
    assert!(
        play.story
            .trim_end()
            .ends_with("Verify: waits, MetricsInconclusive")
    );
}

fn silent() -> Attestation {
    Attestation::Silent("HTTP 404".into())
}

fn wrong() -> Attestation {
    Attestation::Refused("PCR0 is of another image".into())
}

/// Changes the answer of the last chamber, and tells its name.
fn change(play: &mut Play, how: impl FnOnce(&mut Attestation)) -> String {
    let Some(Attestations::Asked { chambers, .. }) = &mut play.world.attestations else {
        panic!("nobody was asked:\n{}", play.story);
    };
    let mut last = chambers.last_entry().unwrap();
    how(last.get_mut());
    last.key().clone()
}
