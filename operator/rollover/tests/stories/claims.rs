//! Stories of tags that vanish, holders that lie, status that somebody else writes, and keys that refuse.

use crate::play::{Play, blocked, release, share};
use jiff::SignedDuration;
use key_policy::Profile;
use rollover::{AdmittedSet, PersistedState, Phase, Plan, Reason, Rollover, plan, tags};

/// What `terraform apply` does to tags that it does not know.
fn strip(play: &mut Play, key: usize) {
    play.set_facts(key, |facts| facts.tags.clear());
}

fn revocation(byte: u8) -> String {
    format!("{} it leaked", release(byte).measurement.image_sha384)
}

/// The images that each key's policy admits, by their number.
fn admitted(play: &Play) -> Vec<Vec<u8>> {
    let shares = play.world.spec.shares.iter().enumerate();
    let images = shares.map(|(index, share)| {
        let found = key_policy::admitted(play.policy(index), &share.template).unwrap();
        let images = found.image_sha384.iter();
        images
            .map(|image| u8::from_str_radix(&image[..2], 16).unwrap())
            .collect()
    });
    images.collect()
}

/// Turns until nothing is to be done at once; waits of a minute pass.
fn run(play: &mut Play) {
    play.run(400);
}

#[test]
fn a_tag_that_was_lost_while_settled_is_put_back_and_the_key_left_alone_for_a_minute() {
    let mut play = Play::settled();
    strip(&mut play, 2);
    play.until("Settled: tags 1 keys as this cluster's again (1/retire): something had removed the tags (Terraform: ignore_changes of tags)");
    play.until("Settled");
    assert_eq!(admitted(&play), [[1], [1], [1]]);
}

#[test]
fn a_revocation_reaches_a_key_whose_tags_were_lost() {
    let mut play = Play::settled();
    strip(&mut play, 2);
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.until("Retire: writes policies a=[] b=[]");
    run(&mut play);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
}

#[test]
fn drift_is_put_back_on_the_others_and_then_on_the_key_whose_tags_were_lost() {
    let mut play = Play::settled();
    strip(&mut play, 2);
    let first = release(1).measurement.image_sha384.to_string();
    let other = release(9).measurement.image_sha384.to_string();
    play.rewrite(0, &first, &other);
    play.rewrite(2, "\"kms:GenerateDataKeyPair\",", "");
    run(&mut play);
    assert!(
        play.story.contains("writes policies a=[v1]"),
        "{}",
        play.story
    );
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[1], [1], [1]]);
}

#[test]
fn tags_that_are_lost_in_every_step_do_not_stop_a_rollover() {
    for line in [
        "Admit: every key admits the live releases",
        "v1 3->2, v2 0->1",
        "waits, Soaking",
        "Retire: begins to retire: from now on the only way is forward",
        "Retire: tags 3 keys as this cluster's (2/retire)",
    ] {
        let mut play = Play::rolling(line);
        (0..3).for_each(|key| strip(&mut play, key));
        run(&mut play);
        assert!(play.story.ends_with("Settled\n"), "{line}: {}", play.story);
        assert_eq!(admitted(&play), [[2], [2], [2]], "{line}: {}", play.story);
    }
}

#[test]
fn a_key_that_another_cluster_may_have_is_not_tagged_again() {
    let mut play = Play::settled();
    play.rewrite(
        2,
        &release(1).measurement.image_sha384.to_string(),
        &release(7).measurement.image_sha384.to_string(),
    );
    strip(&mut play, 2);
    run(&mut play);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::ClaimLost);
    assert!(
        message.contains("key c") && message.contains("by hand"),
        "{message}"
    );
    assert_eq!(admitted(&play)[2], [7]);
}

#[test]
fn a_deletion_leaves_what_is_another_owners_and_says_so() {
    let mut play = Play::rolling("every key admits the live releases");
    play.set_tag(2, tags::OWNER, "other/ns/cluster");
    strip(&mut play, 1);
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    run(&mut play);
    assert_eq!(
        admitted(&play),
        [vec![1], vec![1], vec![1, 2]],
        "{}",
        play.story
    );
    assert!(
        play.story
            .contains("allows deletion, but key c has another owner's tag"),
        "{}",
        play.story
    );
}

