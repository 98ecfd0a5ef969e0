//! Stories of policies: keys that are taken over, the profile Pinned, and what is only looked at.

use crate::play::{Play, blocked, compare, release, share};
use key_policy::{Policy, Profile};
use measurement::Pcr;
use rollover::{
    Action, Changes, DriftPolicy, KeyState, KeyWrite, PersistedState, Plan, Reason, laws, plan,
    preview,
};

/// The policy of a key that AWS made: the account decides.
const DEFAULT: &str = r#"{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}"#;

/// Somebody gives another role the key.
const FOREIGN_ALLOW: &str = r#"{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:Decrypt","Resource":"*"}"#;

/// Keys that somebody rolled by hand: a admits v1, b is in the middle of v1 -> v2, c is as AWS made it.
fn hand_rolled(adopt: bool) -> Play {
    let mut shares = vec![share("a", true), share("b", true), share("c", true)];
    for share in &mut shares {
        share.adopt = adopt;
    }
    let mut play = Play::new(shares);
    play.world.spec.managed_sealing = false;
    play.world.spec.gate = rollover::Gate::Disabled;
    play.world.spec.release = release(2);
    admits(&mut play, 0, &[1]);
    admits(&mut play, 1, &[1, 2]);
    play.set_facts(2, |facts| {
        facts.policy = Ok(Policy::parse(DEFAULT).unwrap());
    });
    play
}

fn admits(play: &mut Play, key: usize, releases: &[u8]) {
    let live: Vec<_> = releases
        .iter()
        .map(|byte| release(*byte).measurement)
        .collect();
    let policy = play.world.spec.shares[key].template.render(&live);
    play.set_facts(key, |facts| facts.policy = Ok(policy));
}

fn set_adopt(play: &mut Play, adopt: bool) {
    for share in &mut play.world.spec.shares {
        share.adopt = adopt;
    }
}

fn set_profile(play: &mut Play, profile: Profile) {
    for share in &mut play.world.spec.shares {
        share.template.profile = profile;
    }
}

#[test]
fn keys_of_others_are_taken_over_and_what_was_found_stays_on_its_own_key_until_retire() {
    let mut play = hand_rolled(false);
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::PolicyNotOurs);
    play.scene("adopt: true", |play| set_adopt(play, true));
    play.run(200);
    compare("taken-over", &play);
    assert!(
        play.policy(2)
            .statement("Enable IAM User Permissions")
            .is_some(),
        "a statement of others is lost"
    );
}

#[test]
fn what_nobody_named_is_not_kept_without_adopt() {
    let mut play = hand_rolled(false);
    admits(&mut play, 2, &[2]);
    play.run(20);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::UnknownMeasurement, "{message}");
    assert!(message.contains("spec.keys.policy.adopt"), "{message}");
}

#[test]
fn two_measurements_that_nobody_named_block_a_takeover() {
    for found in [&[1, 3][..], &[1, 3, 2]] {
        let mut play = hand_rolled(true);
        admits(&mut play, 1, found);
        play.run(20);
        assert_eq!(blocked(&play).0, Reason::UnknownMeasurement);
        assert!(play.world.sets.is_empty() && !play.story.contains("writes"));
    }
}

#[test]
fn a_policy_that_cannot_be_read_for_certain_is_not_taken_over() {
    let mut play = hand_rolled(true);
    play.rewrite(0, "StringEqualsIgnoreCase", "StringLike");
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::PolicyNotOurs);
    assert_eq!(play.story, "Measure: blocked, PolicyNotOurs\n");
}

/// Statement 5 lacks operations: an error of the lint, which the takeover mends.
#[test]
fn an_error_in_the_five_statements_is_mended_by_a_takeover_and_one_of_others_is_not() {
    let mut play = hand_rolled(true);
    play.rewrite(0, "\"kms:GenerateDataKeyPair\",", "");
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);

    // A Deny of ours that somebody bent so that it stops every enclave.
    let mut play = hand_rolled(true);
    let absent = "\"kms:RecipientAttestation:ImageSha384\": ";
    play.rewrite(
        0,
        &format!("{absent}\"true\""),
        &format!("{absent}\"false\""),
    );
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);

    let mut play = hand_rolled(true);
    play.with_statement(0, FOREIGN_ALLOW);
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::PolicyUnsound);
    assert!(!play.story.contains("writes"), "{}", play.story);
}

