//! The fuse, law by law: the smallest step that breaks a law is stopped, and its neighbour that breaks none is not.

use crate::play::{COMMITMENT, Play, release, share};
use jiff::SignedDuration;
use key_policy::Policy;
use measurement::{MANIFEST_REGISTER, Measurement, Pcr};
use rollover::{
    Action, Blob, Deletion, Failing, Failure, Fence, KeyState, KeyWrite, Metrics, Object,
    ObjectProblem, PersistedState, Phase, Plan, Reading, Reason, Resize, Rollover, SealPod,
    Transition, laws, plan, tags,
};

/// The law that an action would break, and what is said of it.
fn stopped(play: &Play, action: &Action) -> (u8, String) {
    let breach = laws::check(&play.world, action).unwrap_err();
    (breach.law, breach.message)
}

#[track_caller]
fn stops(play: &Play, action: &Action, law: u8, words: &str) {
    let (found, message) = stopped(play, action);
    assert_eq!(found, law, "{message}");
    assert!(message.contains(words), "{message}");
}

#[track_caller]
fn passes(play: &Play, action: &Action) {
    assert_eq!(laws::check(&play.world, action), Ok(()));
}

/// The write of a policy to a key, in place of the one that was read.
fn write(play: &Play, key: usize, policy: Policy) -> KeyWrite {
    let share = &play.world.spec.shares[key];
    KeyWrite {
        name: share.name.clone(),
        arn: share.arn.clone(),
        expected: play.policy(key).clone(),
        policy,
        content: String::new(),
    }
}

/// The policy of a key that admits these measurements.
fn admitting(play: &Play, key: usize, live: &[Measurement]) -> Policy {
    play.world.spec.shares[key].template.render(live)
}

fn images(numbers: &[u8]) -> Vec<Measurement> {
    let releases = numbers.iter().map(|number| release(*number));
    releases.map(|release| release.measurement).collect()
}

/// Writes these releases into the policies of these keys.
fn writes(play: &Play, keys: &[usize], numbers: &[u8]) -> Action {
    let of = |key: &usize| write(play, *key, admitting(play, *key, &images(numbers)));
    Action::WritePolicies(keys.iter().map(of).collect())
}

/// The policies of these keys admit these releases.
fn hold(play: &mut Play, keys: &[usize], numbers: &[u8]) {
    for key in keys {
        let policy = admitting(play, *key, &images(numbers));
        play.set_facts(*key, |facts| facts.policy = Ok(policy));
    }
}

/// Resizes the set of a release that is there.
fn resize(play: &Play, number: u8, to: u32) -> Action {
    let set = play.world.set(&release(number).revision).unwrap();
    Action::Resize(vec![Resize {
        release: set.release.clone(),
        version: set.version.clone(),
        from: set.replicas,
        to,
    }])
}

fn arns(play: &Play, keys: &[usize]) -> Vec<String> {
    let shares = &play.world.spec.shares;
    keys.iter().map(|key| shares[*key].arn.clone()).collect()
}

fn disable(play: &mut Play, key: usize) {
    play.set_facts(key, |facts| {
        facts.state = KeyState::Other("Disabled".into());
    });
}

/// A person asked to revoke a release, and status remembers it.
fn revoke(play: &mut Play, number: u8) {
    let image = release(number).measurement.image_sha384;
    play.world.record.revoked.push(image);
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
}

/// The same of one more.
fn revoke_beside(play: &mut Play, number: u8) {
    let image = release(number).measurement.image_sha384;
    play.world.record.revoked.push(image);
    let asked = play.world.spec.verbs.revoke.take().unwrap_or_default();
    play.world.spec.verbs.revoke = Some(format!("{asked}\n{image} it leaked, too"));
}

fn tag_revoked(play: &mut Play, key: usize, number: u8) {
    let prefix = tags::prefix(&release(number).measurement.image_sha384);
    for (name, value) in tags::revoked_pages(&[prefix]) {
        play.set_tag(key, &name, &value);
    }
}

/// Every chamber runs v2 and was proven, and Retire is what comes next.
fn about_to_retire() -> Play {
    let mut play = Play::rolling("Verify: waits, Soaking");
    let retire = Action::Transition(Transition::RetireBegun);
    while !matches!(plan(&play.world), Plan::Act { action, .. } if action == retire) {
        assert!(play.turn(), "{}", play.story);
    }
    play
}

fn retire() -> Action {
    Action::Transition(Transition::RetireBegun)
}

/// Status says that Retire has begun.
fn said_to_retire(play: &mut Play) {
    let since = play.world.now;
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.phase = Phase::Retiring { since };
}

/// Retire has begun, by this process' own hand.
fn retiring(play: &mut Play) {
    said_to_retire(play);
    let rollover = play.world.record.rollover.as_ref().unwrap();
    let target = tags::retired_for(&rollover.to.measurement);
    play.world.retire_witnessed = Some((play.world.record.rollovers, target));
}

/// Readings of another time than now.
fn read(play: &mut Play, ago: i64) {
    let read_at = play.world.now - SignedDuration::from_secs(ago);
    (0..3).for_each(|key| play.set_facts(key, |facts| facts.read_at = read_at));
}