#[test]
fn a_deletion_after_a_lost_status_says_what_still_admits_two() {
    let mut play = Play::rolling("every key admits the live releases");
    play.world.record = rollover::PersistedState::default();
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    run(&mut play);
    assert!(
        play.story
            .contains("allows deletion, but status was lost, and the policy of key a, b, c"),
        "{}",
        play.story
    );
}

#[test]
fn one_holder_s_revocation_takes_nothing_out_of_other_keys() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    let admits = play.world.spec.shares[2]
        .template
        .render(&[release(1).measurement]);
    play.set_facts(2, |facts| facts.policy = Ok(admits));
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    for (name, value) in tags::revoked_pages(&[tags::prefix(&release(1).measurement.image_sha384)])
    {
        play.set_tag(2, &name, &value);
    }
    run(&mut play);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::MeasurementRevoked);
    assert!(message.contains("a tag on key c"), "{message}");
    assert_eq!(admitted(&play), [[1], [1], [1]]);

    // The same tag keeps an image out that is not in yet.
    for (name, value) in tags::revoked_pages(&[tags::prefix(&release(2).measurement.image_sha384)])
    {
        play.set_tag(2, &name, &value);
    }
    play.world.spec.release = release(2);
    run(&mut play);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    assert_eq!(admitted(&play), [[1], [1], [1]]);
}

#[test]
fn two_revocations_of_which_the_first_was_not_seen_both_happen_and_one_is_given_up() {
    let mut play = Play::settled();
    play.world.spec.verbs.revoke = Some(format!("{}\n{}", revocation(7), revocation(8)));
    run(&mut play);
    let image = |byte| release(byte).measurement.image_sha384;
    assert!(play.world.barred(&image(7)) && play.world.barred(&image(8)));
    play.world.spec.verbs.revoke = Some(revocation(7));
    play.world.spec.verbs.unrevoke = Some(format!("{} a false alarm", image(8)));
    run(&mut play);
    play.world.spec.verbs.unrevoke = None;
    run(&mut play);
    assert!(play.world.barred(&image(7)), "{}", play.story);
    assert!(!play.world.barred(&image(8)), "{}", play.story);
    play.world.spec.release = release(8);
    run(&mut play);
    assert_eq!(admitted(&play), [[8], [8], [8]], "{}", play.story);
}

#[test]
fn a_rival_does_not_block_a_revocation() {
    let mut play = Play::settled();
    play.world.ownership_conflict = Some(rollover::OwnershipConflict {
        reason: Reason::DuplicateKey,
        message: "an older one has key a".into(),
    });
    play.world.spec.verbs.revoke = Some(revocation(1));
    run(&mut play);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);
    assert_eq!(blocked(&play).0, Reason::DuplicateKey);
}

#[test]
fn a_progress_tag_on_one_key_stops_that_key_and_not_the_chambers() {
    let mut play = Play::settled();
    play.set_tag(2, tags::ROLLOVER, "99999/retire");
    play.world.spec.replicas = 5;
    run(&mut play);
    assert!(play.story.contains("resizes v1 3->5"), "{}", play.story);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::StatusBehindKeys);
    assert!(message.contains("on key c"), "{message}");

    // No cluster has so many rollovers: that tag is nobody's, and is written anew.
    let mut play = Play::settled();
    play.set_tag(2, tags::ROLLOVER, &format!("{}/retire", u64::MAX));
    play.world.spec.release = release(2);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

/// Who may write `chamberclusters/status`, and nothing else.
#[test]
fn a_forged_status_admits_nothing_and_removes_nothing() {
    let forged: [fn(&mut Play); 5] = [
        |play| {
            let now = play.world.now;
            let mut rollover = Rollover::begin(Some(release(1)), release(9), now);
            rollover.phase = Phase::Admitted { at: now };
            play.world.record.rollover = Some(rollover);
        },
        |play| {
            let mut target = release(9);
            target.revision = "v1".into();
            let now = play.world.now;
            play.world.record.rollover = Some(Rollover::begin(None, target, now));
        },
        |play| {
            let now = play.world.now;
            let mut rollover = Rollover::begin(Some(release(1)), release(9), now);
            rollover.phase = Phase::Retiring { since: now };
            play.world.record.rollover = Some(rollover);
        },
        |play| play.world.record.revoked = vec![release(1).measurement.image_sha384],
        |play| play.world.record.current = Some(release(9)),
    ];
    for (index, forge) in forged.into_iter().enumerate() {
        let mut play = Play::settled();
        forge(&mut play);
        run(&mut play);
        for images in admitted(&play) {
            assert_eq!(images, [1], "{index}: {}", play.story);
        }
    }
}