#[test]
fn a_takeover_survives_a_crash_a_lost_status_and_another_hand() {
    let mut play = hand_rolled(true);
    play.until("a=[v1 v2] c=[v2]");
    play.scene("status is lost", |play| {
        play.world.record = PersistedState::default();
    });
    play.until("begins, the first start of v2; a keeps v1; b keeps v1");
    play.scene("a foreign hand takes v1 out of a", |play| {
        admits(play, 0, &[2]);
    });
    play.run(200);
    compare("takeover-disturbed", &play);
}

#[test]
fn a_third_release_in_a_takeover_keeps_what_was_found() {
    let mut play = hand_rolled(true);
    play.until("a=[v1 v2] c=[v2]");
    play.scene("the user wants v3", |play| {
        play.world.spec.release = release(3);
    });
    play.run(200);
    compare("takeover-another-target", &play);
}

/// The chambers of v2 stay; v1, v2 and v3 would be three.
#[test]
fn a_third_release_is_refused_while_a_key_keeps_one_and_chambers_run_another() {
    let mut play = hand_rolled(true);
    play.until("resizes v2 0->3");
    play.world.spec.release = release(3);
    play.run(20);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::UnknownMeasurement, "{}", play.story);
    assert!(message.contains("third"), "{message}");
    admits(&mut play, 0, &[2]);
    admits(&mut play, 1, &[2]);
    play.run(300);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

#[test]
fn a_revocation_in_a_takeover_takes_the_one_and_leaves_the_other() {
    let revoke = |byte: u8| {
        let mut play = hand_rolled(true);
        play.until("a=[v1 v2] c=[v2]");
        let image = release(byte).measurement.image_sha384;
        play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
        play.run(300);
        play
    };
    let play = revoke(1);
    assert!(
        play.story.contains("writes policies a=[v2] b=[v2]\n"),
        "{}",
        play.story
    );
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    let play = revoke(2);
    assert!(
        play.story.contains("writes policies a=[v1] b=[v1] c=[]\n"),
        "{}",
        play.story
    );
    assert_eq!(blocked(&play).0, Reason::MeasurementRevoked);
}

#[test]
fn the_holder_of_an_observed_key_keeps_what_was_found_until_retire() {
    let mut play = hand_rolled(true);
    play.world.spec.shares[1].managed = false;
    admits(&mut play, 1, &[1]);
    play.until("waits, AwaitingKeyHolder");
    play.scene("the holder of b admits v2 beside v1", |play| {
        admits(play, 1, &[1, 2]);
    });
    play.until("Retire: waits, AwaitingKeyHolder");
    play.scene("and takes v1 out", |play| admits(play, 1, &[2]));
    play.run(20);
    compare("takeover-observed", &play);
}

#[test]
fn the_profile_changes_without_a_rollover_and_a_rollover_keeps_it() {
    let mut play = Play::settled();
    play.scene("profile: Pinned", |play| set_profile(play, Profile::Pinned));
    play.run(20);
    play.scene("the user wants v2", |play| {
        play.world.spec.release = release(2);
    });
    play.run(200);
    play.scene("profile: Standard", |play| {
        set_profile(play, Profile::Standard);
    });
    play.run(20);
    compare("pinned", &play);
}

#[test]
fn the_profile_can_change_in_the_middle() {
    let mut play = Play::rolling("resizes v1 3->2, v2 0->1");
    play.scene("profile: Pinned", |play| set_profile(play, Profile::Pinned));
    play.until("waits, Soaking");
    play.scene("profile: Standard, then Pinned while it retires", |play| {
        set_profile(play, Profile::Standard);
    });
    play.until("Retire: begins to retire: from now on the only way is forward");
    set_profile(&mut play, Profile::Pinned);
    play.run(200);
    compare("pinned-in-the-middle", &play);
}

#[test]
fn a_denial_that_somebody_took_away_is_put_back_or_reported() {
    let mut play = Play::settled();
    set_profile(&mut play, Profile::Pinned);
    play.run(20);
    set_profile(&mut play, Profile::Standard);
    admits(&mut play, 0, &[1]);
    set_profile(&mut play, Profile::Pinned);
    play.world.spec.drift_policy = DriftPolicy::Report;
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::PolicyDrift);
    play.world.spec.drift_policy = DriftPolicy::Repair;
    play.story.clear();
    play.run(20);
    assert_eq!(
        play.story,
        "Settled: writes policies a=[v1] (Pinned)\nSettled\n"
    );
}