#[test]
fn law_1_keeps_as_many_usable_shares_as_chambers_need() {
    let mut play = Play::settled();
    stops(&play, &writes(&play, &[0, 1], &[]), 1, "only 1 of 2");
    // One share fewer is no lock-out, but it is no retirement either.
    stops(&play, &writes(&play, &[0], &[]), 4, "key a would lose");
    disable(&mut play, 2);
    stops(&play, &writes(&play, &[0], &[]), 1, "only 1 of 2");
    // What is lost already does not keep the rest from being mended.
    hold(&mut play, &[0, 1, 2], &[]);
    passes(&play, &writes(&play, &[0], &[1]));
    play.set_facts(1, |facts| facts.policy = Err("no document".into()));
    passes(&play, &writes(&play, &[0], &[1]));
}

#[test]
fn law_1_counts_no_policy_that_cannot_be_read() {
    let mut play = Play::settled();
    play.set_facts(1, |facts| facts.policy = Err("no document".into()));
    stops(&play, &writes(&play, &[0], &[]), 1, "only 1 of 2");
}

#[test]
fn law_1_rests_on_readings_of_the_last_half_minute() {
    let mut play = Play::settled();
    hold(&mut play, &[0], &[]);
    for (ago, fresh) in [(30, true), (31, false), (-30, true), (-31, false)] {
        read(&mut play, ago);
        let heals = writes(&play, &[0], &[1]);
        if fresh {
            passes(&play, &heals);
        } else {
            stops(&play, &heals, 1, "not read within");
        }
    }
}

#[test]
fn law_1_asks_nothing_for_chambers_that_are_gone_or_revoked() {
    let mut play = Play::settled();
    revoke(&mut play, 1);
    passes(&play, &writes(&play, &[0, 1, 2], &[]));
    let mut play = Play::settled();
    play.world.sets[0].replicas = 0;
    stops(&play, &writes(&play, &[0, 1], &[]), 1, "only 1 of 2");
    play.world.sets[0].chambers.clear();
    passes(&play, &writes(&play, &[0], &[]));
    play.world.sets[0].replicas = 1;
    stops(&play, &writes(&play, &[0], &[]), 4, "key a would lose");
}

#[test]
fn law_1_starts_what_was_verified_with_as_many_keys_as_it_needs() {
    let mut play = Play::settled();
    disable(&mut play, 0);
    passes(&play, &resize(&play, 1, 4));
    disable(&mut play, 1);
    stops(&play, &resize(&play, 1, 4), 1, "1 of 2 keys");
    play.world.budget = Some(1);
    passes(&play, &resize(&play, 1, 2));
    read(&mut play, 31);
    passes(&play, &resize(&play, 1, 2));
    stops(&play, &resize(&play, 1, 3), 7, "change nothing");
}

#[test]
fn law_1_starts_what_was_not_verified_when_every_key_admits_it() {
    let mut play = Play::rolling("makes the ReplicaSet of v2");
    passes(&play, &resize(&play, 2, 1));
    disable(&mut play, 0);
    stops(&play, &resize(&play, 2, 1), 1, "2 of 3 keys");
    play.world.spec.shares[0].accepted_at_risk = true;
    passes(&play, &resize(&play, 2, 1));
    // Never fewer than open the master key.
    disable(&mut play, 1);
    play.world.spec.shares[1].accepted_at_risk = true;
    stops(&play, &resize(&play, 2, 1), 1, "1 of 2 keys");
}

#[test]
fn law_1_takes_the_target_for_verified_once_retire_has_begun() {
    let mut play = about_to_retire();
    disable(&mut play, 0);
    stops(&play, &resize(&play, 2, 4), 1, "2 of 3 keys");
    let target = tags::retired_for(&release(2).measurement);
    play.world.retire_witnessed = Some((play.world.record.rollovers, target));
    stops(&play, &resize(&play, 2, 4), 1, "2 of 3 keys");
    retiring(&mut play);
    passes(&play, &resize(&play, 2, 4));
    stops(&play, &resize(&play, 1, 1), 1, "2 of 3 keys");
}

#[test]
fn law_2_admits_two_at_most_and_each_as_approved() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    stops(&play, &writes(&play, &[0], &[1, 2]), 2, "nobody approved");
    play.world.record.rollover = Some(Rollover::begin(
        Some(release(1)),
        release(2),
        play.world.now,
    ));
    passes(&play, &writes(&play, &[0], &[1, 2]));
    stops(&play, &writes(&play, &[0], &[1, 9]), 2, "nobody approved");
    stops(
        &play,
        &writes(&play, &[0], &[1, 2, 9]),
        2,
        "admit 3 measurements",
    );
    // The same, where status alone knows the target.
    play.world.spec.release = release(1);
    stops(&play, &writes(&play, &[0], &[1, 2]), 2, "nobody approved");
    let mut set = play.world.sets[0].clone();
    set.release = release(2);
    play.world.sets.push(set);
    passes(&play, &writes(&play, &[0], &[1, 2]));
}

#[test]
fn law_2_lets_nothing_revoked_in_or_stay() {
    let mut play = Play::rolling("2->3");
    hold(&mut play, &[0], &[1]);
    passes(&play, &writes(&play, &[0], &[1, 2]));
    // One key's tag bars what would enter, and takes nothing out of another.
    tag_revoked(&mut play, 2, 2);
    stops(&play, &writes(&play, &[0], &[1, 2]), 2, "was revoked");
    hold(&mut play, &[0], &[1, 2]);
    let same = |play: &Play| {
        let policy = play.policy(0).clone();
        Action::WritePolicies(vec![write(play, 0, policy)])
    };
    stops(&play, &same(&play), 7, "change nothing");
    revoke(&mut play, 2);
    stops(&play, &same(&play), 2, "was revoked");
}