/// After a rollover the keys' tags say that Retire has begun, of the one that ended.
#[test]
fn a_forged_retire_of_a_forged_target_removes_nothing() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    run(&mut play);
    let since = play.world.now;
    let mut rollover = Rollover::begin(Some(release(2)), release(9), since);
    rollover.phase = Phase::Retiring { since };
    play.world.record.rollover = Some(rollover);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[2], [2], [2]]);
}

#[test]
fn a_forged_retire_in_the_middle_skips_nothing() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    let since = play.world.now;
    play.world.record.rollover.as_mut().unwrap().phase = Phase::Retiring { since };
    play.until("waits, Soaking");
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn a_forged_current_release_does_not_end_the_chambers_of_the_other_one() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    play.world.record.rollover = None;
    play.world.record.current = Some(release(2));
    run(&mut play);
    assert_eq!(blocked(&play).0, Reason::StatusForged);
    assert_eq!(admitted(&play), [[1, 2], [1, 2], [1, 2]]);
}

#[test]
fn keys_that_are_all_their_holders_are_asked_for_two_and_then_for_one() {
    let mut play = Play::new(vec![share("a", false), share("b", false)]);
    let holders = |play: &mut Play, bytes: &[u8]| {
        let measurements: Vec<_> = bytes
            .iter()
            .map(|byte| release(*byte).measurement)
            .collect();
        for key in 0..2 {
            let policy = play.world.spec.shares[key].template.render(&measurements);
            play.set_facts(key, |facts| facts.policy = Ok(policy));
        }
    };
    holders(&mut play, &[1]);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    play.world.spec.release = release(2);
    play.until("Admit: waits, AwaitingKeyHolder");
    holders(&mut play, &[1, 2]);
    play.until("Retire: begins to retire: from now on the only way is forward");
    play.until("Retire: waits, AwaitingKeyHolder");
    assert_eq!(
        rollover::AdmittedSet::recorded(&play.world, &play.world.record).everywhere(),
        [release(2).measurement]
    );
    holders(&mut play, &[2]);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn a_holder_s_drift_does_not_keep_the_operator_from_scaling() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    let of = |play: &Play, bytes: &[u8]| {
        let each: Vec<_> = bytes
            .iter()
            .map(|byte| release(*byte).measurement)
            .collect();
        play.world.spec.shares[2].template.render(&each)
    };
    let policy = of(&play, &[1]);
    play.set_facts(2, |facts| facts.policy = Ok(policy));
    run(&mut play);
    let none = of(&play, &[]);
    play.set_facts(2, |facts| facts.policy = Ok(none));
    play.world.sets.clear();
    play.world.spec.replicas = 4;
    play.run(40);
    assert!(
        play.story.contains("makes the ReplicaSet of v1"),
        "{}",
        play.story
    );
    assert!(play.story.contains("resizes v1 0->4"), "{}", play.story);
    assert!(
        play.story.ends_with("waits, AwaitingKeyHolder\n"),
        "{}",
        play.story
    );
}

#[test]
fn a_key_that_refuses_holds_up_what_needs_it_and_nothing_else() {
    let mut play = Play::settled();
    play.refuse(2, SignedDuration::from_mins(60));
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.until("Retire: writes policies a=[] b=[]");
    play.run(3);
    assert_eq!(admitted(&play), [vec![], vec![], vec![1]], "{}", play.story);
    play.world.refusals.clear();
    run(&mut play);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);
}