/// Statement 3 alone does not admit: nothing is started on a holder's half of the work.
#[test]
fn an_observed_key_whose_denials_lag_behind_has_not_admitted() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    set_profile(&mut play, Profile::Pinned);
    admits(&mut play, 2, &[1]);
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    play.story.clear();
    play.world.spec.release = release(2);
    play.run(50);
    let (one, two) = (release(1).measurement, release(2).measurement);
    let image = one.image_sha384.to_string();
    play.rewrite(2, &image, &format!("{image}\",\"{}", two.image_sha384));
    play.run(50);
    assert!(
        play.story.ends_with("Admit: waits, AwaitingKeyHolder\n"),
        "{}",
        play.story
    );
    admits(&mut play, 2, &[1, 2]);
    play.until("makes the ReplicaSet of v2");
}

#[test]
fn a_dry_run_changes_nothing_and_shows_what_would_change() {
    let mut play = hand_rolled(true);
    play.world.spec.dry_run = true;
    play.run(20);
    assert!(play.story.ends_with("waits, DryRun\n"), "{}", play.story);
    let preview = preview(&play.world);
    assert_eq!(preview.objection, None);
    let a = preview.keys[0].changes.as_ref().unwrap();
    swaps_the_images_of_releases_one_and_two(a);
    let c = preview.keys[2].changes.as_ref().unwrap();
    assert!(c.takes_over && !a.takes_over);
    assert!(
        c.sizes[0] < c.sizes[1] && c.sizes[1] == c.sizes[2],
        "{:?}",
        c.sizes
    );
    play.scene("dryRun: false", |play| play.world.spec.dry_run = false);
    play.until("Settled");
}

/// Admit adds the image of release two and Retire takes that of release one out; nobody's access changes but the enclave role's.
fn swaps_the_images_of_releases_one_and_two(key: &Changes) {
    let (one, two) = (release(1).measurement, release(2).measurement);
    let line = |sign: char, image: &measurement::Pcr| {
        format!(
            "{sign} AllowChamberEnclaveDecryptWithAttestation: Condition StringEqualsIgnoreCase kms:RecipientAttestation:ImageSha384 {image}"
        )
    };
    let texts = |changes: &[key_policy::Change]| -> Vec<String> {
        changes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(texts(&key.admit), [line('+', &two.image_sha384)]);
    assert_eq!(texts(&key.retire), [line('-', &one.image_sha384)]);
    let rows = key.access.iter().filter(|row| row.changes());
    let changed: Vec<_> = rows
        .map(|row| {
            let each = row
                .by
                .iter()
                .map(key_policy::evaluate::Decision::is_allowed);
            let each: Vec<_> = each.collect();
            let (principal, attested) = (row.principal.as_str(), row.attested.as_str());
            (principal, row.action, attested, each)
        })
        .collect();
    let role = "ChamberEnclaveRole-test-local-signer";
    assert_eq!(
        changed,
        [
            (role, "kms:Decrypt", "0101010101", vec![true, true, false]),
            (role, "kms:Decrypt", "0202020202", vec![false, true, true]),
        ]
    );
}

#[test]
fn a_dry_run_in_the_middle_holds_and_a_revocation_passes_it() {
    let mut play = Play::rolling("resizes v1 3->2, v2 0->1");
    play.world.spec.dry_run = true;
    play.run(20);
    assert!(
        play.story.ends_with("Roll: waits, DryRun\n"),
        "{}",
        play.story
    );
    play.world.budget = Some(1);
    let waits = plan(&play.world);
    let said = waits.obstacle().map(ToString::to_string).unwrap();
    let next = "without it the operator resizes v1 2->1, v2 1->2. status.plan shows";
    assert!(said.contains(next), "{said}");
    let image = release(2).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    play.run(20);
    assert!(
        play.story
            .contains("writes policies a=[v1] b=[v1] c=[v1]\n"),
        "{}",
        play.story
    );
}

#[test]
fn a_preview_says_what_speaks_against_it() {
    let mut play = hand_rolled(false);
    let objection = |play: &Play| preview(&play.world).objection.map(|found| found.reason());
    assert_eq!(objection(&play), Some(Reason::PolicyNotOurs));
    // What adopt would do is shown before it is said.
    assert!(
        preview(&play.world).keys[2]
            .changes
            .as_ref()
            .unwrap()
            .takes_over
    );
    set_adopt(&mut play, true);
    assert_eq!(objection(&play), None);
    admits(&mut play, 0, &[1, 3]);
    assert_eq!(objection(&play), Some(Reason::UnknownMeasurement));
    play.set_facts(0, |facts| facts.state = KeyState::Other("Disabled".into()));
    assert_eq!(objection(&play), Some(Reason::KeyNotEnabled));
}

const FENCE: &str = r#"{"Sid":"Endpoint","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}"#;

fn settled(play: &Play) {
    let next = plan(&play.world);
    assert!(matches!(next, Plan::Settled { .. }), "{}", play.story);
}

fn assume(play: &mut Play, value: &str) {
    for share in &mut play.world.spec.shares {
        let assumed = [("aws:SourceVpce".to_owned(), value.to_owned())];
        share.template.assume = assumed.into();
    }
}

/// Nobody said from where the chambers call, and a wrong guess would lock them out: Measure stops, and says what to say.
#[test]
fn a_fence_that_nobody_spoke_of_stops_in_measure_until_the_spec_says_what_holds() {
    let mut play = Play::settled();
    play.with_statement(1, FENCE);
    play.world.spec.release = release(2);
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyDependsOnUnknown, "{}", play.story);
    assert!(
        message.contains("`Endpoint`")
            && message.contains("depends on aws:SourceVpce")
            && message.contains("spec.keys.policy.assume"),
        "{message}"
    );
    assert!(!play.story.contains("writes policies"), "{}", play.story);
    assume(&mut play, "vpce-2");
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::ForeignDeny, "{}", play.story);
    assume(&mut play, "vpce-1");
    play.run(200);
    settled(&play);
    assert!(play.policy(1).statement("Endpoint").is_some());
}