#[test]
fn law_2_writes_no_zeros_even_where_they_were() {
    let mut play = Play::settled();
    hold(&mut play, &[0], &[0, 1]);
    stops(&play, &writes(&play, &[0], &[0]), 2, "debug mode");
    hold(&mut play, &[0], &[]);
    passes(&play, &writes(&play, &[0], &[1]));
}

/// v1 with a register beside its image.
fn pinned(value: u8) -> Measurement {
    let mut measurement = release(1).measurement;
    let pcr = Pcr::from_bytes([value; 48]);
    measurement.registers.insert(MANIFEST_REGISTER, pcr);
    measurement
}

/// Every key pins the register, of v1 and nothing else; the spec and the set say the same.
fn all_pinned() -> Play {
    let mut play = Play::settled();
    play.world.spec.release.measurement = pinned(7);
    play.world.record.current.as_mut().unwrap().measurement = pinned(7);
    play.world.sets[0].release.measurement = pinned(7);
    for key in 0..3 {
        let template = &mut play.world.spec.shares[key].template;
        template.pins.insert(MANIFEST_REGISTER);
        let policy = template.render(&[pinned(7)]);
        play.set_facts(key, |facts| facts.policy = Ok(policy));
    }
    play
}

#[test]
fn law_2_keeps_a_register_pinned_that_every_approved_release_has() {
    let mut play = all_pinned();
    let bare = |play: &Play| {
        let policy = admitting(play, 0, &images(&[1]));
        Action::WritePolicies(vec![write(play, 0, policy)])
    };
    stops(&play, &bare(&play), 2, "lose its pin of PCR16");
    passes_law_2(&play, &writes(&play, &[0], &[]));
    // A release without the register that is not admitted is no reason.
    play.world.spec.release = release(2);
    stops(&play, &bare(&play), 2, "lose its pin of PCR16");
    play.world.spec.release = release(1);
    passes_law_2(&play, &bare(&play));
    // Nor is a pin missed that the spec does not ask for.
    play.world.spec.release.measurement = pinned(7);
    let policy = bare(&play);
    play.world.spec.shares[0].template.pins.clear();
    passes_law_2(&play, &policy);
}

#[track_caller]
fn passes_law_2(play: &Play, action: &Action) {
    if let Err(breach) = laws::check(&play.world, action) {
        assert!(breach.law > 2, "{}", breach.message);
    }
}

#[test]
fn law_2_takes_a_register_s_value_from_the_spec_or_a_set_alone() {
    let mut play = all_pinned();
    let other = |play: &Play| {
        let policy = admitting(play, 0, &[pinned(7), pinned(8)]);
        Action::WritePolicies(vec![write(play, 0, policy)])
    };
    stops(&play, &other(&play), 2, "in PCR16, which nobody approved");
    play.world.spec.release.measurement = pinned(8);
    passes(&play, &other(&play));
}

#[test]
fn law_2_spreads_no_key_s_word_to_another() {
    let mut play = Play::settled();
    tag_revoked(&mut play, 2, 9);
    let call = |play: &Play, keys: &[usize], numbers: &[u8]| {
        let images = images(numbers);
        let images = images.iter().map(|one| tags::prefix(&one.image_sha384));
        Action::TagRevoked {
            arns: arns(play, keys),
            images: images.collect(),
        }
    };
    passes(&play, &call(&play, &[2], &[9]));
    stops(&play, &call(&play, &[0], &[9]), 2, "key a would call");
    stops(&play, &call(&play, &[2], &[9, 8]), 2, "key c would call");
    play.world
        .record
        .revoked
        .push(release(8).measurement.image_sha384);
    stops(&play, &call(&play, &[2], &[9, 8]), 2, "key c would call");
    revoke(&mut play, 8);
    passes(&play, &call(&play, &[2], &[9, 8]));
    passes(&play, &call(&play, &[0, 1], &[8]));
    stops(&play, &call(&play, &[0, 1], &[9]), 2, "key a would call");
}

#[test]
fn law_3_stops_no_more_chambers_than_spec_and_budgets_allow() {
    let mut play = Play::settled();
    stops(&play, &resize(&play, 1, 2), 3, "the disruption budgets");
    for (budget, passed) in [(0, false), (1, true), (2, true)] {
        play.world.budget = Some(budget);
        if passed {
            passes(&play, &resize(&play, 1, 2));
        } else {
            stops(&play, &resize(&play, 1, 2), 3, "the disruption budgets");
        }
    }
    stops(
        &play,
        &resize(&play, 1, 1),
        3,
        "1 unsealed chambers would be left",
    );
    stops(
        &play,
        &resize(&play, 1, 0),
        3,
        "0 unsealed chambers would be left",
    );
    play.world.spec.deletion = Some(Deletion { orphans: false });
    passes(&play, &resize(&play, 1, 0));
}

#[test]
fn law_3_is_no_matter_of_sealed_chambers() {
    let mut play = Play::settled();
    for chamber in &mut play.world.sets[0].chambers {
        chamber.unsealed_since = None;
    }
    passes(&play, &resize(&play, 1, 2));
    // Nor of an order that asks for no other number.
    let mut play = Play::settled();
    play.world.sets[0].replicas = 2;
    stops(&play, &resize(&play, 1, 2), 7, "change nothing");
}