/// Fifty tags of others are on it, say: what it cannot remember the other keys do.
#[test]
fn a_key_that_takes_no_tags_keeps_neither_a_revoked_image_nor_the_old_one() {
    let hour = SignedDuration::from_mins(60);
    let mut play = Play::settled();
    play.refuse_change(2, hour, rollover::Change::Tags);
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.until("Retire: tags 2 keys, revoked v1");
    play.until("Retire: writes policies a=[] b=[] c=[]");

    let mut play = Play::rolling("Retire: begins to retire: from now on the only way is forward");
    play.refuse_change(2, hour, rollover::Change::Tags);
    play.until("Retire: tags 2 keys as this cluster's (2/retire)");
    play.until("Retire: writes policies a=[v2] b=[v2] c=[v2]");
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn a_deletion_gives_a_key_up_that_refuses_for_longer_than_the_deadline() {
    let mut play = Play::rolling("every key admits the live releases");
    play.refuse(2, SignedDuration::from_mins(5));
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    play.until("waits, KeyRefusesWrite");
    play.refuse(2, SignedDuration::from_mins(5));
    let arn = play.world.spec.shares[2].arn.clone();
    let hour = SignedDuration::from_hours(1);
    play.world.refusals.get_mut(&arn).unwrap().since -= hour;
    run(&mut play);
    assert!(
        play.story
            .contains("allows deletion, but key c: kms:PutKeyPolicy"),
        "{}",
        play.story
    );
}

#[test]
fn two_first_releases_that_never_ran_well_do_not_take_turns() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.broken = vec!["v2"];
    play.until("waits, ChamberSealed");
    play.tick(None);
    play.world.sets[0].chambers[0].unsealed_since = None;
    play.broken.push("v1");
    play.world.spec.release = release(2);
    play.run(40);
    play.world.spec.release = release(3);
    run(&mut play);
    let turned = play.story.matches("turns back").count();
    assert!(turned <= 1, "{}", play.story);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn a_clock_that_is_set_back_makes_no_reading_fresh_for_ever() {
    let mut play = Play::settled();
    play.world.now -= SignedDuration::from_hours(2);
    assert!(matches!(plan(&play.world), Plan::Look(_)));
}

#[test]
fn whoever_asks_again_and_again_puts_no_deadline_off() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("waits, ChamberSealed");
    let before = play.world.record.rollover.as_ref().unwrap().progressed_at;
    play.world.now += SignedDuration::from_mins(1);
    play.world.spec.verbs.retry = Some("again".into());
    play.until("Retry is refused: nothing has failed");
    let after = play.world.record.rollover.as_ref().unwrap().progressed_at;
    assert_eq!(before, after);
}

/// Whoever may write status alone makes the operator neither run in circles nor admit anything.
#[test]
fn a_forged_release_and_a_forged_target_end_in_a_rollover_to_what_the_spec_names() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.record.current = Some(release(3));
    let now = play.world.now;
    play.world.record.rollover = Some(Rollover::begin(Some(release(3)), release(1), now));
    play.run(100);
    assert_eq!(blocked(&play).0, Reason::StatusBehindKeys);
    assert_eq!(admitted(&play), [[1], [1], [1]]);
    // Whoever counts on, too, gets no further than a rollover to what the spec names.
    play.world.record.rollovers += 1;
    play.run(100);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[2], [2], [2]]);
}

/// The commitment's tags and status are gone, and a forged first start is in flight: the master key is not made anew.
#[test]
fn chambers_that_run_are_enough_to_never_seal_again() {
    let mut play = Play::settled();
    (0..3).for_each(|key| strip(&mut play, key));
    let now = play.world.now;
    play.world.spec.release = release(2);
    play.world.record = rollover::PersistedState {
        rollover: Some(Rollover::begin(None, release(2), now)),
        ..rollover::PersistedState::default()
    };
    play.run(100);
    assert_eq!(blocked(&play).0, Reason::UnexpectedChambers);
    play.world.sets.clear();
    play.run(100);
    assert_eq!(blocked(&play).0, Reason::BlobLost, "{}", play.story);
    assert!(!play.story.contains("seal pod"), "{}", play.story);
}