/// A fence that appears in the middle of Roll: no chamber is started into it, and no law has to stop it.
#[test]
fn a_fence_that_appears_in_the_middle_starts_no_chamber() {
    let mut play = Play::rolling("resizes v1 3->2, v2 0->1");
    play.with_statement(1, FENCE);
    play.run(50);
    assert_eq!(
        blocked(&play).0,
        Reason::PolicyDependsOnUnknown,
        "{}",
        play.story
    );
    assert!(!play.story.contains("LawBroken"), "{}", play.story);
    assume(&mut play, "vpce-1");
    play.run(200);
    settled(&play);
}

/// With no rollover in flight fewer keys than the threshold would open for a chamber that restarts: it is said.
#[test]
fn fences_around_a_settled_cluster_are_said_once_they_could_lock_it_out() {
    let mut play = Play::settled();
    play.with_statement(0, FENCE);
    play.run(20);
    assert!(
        matches!(plan(&play.world), Plan::Settled { .. }),
        "two of three keys are enough: {}",
        play.story
    );
    play.with_statement(1, FENCE);
    play.run(20);
    assert_eq!(
        blocked(&play).0,
        Reason::PolicyDependsOnUnknown,
        "{}",
        play.story
    );
    assume(&mut play, "vpce-1");
    play.run(20);
    settled(&play);
}

/// The fence names everybody who may use the key, and forgets the enclave role: it is a Deny like any other.
#[test]
fn a_fence_that_forgets_the_enclave_role_stops_in_measure() {
    let mut play = Play::settled();
    play.with_statement(
        1,
        r#"{"Sid":"NobodyElse","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalArn":["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"]}}}"#,
    );
    play.world.spec.release = release(2);
    // A plan says so before anything is tried.
    let objection = preview(&play.world).objection.map(|found| found.reason());
    assert_eq!(objection, Some(Reason::ForeignDeny));
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::ForeignDeny, "{}", play.story);
    assert!(!play.story.contains("writes policies"), "{}", play.story);
}

/// A lost status and a new profile at once: what runs is found, and then the policies follow.
#[test]
fn what_runs_is_found_again_in_whichever_profile() {
    let mut play = Play::settled();
    play.world.record = PersistedState::default();
    set_profile(&mut play, Profile::Pinned);
    play.run(50);
    assert_eq!(
        play.story,
        "Settled: recovers v1, which was found running\nSettled: finds the commitment to the master key\nSettled: writes policies a=[v1] (Pinned) b=[v1] (Pinned) c=[v1] (Pinned)\nSettled\n"
    );
}