#[test]
fn law_3_counts_the_stops_of_one_order_together() {
    let mut play = Play::settled();
    play.world.spec.replicas = 6;
    play.world.spec.max_unavailable = 2;
    let mut set = play.world.sets[0].clone();
    set.release = release(2);
    play.world.sets.push(set);
    let both = |play: &Play| {
        let (Action::Resize(mut one), Action::Resize(other)) =
            (resize(play, 1, 2), resize(play, 2, 2))
        else {
            panic!("both are resizes");
        };
        one.extend(other);
        Action::Resize(one)
    };
    play.world.budget = Some(1);
    stops(
        &play,
        &both(&play),
        3,
        "2 unsealed chambers would be stopped",
    );
    play.world.budget = Some(2);
    passes(&play, &both(&play));
}

#[test]
fn law_4_begins_to_retire_when_no_chamber_of_another_release_is_there() {
    let mut play = about_to_retire();
    passes(&play, &retire());
    let mut old = play.world.sets[1].chambers[0].clone();
    old.measurement_id = release(1).measurement.id();
    old.gone_by = Some(play.world.now);
    play.world.orphans.push(old);
    stops(&play, &retire(), 4, "is still there");
    play.world.orphans.clear();
    play.world.record.rollover = None;
    stops(&play, &retire(), 4, "no rollover is in flight");
}

/// One image under two manifests: its chambers are told apart by their release.
#[test]
fn law_4_tells_chambers_of_one_image_apart_by_their_manifests() {
    let mut play = about_to_retire();
    let mut other = play.world.sets[1].chambers[0].clone();
    other.revision = "v2-before".into();
    other.gone_by = Some(play.world.now);
    play.world.orphans.push(other);
    passes(&play, &retire());
    let set_from = |play: &mut Play, from: Measurement| {
        let rollover = play.world.record.rollover.as_mut().unwrap();
        rollover.from.as_mut().unwrap().measurement = from;
    };
    set_from(&mut play, release(2).measurement);
    passes(&play, &retire());
    let mut manifest = release(2).measurement;
    let pcr = Pcr::from_bytes([7; 48]);
    manifest.registers.insert(MANIFEST_REGISTER, pcr);
    set_from(&mut play, manifest);
    stops(&play, &retire(), 4, "is still there");
    play.world.orphans.clear();
    passes(&play, &retire());
}

#[test]
fn law_4_waits_for_as_many_unsealed_chambers_as_the_spec_wants() {
    let mut play = about_to_retire();
    play.world.spec.replicas = 4;
    stops(&play, &retire(), 4, "3 of 4 chambers");
    play.world.spec.replicas = 2;
    passes(&play, &retire());
    play.world.spec.replicas = 0;
    play.world.sets[1].chambers.clear();
    stops(&play, &retire(), 4, "no chamber runs");
}

#[test]
fn law_4_needs_the_metrics_of_the_whole_soak_time_and_of_every_chamber_that_stays() {
    let mut play = about_to_retire();
    play.world.spec.soak_time += SignedDuration::from_secs(1);
    stops(&play, &retire(), 4, "over the whole soak time");
    play.world.spec.soak_time -= SignedDuration::from_secs(2);
    passes(&play, &retire());
    let mut leaving = play.world.sets[1].chambers[0].clone();
    leaving.name = "leaving".into();
    play.world.orphans.push(leaving);
    stops(&play, &retire(), 4, "chamber leaving is not verified");
    play.world.orphans[0].gone_by = Some(play.world.now);
    passes(&play, &retire());
    play.world.metrics = Some(Metrics::Unavailable("no".into()));
    stops(&play, &retire(), 4, "metrics are not known");
}

#[test]
fn law_4_asks_every_chamber_for_each_share_that_nobody_accepted_to_lose() {
    let mut play = about_to_retire();
    let lost = arns(&play, &[2]).remove(0);
    let Some(Metrics::Known { pods, .. }) = &mut play.world.metrics else {
        panic!("{}", play.story);
    };
    for metrics in pods.values_mut() {
        metrics.opened.remove(&lost);
    }
    stops(&play, &retire(), 4, "is not verified");
    play.world.spec.shares[2].accepted_at_risk = true;
    passes(&play, &retire());
    play.world.spec.shares[2].accepted_at_risk = false;
    // The image's own way of sealing tells of no shares.
    play.world.spec.managed_sealing = false;
    passes(&play, &retire());
}

#[test]
fn law_4_takes_nothing_from_a_policy_that_chambers_run() {
    let mut play = Play::settled();
    stops(&play, &writes(&play, &[1], &[]), 4, "key b would lose");
    hold(&mut play, &[1], &[]);
    passes(&play, &writes(&play, &[1], &[1]));
    // Whatever the record says of it.
    let mut play = Play::rolling("2->3");
    retiring(&mut play);
    stops(&play, &writes(&play, &[1], &[2]), 4, "key b would lose");
}

/// The chambers are all of v2, and nothing was recorded of Retire: the release before is what could be returned to.
fn only_the_new_run() -> Play {
    let mut play = Play::rolling("Verify: waits, Soaking");
    read(&mut play, 0);
    play
}

