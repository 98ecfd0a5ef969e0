//! Stories of what keys and status may say together and neither alone: that Retire has begun, that an image was
//! revoked, what was left last, and what a key is to admit.

use crate::play::{Play, blocked, release, share};
use jiff::SignedDuration;
use rollover::{
    Action, AdmittedSet, Deletion, Phase, Plan, Reason, Rollover, Transition, document, plan, tags,
};

/// Two managed keys and one of a holder, who admits these releases.
fn beside_a_holder() -> Play {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    hold(&mut play, 2, &[1]);
    play.until("Settled");
    play
}

/// A foreign hand or a holder has a key admit these releases.
fn hold(play: &mut Play, key: usize, numbers: &[u8]) {
    let live: Vec<_> = numbers.iter().map(|n| release(*n).measurement).collect();
    let policy = play.world.spec.shares[key].template.render(&live);
    play.set_facts(key, |facts| facts.policy = Ok(policy));
}

/// The images that each key's policy admits, by their number.
fn admitted(play: &Play) -> Vec<Vec<u8>> {
    let images = (0..play.world.spec.shares.len()).map(|key| {
        let template = &play.world.spec.shares[key].template;
        let found = key_policy::admitted(play.policy(key), template).unwrap();
        let number = |image: &String| u8::from_str_radix(&image[..2], 16).unwrap();
        found.image_sha384.iter().map(number).collect()
    });
    images.collect()
}

fn strip(play: &mut Play, key: usize, tag: &str) {
    play.set_facts(key, |facts| drop(facts.tags.remove(tag)));
}

fn retires(play: &Play) -> bool {
    let rollover = play.world.record.rollover.as_ref().unwrap();
    play.world.retires(rollover)
}

/// The tags by which a key of ours proves that Retire has begun for v2.
fn prove_retire(play: &mut Play, key: usize) {
    let owner = crate::play::owner();
    play.set_tag(key, tags::OWNER, &owner.tag());
    play.set_tag(key, tags::NAMESPACE_UID, &owner.namespace_uid);
    play.set_tag(key, tags::ROLLOVER, "2/retire");
    let target = tags::retired_for(&release(2).measurement);
    play.set_tag(key, tags::RETIRED_FOR, &target);
}

/// Who may tag a key that is not the operator's, and write status, must not choose what a deletion leaves.
#[test]
fn neither_a_holder_s_tags_nor_another_owner_s_prove_that_retire_has_begun() {
    let spoils: [fn(&mut Play); 2] = [
        |play| play.world.spec.shares[2].managed = false,
        |play| play.set_tag(2, tags::OWNER, "other/ns/cluster"),
    ];
    for spoil in spoils {
        let mut play = Play::rolling("v1 3->2, v2 0->1");
        prove_retire(&mut play, 2);
        let since = play.world.now;
        play.world.record.rollover.as_mut().unwrap().phase = Phase::Retiring { since };
        assert!(retires(&play), "a key of ours proves it");
        spoil(&mut play);
        assert!(!retires(&play));
        play.world.spec.deletion = Some(Deletion { orphans: false });
        play.run(200);
        assert_eq!(admitted(&play)[..2], [[1], [1]], "{}", play.story);
    }
}

/// An operator that starts anew has witnessed nothing: the keys tell it that the only way is forward.
#[test]
fn after_a_restart_in_retire_the_keys_prove_it_and_holders_are_asked_for_one_release() {
    let mut play = beside_a_holder();
    play.world.spec.release = release(2);
    play.until("Admit: waits, AwaitingKeyHolder");
    hold(&mut play, 2, &[1, 2]);
    play.until("Retire: waits, AwaitingKeyHolder");
    play.world.retire_witnessed = None;
    let asked = |play: &Play| {
        let set = AdmittedSet::recorded(&play.world, &play.world.record);
        set.for_key(&play.world.spec.shares[2], play.policy(2))
    };
    assert!(retires(&play));
    assert_eq!(asked(&play), [release(2).measurement]);
    // Where no key is the operator's there is nobody to ask, and status is believed.
    for share in &mut play.world.spec.shares {
        share.managed = false;
    }
    assert!(retires(&play));
    assert_eq!(asked(&play), [release(2).measurement]);
}

fn revocation(number: u8) -> String {
    format!("{} it leaked", release(number).measurement.image_sha384)
}

#[test]
fn what_status_and_one_key_call_revoked_leaves_the_other_keys_though_nobody_asks_any_more() {
    let mut play = Play::settled();
    for key in [1, 2] {
        play.refuse(key, SignedDuration::from_hours(9));
    }
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.until("Retire: writes policies a=[]");
    play.world.spec.verbs.revoke = None;
    play.world.refusals.clear();
    play.run(50);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
}

/// The keys without the tag could still open the master key for it: the others do not speak for them.
#[test]
fn tags_alone_revoke_once_the_other_keys_are_fewer_than_the_threshold() {
    let shares = ["a", "b", "c", "d", "e"].map(|name| share(name, true));
    let mut play = Play::new(shares.into());
    play.world.spec.threshold = 3;
    play.until("Settled");
    let image = release(1).measurement.image_sha384;
    // More shares than there are keys are no reason to believe a tag that is not there.
    play.world.spec.threshold = 6;
    assert!(!play.world.revoked(&image));
    play.world.spec.threshold = 3;
    for (key, revoked) in [(0, false), (1, false), (2, true)] {
        for (name, value) in tags::revoked_pages(&[tags::prefix(&image)]) {
            play.set_tag(key, &name, &value);
        }
        assert_eq!(play.world.revoked(&image), revoked, "{}", key + 1);
    }
}