/// Once Retire has begun there is nothing left to admit.
#[test]
fn a_preview_while_it_retires_shows_what_still_goes() {
    let play = Play::rolling("begins to retire: from now on the only way is forward");
    let preview = preview(&play.world);
    let a = preview.keys[0].changes.as_ref().unwrap();
    assert_eq!((a.admit.len(), a.retire.len()), (0, 1), "{a:?}");
    assert!(
        a.access
            .iter()
            .any(|row| row.attested == "0101010101" && row.changes())
    );
}

/// It keeps a release from being admitted, and never an old one from being retired or revoked.
#[test]
fn an_error_of_others_blocks_admit_only() {
    let mut play = Play::settled();
    play.scene("a foreign hand gives b to another role", |play| {
        play.with_statement(1, FOREIGN_ALLOW);
    });
    play.world.spec.release = release(2);
    play.run(20);
    assert_eq!(blocked(&play).0, Reason::PolicyUnsound, "{}", play.story);

    let mut play = Play::rolling("waits, Soaking");
    play.with_statement(1, FOREIGN_ALLOW);
    play.until("Retire: writes policies a=[v2] b=[v2] c=[v2]");
    play.until("Settled");
    let image = release(2).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    play.until("Retire: writes policies a=[] b=[] c=[]");
    assert!(play.policy(1).statement("Theirs").is_some());
}

/// Statement 3 of a key as it was made before: with an empty list.
fn emptied(play: &mut Play, key: usize) {
    let nobody = play.world.spec.shares[key].template.render(&[]);
    play.set_facts(key, |facts| facts.policy = Ok(nobody));
    let list = format!("[\n            \"{}\"\n          ]", Pcr::NOBODY);
    play.rewrite(key, &list, "[]");
}

fn empty_lists(play: &Play) -> usize {
    let keys = 0..play.world.spec.shares.len();
    keys.flat_map(|key| play.policy(key).statements())
        .flat_map(|statement| &statement.conditions)
        .filter(|condition| condition.values.is_empty())
        .count()
}

/// An error of the lint, in our own statement: Admit repairs it, and so does drift.
#[test]
fn an_empty_list_in_our_own_statement_is_repaired_and_one_of_others_stops() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    for key in 0..3 {
        emptied(&mut play, key);
    }
    assert_eq!(empty_lists(&play), 3);
    play.run(200);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(empty_lists(&play), 0);

    play.scene("a foreign hand empties the list of b", |play| {
        emptied(play, 1);
    });
    play.run(50);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(empty_lists(&play), 0);

    play.with_statement(
        2,
        r#"{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":[]}}}"#,
    );
    play.world.spec.release = release(2);
    play.run(20);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyUnsound);
    assert!(
        message.contains("key c") && message.contains("statement Fence has an empty list"),
        "{message}"
    );
}

/// A revocation of all that is admitted leaves a value that no image has; the next release takes its place.
#[test]
fn a_revocation_of_everything_writes_no_empty_list() {
    let written = [
        (Profile::Standard, "writes policies a=[] b=[] c=[]"),
        (
            Profile::Pinned,
            "writes policies a=[] (Pinned) b=[] (Pinned) c=[] (Pinned)",
        ),
    ];
    for (profile, written) in written {
        let mut play = Play::settled();
        set_profile(&mut play, profile);
        play.run(50);
        let image = release(1).measurement.image_sha384;
        play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
        play.until(written);
        assert_eq!(empty_lists(&play), 0);
        for key in 0..3 {
            let template = play.world.spec.shares[key].template.clone();
            assert!(
                play.policy(key).equivalent(&template.render(&[])),
                "{profile:?}"
            );
        }
        play.world.spec.release = release(2);
        play.run(200);
        let one = play.policy(0);
        let template = &play.world.spec.shares[0].template;
        assert!(
            one.equivalent(&template.render(&[release(2).measurement])),
            "{}",
            play.story
        );
    }
}