#[test]
fn law_4_lets_the_release_before_leave_when_every_chamber_of_the_target_is_unsealed() {
    let mut play = only_the_new_run();
    retiring(&mut play);
    passes(&play, &writes(&play, &[0, 1, 2], &[2]));
    play.world.sets[1].chambers[0].unsealed_since = None;
    stops(&play, &writes(&play, &[0], &[2]), 4, "2 of 3 chambers");
    // What leaves nothing needs no chamber.
    hold(&mut play, &[0], &[1]);
    passes(&play, &writes(&play, &[0], &[1, 2]));
    hold(&mut play, &[0], &[2]);
    passes(&play, &writes(&play, &[0], &[1, 2]));
    hold(&mut play, &[0], &[1, 2]);
    revoke(&mut play, 1);
    passes(&play, &writes(&play, &[0], &[2]));
    play.world.record.revoked.clear();
    stops(&play, &writes(&play, &[0], &[2]), 4, "2 of 3 chambers");
    play.world.spec.deletion = Some(Deletion { orphans: false });
    passes(&play, &writes(&play, &[0], &[2]));
}

#[test]
fn law_5_keeps_the_way_back_until_retire_is_recorded() {
    let mut play = only_the_new_run();
    // Two of three shares are enough to return with.
    passes(&play, &writes(&play, &[0], &[2]));
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    revoke(&mut play, 1);
    passes(&play, &writes(&play, &[0, 1], &[2]));
    play.world.record.revoked.clear();
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    play.world.spec.deletion = Some(Deletion { orphans: false });
    passes(&play, &writes(&play, &[0, 1], &[2]));
    play.world.spec.deletion = None;
    said_to_retire(&mut play);
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    retiring(&mut play);
    passes(&play, &writes(&play, &[0, 1], &[2]));
}

#[test]
fn law_5_has_a_deletion_take_one_release_out_and_not_both() {
    let mut play = only_the_new_run();
    play.world.spec.deletion = Some(Deletion { orphans: false });
    for set in &mut play.world.sets {
        set.replicas = 0;
        set.chambers.clear();
    }
    let nobody = writes(&play, &[0, 1], &[]);
    stops(&play, &nobody, 5, "would admit nobody any more");
    passes(&play, &writes(&play, &[0], &[]));
    passes(&play, &writes(&play, &[0, 1, 2], &[1]));
    // Both were revoked: their leaving is what was asked for.
    let mut revoked = only_the_new_run();
    revoked.world = play.world.clone();
    revoke(&mut revoked, 1);
    revoke_beside(&mut revoked, 2);
    passes(&revoked, &writes(&revoked, &[0, 1], &[]));
    // Where nobody could decrypt before, nobody is locked out.
    hold(&mut play, &[0, 1], &[]);
    passes(&play, &writes(&play, &[2], &[]));
}

/// On a return the release that ran last is what is gone to. Where status names neither, the keys do, and without a tag
/// what they admit.
#[test]
fn law_5_keeps_what_ran_last_whatever_status_names() {
    let mut play = only_the_new_run();
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.from = None;
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    play.world.record.current = None;
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    for key in 0..3 {
        play.set_facts(key, |facts| {
            facts.tags.remove(tags::RETIRED_FOR);
        });
    }
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    play.world.sets.retain(|set| set.release == release(2));
    passes(&play, &writes(&play, &[0, 1], &[2]));
}

/// What status alone calls the release before holds nothing up where the keys name another one; without their word it counts.
#[test]
fn law_5_believes_the_keys_before_status_and_status_where_the_keys_say_nothing() {
    let mut play = only_the_new_run();
    hold(&mut play, &[0, 1, 2], &[1, 2, 9]);
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.from = Some(release(9));
    play.world.record.current = Some(release(9));
    passes(&play, &writes(&play, &[0, 1], &[1, 2]));
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
    let mut play = only_the_new_run();
    play.world.sets.retain(|set| set.release == release(2));
    for key in 0..3 {
        play.set_facts(key, |facts| drop(facts.tags.remove(tags::RETIRED_FOR)));
    }
    stops(&play, &writes(&play, &[0, 1], &[2]), 5, "would keep 1 of 2");
}

#[test]
fn law_5_keeps_what_a_key_admitted_when_it_was_taken_over() {
    let mut play = only_the_new_run();
    hold(&mut play, &[0], &[1, 2, 9]);
    let arn = arns(&play, &[0]).remove(0);
    let words = "what it admitted when it was taken over";
    passes(&play, &writes(&play, &[0], &[1, 2]));
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.found.insert(arn, release(9).measurement);
    stops(&play, &writes(&play, &[0], &[1, 2]), 5, words);
    passes(&play, &writes(&play, &[1], &[2]));
    revoke(&mut play, 9);
    passes(&play, &writes(&play, &[0], &[1, 2]));
    play.world.record.revoked.clear();
    play.world.spec.deletion = Some(Deletion { orphans: false });
    passes(&play, &writes(&play, &[0], &[1, 2]));
    play.world.spec.deletion = None;
    retiring(&mut play);
    passes(&play, &writes(&play, &[0], &[1, 2]));
    // What is not there any more cannot be kept, and what stays is not lost.
    let mut play = only_the_new_run();
    let arn = arns(&play, &[0]).remove(0);
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.found.insert(arn, release(2).measurement);
    passes(&play, &writes(&play, &[0], &[2]));
}

fn unknown(play: &mut Play, key: usize) {
    let arn = arns(play, &[key]).remove(0);
    play.world.readings.insert(arn, Reading::Unread);
}