/// After a lost status the tags of so many keys that the others are too few take an image out, and one alone does not.
#[test]
fn a_quorum_of_tags_takes_a_revoked_image_out_after_a_lost_status() {
    for (tagged, left) in [(1, vec![1]), (2, vec![])] {
        let mut play = Play::settled();
        let image = release(1).measurement.image_sha384;
        for key in 0..tagged {
            for (name, value) in tags::revoked_pages(&[tags::prefix(&image)]) {
                play.set_tag(key, &name, &value);
            }
        }
        play.world.record = rollover::PersistedState::default();
        play.world.sets.clear();
        run(&mut play);
        assert_eq!(admitted(&play), vec![left; 3], "{tagged}: {}", play.story);
        assert_eq!(
            blocked(&play).0,
            Reason::MeasurementRevoked,
            "{}",
            play.story
        );
    }
}

#[test]
fn the_holder_of_a_key_that_still_admits_a_revoked_image_is_named() {
    let mut play = Play::settled();
    play.world.spec.shares[2] = share("c", false);
    play.world.spec.verbs.revoke = Some(revocation(1));
    run(&mut play);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::MeasurementRevoked);
    assert!(
        message.contains("the policy of key c still admits it: its holder"),
        "{message}"
    );
    let admits_another = play.world.spec.shares[2]
        .template
        .render(&[release(5).measurement]);
    play.set_facts(2, |facts| facts.policy = Ok(admits_another));
    run(&mut play);
    assert!(
        play.story.ends_with("waits, AwaitingKeyHolder\n"),
        "{}",
        play.story
    );
}

/// Between the note and the last write of Retire the target keeps the size that the spec wants.
#[test]
fn while_retire_waits_for_a_key_the_chambers_grow_with_the_spec() {
    let mut play = Play::rolling("begins to retire: from now on the only way is forward");
    play.refuse(1, SignedDuration::from_hours(9));
    play.world.spec.replicas = 5;
    play.run(50);
    assert!(play.story.contains("resizes v2 3->5"), "{}", play.story);
    assert!(play.story.contains("KeyRefusesWrite"), "{}", play.story);
}

/// A first release that never ran well is corrected, and the user changes their mind: nothing was verified yet.
#[test]
fn a_corrected_first_release_and_back_again() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.broken = vec!["v1"];
    play.until("v1 0->3");
    play.run(5);
    play.world.spec.release = release(2);
    play.until("v2 0->1");
    play.world.spec.release = release(1);
    play.broken.clear();
    play.run(400);
    assert!(
        play.story.contains("turns back to the release before"),
        "{}",
        play.story
    );
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[1], [1], [1]]);
}

/// What status calls the release before, and what ran last, in the middle of a rollover from v1 to v2.
fn forgeries_of_what_was_before() -> [fn(&mut Play); 3] {
    [
        |play| {
            play.world.record.current = None;
            play.world.record.rollover.as_mut().unwrap().from = None;
        },
        |play| play.world.record.rollover.as_mut().unwrap().from = Some(release(9)),
        |play| {
            play.world.record.current = Some(release(9));
            play.world.record.rollover.as_mut().unwrap().from = Some(release(9));
        },
    ]
}

#[test]
fn a_forged_release_before_does_not_take_out_the_one_that_was_verified_last() {
    for line in ["v1 3->2, v2 0->1", "waits, Soaking"] {
        for (index, forge) in forgeries_of_what_was_before().into_iter().enumerate() {
            let mut play = Play::settled();
            play.world.spec.release = release(2);
            play.rejected = Some(1.0);
            play.until(line);
            forge(&mut play);
            run(&mut play);
            for images in admitted(&play) {
                assert_eq!(images, [1, 2], "{index}: {}", play.story);
            }
            assert!(play.world.set("v1").is_some(), "{index}: {}", play.story);
        }
    }
}

#[test]
fn a_deletion_with_a_forged_release_before_leaves_one_that_the_keys_know() {
    for (index, forge) in forgeries_of_what_was_before().into_iter().enumerate() {
        let mut play = Play::rolling("v1 3->2, v2 0->1");
        forge(&mut play);
        play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
        run(&mut play);
        for images in admitted(&play) {
            assert_eq!(images.len(), 1, "{index}: {images:?} {}", play.story);
            assert!(images[0] < 3, "{index}: {images:?} {}", play.story);
        }
    }
}

#[test]
fn a_forged_retire_does_not_choose_what_a_deletion_leaves() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    let since = play.world.now;
    play.world.record.rollover.as_mut().unwrap().phase = Phase::Retiring { since };
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    run(&mut play);
    assert_eq!(admitted(&play), [[1], [1], [1]], "{}", play.story);
}