/// The fuse, against a slip of the planner.
#[test]
fn law_2_stops_an_empty_list() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    let expected = play.policy(0).clone();
    emptied(&mut play, 0);
    let policy = play.policy(0).clone();
    let share = &play.world.spec.shares[0];
    let write = KeyWrite {
        name: share.name.clone(),
        arn: share.arn.clone(),
        expected: expected.clone(),
        policy,
        content: String::new(),
    };
    play.set_facts(0, |facts| facts.policy = Ok(expected));
    let broken = laws::check(&play.world, &Action::WritePolicies(vec![write])).unwrap_err();
    assert_eq!(broken.law, 2);
    assert!(broken.message.contains("empty list"), "{}", broken.message);
}

/// Nobody could say what taking away a value that is no measurement would do.
#[test]
fn a_value_that_cannot_be_read_is_not_written_away() {
    let mut play = Play::settled();
    let image = release(1).measurement.image_sha384.to_string();
    play.rewrite(1, &image, &format!("{image}\", \"0x{}", &image[2..]));
    play.world.spec.release = release(2);
    play.run(20);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyUnsound, "{}", play.story);
    assert!(message.contains("malformed-measurement"), "{message}");
}

const DELETED: &str = "AROAZZTOPQ7EXAMPLE3KD";

/// A foreign statement that names a role that was deleted.
const OF_A_DELETED_ROLE: &str = r#"{"Sid":"Auditors","Effect":"Allow","Principal":{"AWS":"AROAZZTOPQ7EXAMPLE3KD"},"Action":"kms:DescribeKey","Resource":"*"}"#;

/// KMS shows the id of a role that was deleted in the place of its ARN, in every statement.
fn delete_role(play: &mut Play, key: usize, arn: &str) {
    let text = play.policy(key).to_json();
    assert!(text.contains(arn), "{arn} is not in {text}");
    let policy = Policy::parse(&text.replace(arn, DELETED)).unwrap();
    play.set_facts(key, |facts| facts.policy = Ok(policy));
}

#[test]
fn a_deleted_principal_of_others_stops_in_measure_and_says_where() {
    for managed in [true, false] {
        let mut play = Play::new(vec![
            share("a", true),
            share("b", managed),
            share("c", true),
        ]);
        play.with_statement(1, OF_A_DELETED_ROLE);
        play.run(50);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::DeletedPrincipal, "{}", play.story);
        for part in ["key b", "statement `Auditors`", DELETED, "by its ARN"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(!play.story.contains("writes"), "{}", play.story);
        let objection = preview(&play.world).objection.unwrap();
        assert_eq!(
            (objection.reason(), objection.to_string()),
            (reason, message)
        );
    }
}

#[test]
fn deleted_principals_of_our_own_statements_are_repaired() {
    for adopt in [false, true] {
        let mut play = Play::settled();
        set_adopt(&mut play, adopt);
        let template = play.world.spec.shares[1].template.clone();
        play.scene("the enclave role was deleted and made anew", |play| {
            delete_role(play, 1, &template.enclave_role_arn());
        });
        play.run(50);
        assert!(
            play.story
                .ends_with("Settled: writes policies b=[v1]\nSettled\n"),
            "{}",
            play.story
        );
        play.scene("so was the admin role", |play| {
            delete_role(play, 1, &template.admin_role_arn);
        });
        play.world.spec.release = release(2);
        play.run(200);
        assert!(play.story.ends_with("Settled\n"), "{}", play.story);
        let wanted = template.render(&[release(2).measurement]);
        assert!(
            play.policy(1).equivalent(&wanted),
            "{}",
            play.policy(1).to_json()
        );
    }
}

#[test]
fn a_holder_is_told_of_a_deleted_role() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    let role = play.world.spec.shares[2].template.enclave_role_arn();
    delete_role(&mut play, 2, &role);
    play.run(20);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::DeletedPrincipal, "{}", play.story);
    assert!(
        message.contains("key c") && message.contains(DELETED),
        "{message}"
    );
    assert!(
        message
            .contains("`kubectl chamber plan signer --document c` prints the policy that it needs"),
        "{message}"
    );
}