#[test]
fn law_6_does_nothing_that_rests_on_keys_while_one_is_unknown() {
    let mut play = Play::settled();
    let released = release(1);
    let recovered = Transition::Recovered {
        release: release(1),
        number: 1,
    };
    play.unreadable(2, Reason::KeyUnreadable, "throttled");
    for action in [
        Action::Transition(Transition::Admitted),
        Action::Transition(Transition::Finished),
        Action::Transition(recovered),
        Action::StartSeal(released.clone()),
        Action::StoreBlob(released.measurement.clone()),
    ] {
        stops(&play, &action, 6, "key c could not be read");
    }
    let note = Action::Transition(Transition::AdmissionLost);
    passes(&play, &note);
    // What was verified is started again with the keys that it needs.
    passes(&play, &resize(&play, 1, 4));
    play.world.spec.shares[2].accepted_at_risk = true;
    passes(&play, &Action::Transition(Transition::Admitted));
    unknown(&mut play, 2);
    let admitted = Action::Transition(Transition::Admitted);
    stops(&play, &admitted, 6, "key c was not read");
}

#[test]
fn law_6_starts_nothing_unverified_while_a_key_is_unknown() {
    let mut play = Play::rolling("makes the ReplicaSet of v2");
    play.unreadable(2, Reason::KeyUnreadable, "throttled");
    // Another key is accepted to be lost and works: as many as law 1 asks for admit it.
    play.world.spec.shares[0].accepted_at_risk = true;
    stops(&play, &resize(&play, 2, 1), 6, "key c could not be read");
    play.world.budget = Some(1);
    passes(&play, &resize(&play, 1, 2));
    // Nor does an order for no other number start anything.
    stops(&play, &resize(&play, 2, 0), 7, "change nothing");
    play.world.spec.shares[2].accepted_at_risk = true;
    passes(&play, &resize(&play, 2, 1));
}

#[test]
fn law_6_blames_no_release_for_nodes_that_are_full() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.full = true;
    play.until("Roll: waits, ChamberUnschedulable");
    let failure = Failure {
        revision: "v2".into(),
        why: "it makes no progress".into(),
    };
    let back = true;
    let failed = Action::Transition(Transition::Failed { failure, back });
    stops(&play, &failed, 6, "no node has room");
    revoke(&mut play, 2);
    passes(&play, &failed);
    play.world.record.revoked.clear();
    // One that has a node, and stays sealed there, speaks against it; one that serves does not.
    let set = play.world.sets.iter_mut();
    let set = set.last().unwrap();
    let mut other = set.chambers[0].clone();
    assert!(matches!(other.failing, Some(Failing::Unschedulable(_))));
    (other.failing, other.scheduled_at) = (None, Some(play.world.now));
    set.chambers.push(other);
    passes(&play, &failed);
    let set = play.world.sets.iter_mut().last().unwrap();
    set.chambers.last_mut().unwrap().unsealed_since = Some(play.world.now);
    stops(&play, &failed, 6, "no node has room");
}

#[test]
fn law_6_takes_away_what_is_revoked_from_the_keys_that_can_be_reached() {
    let mut play = Play::settled();
    hold(&mut play, &[0], &[1, 9]);
    play.unreadable(2, Reason::KeyUnreadable, "throttled");
    stops(
        &play,
        &writes(&play, &[0], &[1]),
        6,
        "key c could not be read",
    );
    revoke(&mut play, 9);
    passes(&play, &writes(&play, &[0], &[1]));
    play.world.record.revoked.clear();
    play.world.spec.deletion = Some(Deletion { orphans: false });
    passes(&play, &writes(&play, &[0], &[1]));
    hold(&mut play, &[0], &[]);
    stops(
        &play,
        &writes(&play, &[0], &[1]),
        6,
        "key c could not be read",
    );
}

#[test]
fn law_7_does_nothing_for_nothing() {
    let play = Play::settled();
    let idle = [
        Action::WritePolicies(vec![]),
        writes(&play, &[0], &[1]),
        Action::Resize(vec![]),
        resize(&play, 1, 3),
        Action::ClaimKeys {
            arns: vec![],
            progress: (1, true),
            retired_for: None,
            healed_at: None,
        },
        Action::TagCommitment {
            arns: vec![],
            commitment: COMMITMENT.into(),
        },
        Action::TagRevoked {
            arns: vec![],
            images: vec![],
        },
        Action::RemoveSets(vec![]),
        Action::Fence(vec![]),
    ];
    for action in idle {
        stops(&play, &action, 7, "change nothing");
    }
    let fence = Fence {
        name: "signer-v1".into(),
        version: "1".into(),
    };
    passes(&play, &Action::Fence(vec![fence]));
    passes(&play, &Action::RemoveSets(vec!["signer-v1".into()]));
    let arns = arns(&play, &[0]);
    let commitment = COMMITMENT.into();
    passes(&play, &Action::TagCommitment { arns, commitment });
}

/// The policy of a key with another text in it.
fn rewritten(play: &Play, key: usize, from: &str, to: &str) -> Action {
    let text = play.policy(key).to_json();
    assert!(text.contains(from), "{text}");
    let policy = Policy::parse(&text.replacen(from, to, 1)).unwrap();
    Action::WritePolicies(vec![write(play, key, policy)])
}

#[test]
fn law_8_adds_no_error_of_the_lint() {
    let mut play = Play::settled();
    let (root, nobody) = (":root\"", ":role/Nobody\"");
    stops(
        &play,
        &rewritten(&play, 0, root, nobody),
        8,
        "would add the error",
    );
    // One that is there already is not this write's.
    play.rewrite(0, root, nobody);
    passes(
        &play,
        &rewritten(
            &play,
            0,
            "kms:GenerateDataKeyPair\",",
            "kms:GenerateDataKeyPair\", \"kms:Sign\",",
        ),
    );
}