/// Without a tag the only release that chambers could run but the target is the way back.
#[test]
fn a_forged_release_before_takes_nothing_out_where_the_tags_are_gone_too() {
    for (index, forge) in forgeries_of_what_was_before().into_iter().enumerate() {
        let mut play = Play::settled();
        play.world.spec.release = release(2);
        play.rejected = Some(1.0);
        play.until("waits, Soaking");
        (0..3).for_each(|key| play.set_facts(key, |facts| facts.tags.clear()));
        forge(&mut play);
        run(&mut play);
        for images in admitted(&play) {
            assert_eq!(images, [1, 2], "{index}: {}", play.story);
        }
        assert!(play.world.set("v1").is_some(), "{index}: {}", play.story);
    }
}

/// On the way back the release before is the one that failed.
#[test]
fn a_deletion_on_the_way_back_leaves_what_was_verified_last() {
    let mut play = Play::rolling("policies hold one measurement");
    play.world.spec.verbs.abort = Some("1".to_owned());
    play.until("turns back to the release before");
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    run(&mut play);
    assert_eq!(admitted(&play), [[1], [1], [1]], "{}", play.story);
    assert!(
        play.story.contains("Retire: allows deletion\n"),
        "{}",
        play.story
    );
}

/// What status asks for is what the operator writes itself: once no chamber is left, one measurement.
#[test]
fn a_deletion_asks_holders_for_what_it_leaves() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    let asked = |play: &Play| {
        let set = rollover::AdmittedSet::recorded(&play.world, &play.world.record);
        set.everywhere().to_vec()
    };
    let both = [1, 2].map(|number| release(number).measurement);
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    assert_eq!(asked(&play), both);
    play.until("writes policies a=[v1] b=[v1] c=[v1]");
    assert_eq!(asked(&play), [release(1).measurement]);
}

/// `kubectl chamber plan` believes status no more than the planner does.
#[test]
fn a_preview_shows_what_admit_changes_where_status_alone_says_that_retire_has_begun() {
    let mut play = Play::rolling("holds deletion until the policies hold one measurement");
    let admits = |play: &Play| {
        let preview = rollover::preview(&play.world);
        let changes = preview.keys[0].changes.as_ref().unwrap();
        !changes.admit.is_empty()
    };
    assert!(admits(&play));
    let since = play.world.now;
    play.world.record.rollover.as_mut().unwrap().phase = Phase::Retiring { since };
    assert!(admits(&play));
    let target = rollover::tags::retired_for(&release(2).measurement);
    play.world.retire_witnessed = Some((play.world.record.rollovers, target));
    assert!(!admits(&play));
}

/// Turning back from a release to itself would go on for ever.
#[test]
fn a_forged_rollover_of_a_release_to_itself_ends() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    play.world.record.rollover.as_mut().unwrap().from = Some(release(2));
    play.world.spec.release = release(1);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[1], [1], [1]], "{}", play.story);
}

/// Status and the keys' tags name two releases: a person has to look, and what runs keeps running.
#[test]
fn nothing_is_begun_while_keys_say_that_another_release_was_left_last() {
    let mut play = Play::rolling("makes the ReplicaSet of v2");
    let lie = tags::retired_for(&release(2).measurement);
    (0..3).for_each(|key| play.set_tag(key, tags::RETIRED_FOR, &lie));
    play.world.spec.release = release(3);
    play.run(100);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::StatusForged, "{}", play.story);
    assert!(message.contains("says v2: one of them"), "{message}");
    assert_eq!(play.world.unsealed(), 3);
    let truth = tags::retired_for(&release(1).measurement);
    (0..3).for_each(|key| play.set_tag(key, tags::RETIRED_FOR, &truth));
    play.until("Settled");
}