/// Drift of a key that KMS refuses is a reason and no write, and the others are put right beside it.
#[test]
fn a_deleted_principal_of_others_makes_no_write_that_fails_for_ever() {
    let mut play = Play::settled();
    play.scene(
        "a foreign hand empties b and c, and a role that b names was deleted",
        |play| {
            for key in [1, 2] {
                let nobody = play.world.spec.shares[key].template.render(&[]);
                play.set_facts(key, |facts| facts.policy = Ok(nobody));
            }
            play.with_statement(1, OF_A_DELETED_ROLE);
        },
    );
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::DeletedPrincipal, "{}", play.story);
    assert!(message.contains("key b"), "{message}");
    assert!(
        play.story.contains("writes policies c=[v1]"),
        "{}",
        play.story
    );
    assert!(!play.story.contains("b=[v1]"), "{}", play.story);

    // A revocation takes the image from the others.
    let image = release(1).measurement.image_sha384;
    let mut play = Play::settled();
    play.with_statement(1, OF_A_DELETED_ROLE);
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    play.until("Retire: writes policies a=[] c=[]");
}

/// What KMS says of a key whose policy is the smallest of its faults.
fn described() -> key_policy::KeyFacts {
    key_policy::KeyFacts {
        multi_region: true,
        origin: "EXTERNAL".into(),
        usage: "ENCRYPT_DECRYPT".into(),
        state: "Enabled".into(),
        lists: key_policy::KeyLists {
            policy_names: vec!["default".into(), "AWS_RAM".into()],
            grants: vec![key_policy::Grant {
                id: "1".into(),
                operations: vec!["Decrypt".into()],
                ..key_policy::Grant::default()
            }],
            unread: Vec::new(),
        },
    }
}

#[test]
fn what_speaks_against_a_key_beside_its_policy_is_shown_and_stops_no_rollover() {
    let rolled = |described: Option<&key_policy::KeyFacts>| {
        let mut play = Play::settled();
        for key in 0..3 {
            play.set_facts(key, |facts| facts.described = described.cloned());
        }
        play.world.spec.release = release(2);
        let preview = preview(&play.world);
        assert_eq!(preview.objection, None);
        play.run(200);
        let ended = matches!(plan(&play.world), Plan::Settled { .. });
        assert!(ended, "{}", play.story);
        (play.story, preview)
    };
    let (story, preview) = rolled(Some(&described()));
    let (without, bare) = rolled(None);
    assert_eq!(story, without);
    assert!(bare.keys.iter().all(|key| key.findings.is_empty()));
    let rules = |key: &rollover::KeyPreview| {
        let rules = key.findings.iter().map(|finding| finding.rule.to_string());
        rules.collect::<Vec<_>>().join(" ")
    };
    for key in &preview.keys {
        assert_eq!(
            rules(key),
            "multi-region imported-material second-policy grant"
        );
    }
}

#[test]
fn a_key_that_cannot_be_read_is_no_objection_once_the_spec_accepts_it_at_risk() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.unreadable(2, Reason::KeyUnreadable, "key c cannot be read");
    let objection = |play: &Play| preview(&play.world).objection.map(|found| found.reason());
    assert_eq!(objection(&play), Some(Reason::KeyUnreadable));
    assert_eq!(blocked(&play).0, Reason::KeyUnreadable);
    play.world.spec.shares[2].accepted_at_risk = true;
    assert_eq!(objection(&play), None);
    play.until("begins, v1 -> v2");
}

/// Without our tag the key may be another cluster's, whose enclave role was deleted: nothing of it is repaired.
#[test]
fn a_deleted_role_on_a_key_that_nobody_claimed_is_a_person_s_matter() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    let role = play.world.spec.shares[1].template.enclave_role_arn();
    delete_role(&mut play, 1, &role);
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::DeletedPrincipal, "{}", play.story);
    assert!(message.contains("key b"), "{message}");
    assert_eq!(play.story, "Measure: blocked, DeletedPrincipal\n");
}

/// Only where it would help: a holder's key the operator never writes.
#[test]
fn adopt_is_named_as_a_cure_of_managed_keys_that_lack_it_alone() {
    for (managed, adopt, named) in [
        (true, false, true),
        (true, true, false),
        (false, false, false),
        (false, true, false),
    ] {
        let mut play = hand_rolled(false);
        play.rewrite(0, "StringEqualsIgnoreCase", "StringLike");
        let share = &mut play.world.spec.shares[0];
        (share.managed, share.adopt) = (managed, adopt);
        let (reason, message) = blocked(&play);
        assert_eq!(reason, Reason::PolicyNotOurs);
        let cure = "spec.keys.policy.adopt: true has the operator write it";
        assert_eq!(message.contains(cure), named, "{message}");
    }
}