const AUDIT: &str = r#"{"Sid":"Audit","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Auditor"},"Action":"kms:DescribeKey","Resource":"*"}"#;

#[test]
fn law_9_leaves_others_statements_alone() {
    let mut play = Play::settled();
    play.with_statement(0, AUDIT);
    stops(
        &play,
        &rewritten(&play, 0, "Auditor", "Other"),
        9,
        "statements of others",
    );
    stops(&play, &writes(&play, &[0], &[1]), 9, "statements of others");
    play.world.spec.release = release(2);
    play.world.record.rollover = Some(Rollover::begin(
        Some(release(1)),
        release(2),
        play.world.now,
    ));
    let template = &play.world.spec.shares[0].template;
    let policy = key_policy::project(play.policy(0), template, &images(&[1, 2])).unwrap();
    passes(&play, &Action::WritePolicies(vec![write(&play, 0, policy)]));
}

#[test]
fn law_9_writes_over_somebody_else_s_policy_only_where_the_spec_takes_it_over() {
    let mut play = Play::settled();
    let sid = "\"DenyDataOpsWithoutAttestation\"";
    play.rewrite(0, sid, "\"AllowKeyAdministrators\"");
    let heals = writes(&play, &[0], &[1]);
    stops(&play, &heals, 9, "the policy found");
    play.world.spec.shares[0].adopt = true;
    passes(&play, &heals);
}

#[test]
fn law_10_resizes_only_what_is_fenced() {
    let mut play = Play::settled();
    passes(&play, &resize(&play, 1, 4));
    play.world.sets[0].fenced = false;
    stops(&play, &resize(&play, 1, 4), 10, "signer-v1 is not fenced");
}

/// A key that lacks the current release, and the write that puts it back.
fn heals(play: &mut Play) -> Action {
    hold(play, &[0], &[]);
    writes(play, &[0], &[1])
}

/// What is said of a write, and what changed since it was ordered.
type Change = (&'static str, fn(&mut Play));

#[test]
fn law_10_writes_what_is_this_cluster_s_and_rests_on_what_was_read() {
    let changes: [Change; 4] = [
        ("is its holder's to change", |play| {
            play.world.spec.shares[0].managed = false;
        }),
        ("is another owner's", |play| {
            play.set_tag(0, tags::OWNER, "other/ns/signer");
        }),
        ("does not carry this cluster's tag", |play| {
            play.set_facts(0, |facts| drop(facts.tags.remove(tags::OWNER)));
        }),
        ("does not rest on what was read", |play| {
            hold(play, &[0], &[9]);
        }),
    ];
    for (words, change) in changes {
        let mut play = Play::settled();
        let heal = heals(&mut play);
        passes(&play, &heal);
        change(&mut play);
        stops(&play, &heal, 10, words);
    }
}

#[test]
fn law_10_leaves_a_key_alone_that_got_its_tag_back_a_moment_ago() {
    let mut play = Play::settled();
    let heal = heals(&mut play);
    let now = play.world.now;
    for (ago, passed) in [(tags::HEALING, true), (SignedDuration::ZERO, false)] {
        play.set_tag(0, tags::HEALED_AT, &(now - ago).to_string());
        if passed {
            passes(&play, &heal);
        } else {
            stops(&play, &heal, 10, "got its tag back");
        }
    }
    let almost = now - tags::HEALING + SignedDuration::from_secs(1);
    play.set_tag(0, tags::HEALED_AT, &almost.to_string());
    stops(&play, &heal, 10, "got its tag back");
}

#[test]
fn law_10_fights_no_other_writer_but_takes_away_what_is_revoked() {
    let mut play = Play::settled();
    let now = play.world.now;
    for share in play.world.spec.shares.clone() {
        let written = play.world.record.written.entry(share.arn).or_default();
        written.put_right = vec![now; 10];
    }
    let heal = heals(&mut play);
    stops(&play, &heal, 10, "its other writer is not fought");
    hold(&mut play, &[0], &[1, 9]);
    stops(&play, &writes(&play, &[0], &[1]), 10, "is not fought");
    revoke(&mut play, 9);
    passes(&play, &writes(&play, &[0], &[1]));
}

#[test]
fn law_10_tags_another_owner_s_key_only_at_a_person_s_word() {
    let mut play = Play::settled();
    play.set_tag(2, tags::OWNER, "other/ns/signer");
    let theirs = "other/ns/ns-uid/signer".to_owned();
    let transfer = |play: &Play, from: &str| Action::TransferKeys {
        arns: arns(play, &[2]),
        from: from.to_owned(),
    };
    let claim = |play: &Play, keys: &[usize]| Action::ClaimKeys {
        arns: arns(play, keys),
        progress: (1, true),
        retired_for: None,
        healed_at: None,
    };
    let anothers = "key c is another owner's";
    passes(&play, &claim(&play, &[0, 1]));
    stops(&play, &claim(&play, &[1, 2]), 10, anothers);
    stops(&play, &transfer(&play, &theirs), 10, anothers);
    play.world.spec.verbs.transfer = Some("somebody".into());
    stops(&play, &transfer(&play, "somebody"), 10, "key c is another");
    stops(&play, &transfer(&play, &theirs), 10, anothers);
    play.world.spec.verbs.transfer = Some(theirs.clone());
    passes(&play, &transfer(&play, &theirs));
    stops(&play, &claim(&play, &[1, 2]), 10, anothers);
}

#[test]
fn law_10_tags_no_observed_key() {
    let mut play = Play::settled();
    play.world.spec.shares[1].managed = false;
    let commitment = || COMMITMENT.to_owned();
    let tag = |play: &Play, keys: &[usize]| Action::TagCommitment {
        arns: arns(play, keys),
        commitment: commitment(),
    };
    passes(&play, &tag(&play, &[0, 2]));
    stops(&play, &tag(&play, &[0, 1]), 10, "key b is its holder's");
    let stranger = Action::TagCommitment {
        arns: vec!["arn:of-nobody".into()],
        commitment: commitment(),
    };
    stops(&play, &stranger, 10, "key arn:of-nobody was not read");
}

#[test]
fn law_11_seals_once_whoever_remembers_it() {
    let seal = Action::StartSeal(release(1));
    let fresh = || Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    passes(&fresh(), &seal);
    let remembers: [fn(&mut Play); 3] = [
        |play| play.world.record.commitment = Some(COMMITMENT.into()),
        |play| play.world.record.current = Some(release(1)),
        |play| play.set_tag(1, tags::COMMITMENT, COMMITMENT),
    ];
    for remember in remembers {
        let mut play = fresh();
        remember(&mut play);
        stops(&play, &seal, 11, "was sealed before");
        let commitment = COMMITMENT.into();
        play.world.seal_pod = SealPod::Offers { commitment };
        let store = Action::StoreBlob(release(1).measurement);
        stops(&play, &store, 11, "was sealed before");
    }
}

#[test]
fn law_11_overwrites_no_blob() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    let commitment = COMMITMENT.to_owned();
    play.world.seal_pod = SealPod::Offers {
        commitment: commitment.clone(),
    };
    let store = Action::StoreBlob(release(1).measurement);
    passes(&play, &store);
    let sound = Blob::Sound { commitment };
    play.world.blobs.insert(release(1).measurement.id(), sound);
    stops(&play, &store, 11, "is stored");
    let bind = |to| Action::BindBlob {
        from: release(1).measurement,
        to: release(to).measurement,
        generation: 1,
    };
    stops(&play, &bind(1), 11, "is stored");
    passes(&play, &bind(2));
}