/// Whoever writes status keeps the name of what runs, and says that it is another image.
#[test]
fn a_status_that_has_another_measurement_of_what_runs_is_not_acted_on() {
    let forgeries: [fn(&mut PersistedState); 3] = [
        |record| {
            let rollover = record.rollover.as_mut().unwrap();
            rollover.to.measurement = release(9).measurement;
        },
        |record| {
            let rollover = record.rollover.as_mut().unwrap();
            rollover.from.as_mut().unwrap().measurement = release(9).measurement;
        },
        |record| record.current.as_mut().unwrap().measurement = release(9).measurement,
    ];
    for forge in forgeries {
        let mut play = Play::rolling("Roll: resizes v1 3->2, v2 0->1");
        let status = play.world.record.clone();
        forge(&mut play.world.record);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::StatusForged, "{message}");
        assert!(
            message.contains("another measurement of release v"),
            "{message}"
        );
        play.world.record = status;
        play.run(200);
        assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    }
}

/// Whoever obeys what status asks for takes nothing away from what runs.
#[test]
fn holders_are_asked_for_what_the_sets_measure_whatever_status_says() {
    let mut play = Play::rolling("Roll: resizes v1 3->2, v2 0->1");
    let honest = AdmittedSet::recorded(&play.world, &play.world.record);
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.to.measurement = release(9).measurement;
    play.world.record.current.as_mut().unwrap().measurement = release(9).measurement;
    let asked = AdmittedSet::recorded(&play.world, &play.world.record);
    assert_eq!(asked, honest);
}

/// A revocation goes on beside it: only what is revoked leaves.
#[test]
fn a_revocation_beside_a_forged_measurement_takes_only_the_revoked_image() {
    let mut play = Play::rolling("Roll: resizes v1 3->2, v2 0->1");
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.to.measurement = release(9).measurement;
    play.world.spec.verbs.revoke = Some(revocation(1));
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::StatusForged, "{}", play.story);
    assert_eq!(admitted(&play), [[2], [2], [2]], "{}", play.story);
}

#[test]
fn a_settled_status_with_another_measurement_of_what_runs_is_not_acted_on() {
    let mut play = Play::settled();
    let current = play.world.record.current.as_mut().unwrap();
    current.measurement = release(9).measurement;
    assert_eq!(blocked(&play).0, Reason::StatusForged);
    // The cure that the message names.
    play.world.record = PersistedState::default();
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[1], [1], [1]]);
}

/// Keys that are all their holders'.
fn of_holders() -> Play {
    let mut play = Play::new(vec![share("a", false), share("b", false)]);
    (0..2).for_each(|key| play.admits(key, &[1]));
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    play.world.spec.release = release(2);
    play.until("Admit: waits, AwaitingKeyHolder");
    (0..2).for_each(|key| play.admits(key, &[1, 2]));
    play
}

#[test]
fn a_profile_change_reaches_a_key_whose_tags_were_lost() {
    let mut play = Play::settled();
    strip(&mut play, 2);
    for share in &mut play.world.spec.shares {
        share.template.profile = Profile::Pinned;
    }
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    for key in 0..3 {
        let policy = play.policy(key).to_json();
        assert!(policy.contains("StringNotEquals"), "{key}: {policy}");
    }
}

/// The holder gives a key to the operator, by hand: nothing of it was ever tagged.
#[test]
fn a_key_that_becomes_managed_is_claimed_before_drift_and_a_revocation_are_written() {
    for revokes in [false, true] {
        let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
        play.admits(2, &[1]);
        run(&mut play);
        play.story.clear();
        play.world.spec.shares[2].managed = true;
        if revokes {
            play.world.spec.verbs.revoke = Some(revocation(1));
        } else {
            play.admits(2, &[]);
        }
        run(&mut play);
        let claimed = play.story.find("tags 1 keys as this cluster's");
        let written = play.story.find(" c=");
        assert!(claimed.is_some() && claimed < written, "{}", play.story);
        let left: &[u8] = if revokes { &[] } else { &[1] };
        assert_eq!(admitted(&play), [left; 3], "{}", play.story);
    }
}

#[test]
fn a_key_that_was_at_risk_since_the_first_start_is_claimed_once_it_is_enabled() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.disable_at_risk(2);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    play.world.spec.shares[2].accepted_at_risk = false;
    play.set_facts(2, |facts| facts.state = rollover::KeyState::Enabled);
    run(&mut play);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(admitted(&play), [[1], [1], [1]], "{}", play.story);
    play.world.spec.verbs.revoke = Some(revocation(1));
    run(&mut play);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);
}