#[test]
fn a_policy_that_somebody_put_in_place_of_ours_is_not_written_over_without_adopt() {
    let mut play = Play::settled();
    let theirs = Policy::parse(DEFAULT).unwrap();
    play.set_facts(1, |facts| facts.policy = Ok(theirs.clone()));
    play.run(50);
    assert!(!play.story.contains("writes"), "{}", play.story);
    assert!(play.policy(1).equivalent(&theirs));
    assert!(blocked(&play).1.contains("key b"), "{}", play.story);
    set_adopt(&mut play, true);
    play.until("Settled: writes policies b=[v1]");
}

#[test]
fn a_deletion_asks_nothing_of_a_holder_who_has_done_it_already() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", false)]);
    admits(&mut play, 2, &[1]);
    play.until("Settled");
    play.world.spec.release = release(2);
    play.until("Admit: waits, AwaitingKeyHolder");
    admits(&mut play, 2, &[1, 2]);
    play.until("v1 3->2, v2 0->1");
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    play.until("writes policies a=[v1] b=[v1]");
    admits(&mut play, 2, &[1]);
    play.turn();
    assert!(
        play.story.ends_with("Retire: allows deletion\n"),
        "{}",
        play.story
    );
}

/// KMS would refuse the write, and nobody could ever mend such a policy afterwards.
#[test]
fn drift_is_not_put_back_into_a_policy_that_shuts_the_account_s_root_out() {
    let mut play = Play::settled();
    admits(&mut play, 1, &[]);
    play.with_statement(
        1,
        r#"{"Sid":"Sealed","Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Resource":"*"}"#,
    );
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::PolicyUnsound, "{}", play.story);
    assert!(
        message.contains("key b") && message.contains("missing-break-glass"),
        "{message}"
    );
    assert!(!play.story.contains("writes"), "{}", play.story);
}

/// The spec still names the release that failed, and it is not started again.
#[test]
fn a_preview_after_a_failure_leads_to_the_release_that_stays() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    assert_eq!(preview(&play.world).to, release(2));
    play.broken = vec!["v2"];
    play.run(2000);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed, "{}", play.story);
    let preview = preview(&play.world);
    assert_eq!((preview.from, preview.to), (Some(release(1)), release(1)));
}

/// KMS cannot be asked, say: what a person says is answered all the same, and a write waits for a reading.
#[test]
fn a_verb_is_answered_whatever_the_age_of_the_readings() {
    let mut play = Play::settled();
    play.world.now += jiff::SignedDuration::from_mins(5);
    play.world.spec.verbs.abort = Some("1".into());
    let rests = |action: &Action| (action.rests_on_keys(), action.changes_keys());
    let Plan::Act { action, .. } = plan(&play.world) else {
        panic!("{:?}", plan(&play.world));
    };
    assert!(matches!(action, Action::Transition(_)));
    assert_eq!(rests(&action), (false, false));
    play.world.spec.verbs.abort = None;
    admits(&mut play, 0, &[]);
    play.until("writes policies a=[v1]");
    assert_eq!(rests(&Action::WritePolicies(Vec::new())), (true, true));
}

/// What is planned where the spec has a fault or chambers cannot be seen.
#[test]
fn a_person_s_word_a_revocation_and_a_deletion_are_urgent_and_nothing_else() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    assert_eq!(rollover::urgent(&play.world), None);
    let image = release(1).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    for done in ["revokes", "tags 3 keys", "writes policies a=[] b=[] c=[]"] {
        let Some(Plan::Act { action, .. }) = rollover::urgent(&play.world) else {
            panic!("{:?}", rollover::urgent(&play.world));
        };
        assert!(action.to_string().contains(done), "{action}");
        play.act(action);
    }
    assert_eq!(rollover::urgent(&play.world), None);
    play.world.spec.deletion = Some(rollover::Deletion { orphans: false });
    assert!(matches!(
        rollover::urgent(&play.world),
        Some(Plan::Wait { .. })
    ));
}

/// The set of the first target is there, without a chamber, when the user wants another release.
#[test]
fn a_takeover_whose_target_changes_beside_an_empty_set_goes_on() {
    let mut play = hand_rolled(true);
    play.admits(2, &[1]);
    play.until("Roll: makes the ReplicaSet of v2");
    play.world.spec.release = release(3);
    play.run(300);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    assert_eq!(
        (0..3).map(|key| play.admitted(key)).collect::<Vec<_>>(),
        [[3], [3], [3]]
    );
}