#[test]
fn a_holder_s_tag_says_nothing_of_what_was_left_last() {
    let mut play = beside_a_holder();
    play.world.spec.release = release(2);
    play.until("Admit: waits, AwaitingKeyHolder");
    hold(&mut play, 2, &[1, 2]);
    play.until("makes the ReplicaSet of v2");
    (0..3).for_each(|key| strip(&mut play, key, tags::RETIRED_FOR));
    prove_retire(&mut play, 2);
    play.set_tag(2, tags::ROLLOVER, "1/retire");
    play.world.spec.release = release(3);
    play.until("begins, v1 -> v3");
}

/// One key says v1, one v2: that is nobody's word, and what was verified last stays.
#[test]
fn keys_of_two_minds_do_not_choose_what_a_deletion_leaves() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    let left = |number| tags::retired_for(&release(number).measurement);
    play.set_tag(0, tags::RETIRED_FOR, &left(1));
    play.set_tag(1, tags::RETIRED_FOR, &left(2));
    strip(&mut play, 2, tags::RETIRED_FOR);
    // Nobody orders the ReplicaSets that are listed.
    play.world.sets.reverse();
    play.world.spec.deletion = Some(Deletion { orphans: false });
    play.run(200);
    assert_eq!(admitted(&play), [[1], [1], [1]], "{}", play.story);
}

/// Another cluster may have the key now, and it still admits the release before: that is no end of a rollover.
#[test]
fn a_key_that_is_lost_to_another_hand_in_retire_keeps_the_rollover_from_its_end() {
    let mut play = Play::rolling("Retire: tags 3 keys as this cluster's (2/retire)");
    play.refuse(2, SignedDuration::from_hours(9));
    play.until("Retire: writes policies a=[v2] b=[v2]");
    play.world.refusals.clear();
    hold(&mut play, 2, &[1, 2, 7]);
    play.set_facts(2, |facts| facts.tags.clear());
    play.run(100);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::ClaimLost, "{}", play.story);
    assert!(message.contains("key c"), "{message}");
    assert!(!play.story.contains("is complete"), "{}", play.story);
    assert_eq!(admitted(&play), [vec![2], vec![2], vec![1, 2, 7]]);
}

/// It has lost its tags, admits what nobody knows and takes no tag: whatever keeps it, nobody waits for it.
#[test]
fn a_key_at_risk_that_lost_its_tags_and_refuses_new_ones_holds_up_nothing() {
    let mut play = Play::rolling("begins, v1 -> v2");
    play.world.spec.shares[2].accepted_at_risk = true;
    hold(&mut play, 2, &[7]);
    play.set_facts(2, |facts| facts.tags.clear());
    play.refuse(2, SignedDuration::from_hours(9));
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[2], [2], [7]]);
}

#[test]
fn a_key_that_got_its_tag_back_is_written_when_its_minute_is_over_and_not_before() {
    let mut play = Play::settled();
    play.set_facts(2, |facts| facts.tags.clear());
    hold(&mut play, 2, &[]);
    play.until("Settled: waits, ClaimSettling");
    let over = play.world.now;
    for (at, writes) in [(over - SignedDuration::from_secs(1), false), (over, true)] {
        play.world.now = at;
        while let Plan::Look(_) = plan(&play.world) {
            play.turn();
        }
        let Plan::Act { action, .. } = plan(&play.world) else {
            assert!(!writes, "{}", play.story);
            continue;
        };
        assert!(writes && matches!(action, Action::WritePolicies(_)));
    }
}

/// What status alone names, or a key bars, is asked of no holder and enters no key.
#[test]
fn holders_are_asked_neither_for_what_status_alone_names_nor_for_what_a_key_bars() {
    let asked = |play: &Play| {
        let set = AdmittedSet::recorded(&play.world, &play.world.record);
        set.everywhere().to_vec()
    };
    let mut play = Play::rolling("begins, v1 -> v2");
    let [v1, v2] = [1, 2].map(|number| release(number).measurement);
    assert_eq!(asked(&play), [v1.clone(), v2.clone()]);
    for (name, value) in tags::revoked_pages(&[tags::prefix(&v2.image_sha384)]) {
        play.set_tag(0, &name, &value);
    }
    assert_eq!(asked(&play), std::slice::from_ref(&v1), "a key bars v2");
    let now = play.world.now;
    let forged = Rollover::begin(Some(release(1)), release(9), now);
    play.world.record.rollover = Some(forged);
    assert_eq!(asked(&play), [v1], "only status names v9");
}

/// Keys that somebody rolled by hand: what a holder admits beside the target may still run somewhere.
fn taken_over() -> Play {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    for share in &mut play.world.spec.shares {
        share.adopt = true;
    }
    play.world.spec.release = release(2);
    hold(&mut play, 2, &[1]);
    play
}

#[test]
fn the_document_for_a_holder_keeps_what_a_takeover_found_until_the_rollover_has_ended() {
    let mut play = taken_over();
    let both = [1, 2].map(|number| release(number).measurement);
    play.run(1);
    let asked = document(&play.world, &play.world.spec.shares[2]).unwrap();
    let template = play.world.spec.shares[2].template.clone();
    assert!(
        asked.equivalent(&template.render(&both)),
        "before it begins"
    );
    play.until("Admit: waits, AwaitingKeyHolder");
    hold(&mut play, 2, &[1, 2]);
    play.until("Retire: waits, AwaitingKeyHolder");
    // Once status says that it has ended, one release is asked for, although the holder has not answered.
    let mut ended = play.world.record.clone();
    ended.acted(&Action::Transition(Transition::Finished), play.world.now);
    let set = AdmittedSet::recorded(&play.world, &ended);
    let asked = set.for_key(&play.world.spec.shares[2], play.policy(2));
    assert_eq!(asked, [release(2).measurement]);
    assert!(matches!(plan(&play.world), Plan::Wait { .. }));
}