/// The fault is not ours, and what must leave leaves.
#[test]
fn break_glass_that_others_altered_on_one_key_holds_up_neither_a_revocation_nor_a_deletion() {
    let altered = |play: &mut Play| {
        play.rewrite(
            2,
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:role/Other",
        );
    };
    let mut play = Play::settled();
    altered(&mut play);
    play.world.spec.verbs.revoke = Some(revocation(1));
    run(&mut play);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);

    let mut play = Play::rolling("every key admits the live releases");
    altered(&mut play);
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    run(&mut play);
    assert_eq!(admitted(&play), [[1], [1], [1]], "{}", play.story);
}

#[test]
fn a_holder_who_never_retires_is_named_for_ever_and_the_next_release_is_not_begun() {
    let mut play = of_holders();
    play.until("Retire: waits, AwaitingKeyHolder");
    play.admits(0, &[2]);
    run(&mut play);
    let Plan::Wait { obstacle, .. } = plan(&play.world) else {
        panic!("{}", play.story);
    };
    assert!(
        obstacle.to_string().contains("holder of key b:"),
        "{obstacle}"
    );
}

/// One of them takes the old image out while chambers run it: he is asked to bring it back, and nothing is stopped on his word.
#[test]
fn a_holder_who_retires_too_early_is_asked_to_bring_the_old_image_back() {
    let mut play = of_holders();
    play.until("v1 3->2, v2 0->1");
    play.admits(1, &[2]);
    run(&mut play);
    let asked = AdmittedSet::recorded(&play.world, &play.world.record);
    let both = [release(1).measurement, release(2).measurement];
    assert_eq!(asked.everywhere(), both);
    let last = "resizes v1 3->2, v2 0->1\nAdmit: waits, AwaitingKeyHolder\n";
    assert!(play.story.ends_with(last), "{}", play.story);
    play.admits(1, &[1, 2]);
    play.until("Retire: waits, AwaitingKeyHolder");
}

/// What a rollover came from is there, and status calls it a first start.
#[test]
fn a_rollover_that_status_calls_the_first_beside_a_verified_release_is_not_believed() {
    let mut play = Play::rolling("v1 3->2, v2 0->1");
    play.world.record.rollover.as_mut().unwrap().from = None;
    run(&mut play);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::StatusForged, "{}", play.story);
    assert!(
        message.contains("rollover to v2 comes from no release"),
        "{message}"
    );
    assert_eq!(admitted(&play), [[1, 2], [1, 2], [1, 2]]);
    play.world.record = PersistedState::default();
    run(&mut play);
    assert_eq!(
        blocked(&play).0,
        Reason::UnexpectedChambers,
        "{}",
        play.story
    );
}

/// Nothing of it rests on status.
#[test]
fn a_revocation_beside_a_status_from_a_backup_takes_the_image_out() {
    let mut play = Play::settled();
    let backup = play.world.record.clone();
    play.world.spec.release = release(2);
    play.until("Admit: tags 3 keys as this cluster's (2/admit)");
    play.world.record = backup;
    play.world.spec.verbs.revoke = Some(revocation(1));
    run(&mut play);
    assert_eq!(blocked(&play).0, Reason::StatusBehindKeys, "{}", play.story);
    assert_eq!(admitted(&play), [[0; 0]; 3], "{}", play.story);
}

/// The holder takes his word back, and no rollover is in flight: the keys are read again in time.
#[test]
fn what_a_key_said_long_ago_holds_nothing_up_for_ever() {
    let mut play = Play::settled();
    let image = tags::prefix(&release(2).measurement.image_sha384);
    for (name, value) in tags::revoked_pages(&[image]) {
        play.set_tag(2, &name, &value);
    }
    play.world.spec.release = release(2);
    run(&mut play);
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
    let readings = std::mem::take(&mut play.world.readings);
    let next = plan(&play.world);
    assert!(matches!(next, Plan::Look(_)), "after a restart: {next:?}");
    play.world.readings = readings;
    play.world.now += SignedDuration::from_mins(11);
    assert!(
        matches!(plan(&play.world), Plan::Look(_)),
        "{:?}",
        plan(&play.world)
    );
}