#[test]
fn law_12_makes_a_set_of_its_own_release_under_its_own_name() {
    let mut play = Play::settled();
    play.world.templates.clear();
    let make = |number| Action::MakeSet(release(number));
    passes(&play, &make(1));
    stops(&play, &make(2), 12, "another release's template");
    play.world.templates.insert(release(2).revision);
    passes(&play, &make(2));
    play.world.objects.push(ObjectProblem {
        object: Object::ReplicaSet {
            revision: release(2).revision,
        },
        reason: Reason::NotOurs,
        message: "somebody else's".into(),
    });
    stops(&play, &make(2), 12, "somebody else's");
    passes(&play, &make(1));
}

#[test]
fn law_12_takes_a_commitment_that_status_keys_and_blobs_agree_on() {
    let commit = Action::Transition(Transition::Committed(COMMITMENT.into()));
    let disagrees: [fn(&mut Play); 3] = [
        |play| play.world.record.commitment = Some("f00d".into()),
        |play| play.set_tag(1, tags::COMMITMENT, "f00d"),
        |play| {
            let commitment = "f00d".to_owned();
            let other = Blob::Sound { commitment };
            play.world.blobs.insert(release(9).measurement.id(), other);
        },
    ];
    for disagree in disagrees {
        let mut play = Play::settled();
        passes(&play, &commit);
        disagree(&mut play);
        stops(&play, &commit, 12, "of two master keys");
        let bind = Action::BindBlob {
            from: release(1).measurement,
            to: release(2).measurement,
            generation: 1,
        };
        stops(&play, &bind, 12, "of two master keys");
    }
    let mut play = Play::settled();
    let bad = Blob::Unsound("it is torn".into());
    play.world.blobs.insert(release(1).measurement.id(), bad);
    let bind = Action::BindBlob {
        from: release(1).measurement,
        to: release(2).measurement,
        generation: 1,
    };
    stops(&play, &bind, 12, "no sound blob");
    play.world.record = PersistedState::default();
    passes(&play, &commit);
}

#[test]
fn law_12_starts_no_chamber_without_a_sound_blob() {
    let mut play = Play::settled();
    play.world.budget = Some(1);
    play.world.blobs.clear();
    stops(&play, &resize(&play, 1, 4), 12, "no sound blob");
    passes(&play, &resize(&play, 1, 2));
    play.world.spec.managed_sealing = false;
    passes(&play, &resize(&play, 1, 4));
}

#[test]
fn law_12_seals_only_where_no_pod_has_the_seal_pod_s_name() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    let seal = Action::StartSeal(release(1));
    passes(&play, &seal);
    for pod in [SealPod::Foreign("somebody's".into()), SealPod::Outdated] {
        play.world.seal_pod = pod;
        stops(&play, &seal, 12, "a pod of the seal pod's name is there");
    }
}

#[test]
fn a_write_to_a_key_that_the_spec_does_not_name_breaks_a_law() {
    let play = Play::settled();
    let mut stray = write(&play, 0, admitting(&play, 0, &images(&[1])));
    stray.arn = "arn:of-nobody".into();
    let action = Action::WritePolicies(vec![stray]);
    stops(&play, &action, 2, "is no key of the spec");
}
