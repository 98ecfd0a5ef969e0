//! Stories of the cluster manifest. `BLESS=1` writes them anew.

use crate::play::{COMMITMENT, Play, blocked, compare, release, share};
use key_policy::Profile;
use measurement::{MANIFEST_REGISTER, Pcr};
use rollover::{
    AdmittedSet, Gate, Manifest, Plan, Reading, Reason, Release, Says, SealPod, plan, tags,
};

/// The register of a run manifest, and of a later one.
const PCR16: Pcr = Pcr::from_bytes([0x16; 48]);
const LATER_PCR16: Pcr = Pcr::from_bytes([0x17; 48]);

fn permit() -> Manifest {
    Manifest {
        digest: "d1".into(),
        commitment: None,
        believed: true,
        signed_by: vec!["f1".into()],
    }
}

fn run_manifest() -> Manifest {
    Manifest {
        commitment: Some(COMMITMENT.into()),
        ..permit()
    }
}

/// The release as its spec names it under a run manifest, for an image that measures an authority.
fn under(register: Pcr, release: Release) -> Release {
    let mut release = release;
    let registers = &mut release.measurement.registers;
    registers.insert(MANIFEST_REGISTER, register);
    release
}

fn sign(play: &mut Play, manifest: Manifest) {
    if manifest.commitment.is_some() {
        let wanted = play.world.spec.release.clone();
        play.world.spec.release = under(PCR16, wanted);
    }
    play.world.spec.manifest = Some(manifest);
}

/// Why the planner waits for a manifest.
fn wanted(play: &Play) -> String {
    match plan(&play.world) {
        Plan::Wait { obstacle, .. } if obstacle.reason() == Reason::ManifestWanted => {
            obstacle.to_string()
        }
        other => panic!("{other:?}\n{}", play.story),
    }
}

#[test]
fn a_first_start_asks_for_a_permit_and_after_the_seal_for_the_run_manifest() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.authorities = vec!["f1".into()];
    pin(&mut play);
    play.run(50);
    let message = wanted(&play);
    assert!(message.contains("sign a seal permit"), "{message}");
    assert!(message.contains("manifest render signer"), "{message}");
    assert!(play.world.sets.is_empty(), "nothing was touched");
    a_permit_of_somebody_else_is_not_believed(&mut play);
    play.scene("the authority signs a seal permit", |play| {
        sign(play, permit());
    });
    play.run(100);
    let message = wanted(&play);
    assert!(
        message.contains(&format!("run manifest with the commitment {COMMITMENT}")),
        "{message}"
    );
    assert!(play.world.sets.is_empty(), "nobody unseals under a permit");
    play.scene("the authority signs the run manifest", |play| {
        sign(play, run_manifest());
    });
    play.run(100);
    let current = play.world.record.current.as_ref().unwrap();
    assert_eq!(
        current.measurement.register(MANIFEST_REGISTER),
        Some(&PCR16)
    );
    assert!(play.policy(0).to_json().contains(&PCR16.to_string()));
    compare("manifest-first-start", &play);
}

/// The wait goes on, and says who signed and who should.
fn a_permit_of_somebody_else_is_not_believed(play: &mut Play) {
    play.scene("somebody else signs it", |play| {
        let forged = Manifest {
            believed: false,
            signed_by: vec!["f9".into()],
            ..permit()
        };
        sign(play, forged);
    });
    play.run(50);
    let message = wanted(play);
    assert!(
        message.contains("signed by [f9]") && message.contains("authorities [f1]"),
        "{message}"
    );
}

#[test]
fn a_cluster_of_before_signs_on_its_way_to_a_release_with_an_authority() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    play.run(50);
    assert!(wanted(&play).contains(COMMITMENT));
    assert_eq!(play.world.unsealed(), 3);
    play.scene("the authority signs the run manifest", |play| {
        sign(play, run_manifest());
    });
    play.run(200);
    compare("manifest-adopted", &play);
}

#[test]
fn the_pin_comes_when_the_last_image_without_it_is_retired_and_moves_with_the_manifest() {
    let mut play = Play::settled();
    pin(&mut play);
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, run_manifest());
    play.until("Verify: waits, Soaking");
    let pinned = |play: &Play, pcr: Pcr| play.policy(0).to_json().contains(&pcr.to_string());
    assert!(!pinned(&play, PCR16), "v1 could not decrypt with a pin");
    play.run(200);
    assert!(pinned(&play, PCR16));
    play.story.clear();
    // Another signer, say: the same image under another manifest, one chamber after the other.
    play.scene("a later manifest of the same key", |play| {
        let later = Release {
            revision: "v2-later".into(),
            ..release(2)
        };
        play.world.spec.release = under(LATER_PCR16, later);
        play.world.spec.manifest = Some(Manifest {
            digest: "d2".into(),
            ..run_manifest()
        });
    });
    play.until("Roll: waits, ChamberSealed");
    assert!(
        pinned(&play, PCR16) && pinned(&play, LATER_PCR16),
        "both may restart"
    );
    play.run(300);
    assert!(!pinned(&play, PCR16) && pinned(&play, LATER_PCR16));
    compare("manifest-pinned", &play);
}

#[test]
fn a_manifest_of_another_master_key_stops_everything() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    let other = Manifest {
        commitment: Some("another".into()),
        ..run_manifest()
    };
    sign(&mut play, other);
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::ManifestMismatch);
    assert!(
        message.contains("names the commitment another") && message.contains(COMMITMENT),
        "{message}"
    );
    sign(&mut play, run_manifest());
    play.world.manifest_objection = Some("sealed by somebody".into());
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::ManifestMismatch);
    assert!(message.contains("sealed by somebody"), "{message}");
}

#[test]
fn a_wrong_run_manifest_after_the_seal_is_corrected_without_another_release() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, permit());
    play.run(100);
    let other = Manifest {
        commitment: Some("another".into()),
        ..run_manifest()
    };
    sign(&mut play, other);
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::ManifestMismatch);
    sign(&mut play, run_manifest());
    play.run(200);
    assert!(
        matches!(plan(&play.world), Plan::Settled { .. }),
        "{}",
        play.story
    );
    assert_eq!(play.world.record.rollovers, 1, "{}", play.story);
}

#[test]
fn an_image_without_an_authority_needs_no_manifest_and_is_not_kept_from_running_beside_one() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.manifest = Some(Manifest {
        believed: false,
        ..run_manifest()
    });
    play.run(200);
    assert!(
        matches!(plan(&play.world), Plan::Settled { .. }),
        "{}",
        play.story
    );
}

/// Settled under a run manifest that the keys pin, with profile Pinned.
fn pinned() -> Play {
    let mut play = Play::settled();
    pin(&mut play);
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, run_manifest());
    play.run(300);
    assert!(play.policy(0).to_json().contains(&PCR16.to_string()));
    play
}

fn pin(play: &mut Play) {
    for share in &mut play.world.spec.shares {
        share.template.pins.insert(MANIFEST_REGISTER);
        share.template.profile = Profile::Pinned;
    }
}

#[test]
fn whoever_writes_status_takes_no_pin_away_and_adds_no_older_manifest() {
    for forged in [release(2), under(LATER_PCR16, release(2))] {
        let mut play = pinned();
        play.world.record.current = Some(Release {
            revision: "x".into(),
            ..forged
        });
        for _ in 0..300 {
            let more = play.turn();
            for key in 0..3 {
                let policy = play.policy(key).to_json();
                assert!(policy.contains(&PCR16.to_string()), "{}", play.story);
                assert!(!policy.contains(&LATER_PCR16.to_string()), "{}", play.story);
            }
            if !more {
                break;
            }
        }
    }
}

#[test]
fn a_permit_in_the_middle_of_a_rollover_is_asked_about_and_turns_nothing_back() {
    let mut play = pinned();
    let run = play.world.spec.manifest.clone();
    play.world.spec.release = under(PCR16, release(3));
    play.until("Roll: waits, ChamberSealed");
    play.world.spec.manifest = Some(permit());
    play.world.spec.release = release(3);
    let rollovers = play.world.record.rollovers;
    play.run(200);
    let message = wanted(&play);
    assert!(message.contains("it is a seal permit"), "{message}");
    assert_eq!(play.world.record.rollovers, rollovers, "{}", play.story);
    play.world.spec.manifest = run;
    play.world.spec.release = under(PCR16, release(3));
    play.run(300);
    assert!(
        matches!(plan(&play.world), Plan::Settled { .. }),
        "{}",
        play.story
    );
}

#[test]
fn a_settled_cluster_says_that_its_manifest_is_gone_and_makes_no_set_without_it() {
    let mut play = pinned();
    play.world.spec.manifest = Some(permit());
    play.world.spec.release = release(2);
    play.run(50);
    assert!(wanted(&play).contains("it is a seal permit"));
    play.world.sets.clear();
    play.run(50);
    assert!(wanted(&play).contains("it is a seal permit"));
    assert!(play.world.sets.is_empty(), "{}", play.story);
    sign(&mut play, run_manifest());
    play.run(100);
    assert_eq!(play.world.unsealed(), 3, "{}", play.story);
}

#[test]
fn a_pin_waits_until_every_chamber_has_proven_its_value() {
    // The spec names an authority that the image does not measure: its chambers have nothing in PCR16.
    for gate in [Gate::Disabled, Gate::Preferred] {
        let mut play = Play::settled();
        pin(&mut play);
        play.world.spec.gate = gate;
        play.world.record.attested = None;
        play.silent = vec!["v2"];
        play.world.spec.release = release(2);
        play.world.spec.authorities = vec!["f1".into()];
        sign(&mut play, run_manifest());
        play.run(300);
        assert!(
            play.story.contains("Verify: waits, AttestationMissing"),
            "{}",
            play.story
        );
        assert!(!play.policy(0).to_json().contains(&PCR16.to_string()));
    }
    // The same where the pin comes later.
    let mut play = Play::settled();
    play.world.spec.gate = Gate::Disabled;
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, run_manifest());
    play.run(300);
    play.silent = vec!["v2"];
    pin(&mut play);
    play.run(20);
    assert!(!play.policy(0).to_json().contains(&PCR16.to_string()));
    play.silent.clear();
    play.tick(None);
    play.run(50);
    assert!(
        play.policy(0).to_json().contains(&PCR16.to_string()),
        "{}",
        play.story
    );
}

#[test]
fn a_release_without_an_authority_is_refused_while_the_manifest_is_pinned_and_the_current_one_is_cared_for()
 {
    let mut play = pinned();
    play.world.spec.release = release(1);
    play.world.spec.authorities.clear();
    play.run(50);
    let (reason, message) = blocked(&play);
    assert_eq!(reason, Reason::InvalidSpec);
    assert!(
        message.contains("spec.release.authorities is empty"),
        "{message}"
    );
    assert!(play.policy(0).to_json().contains(&PCR16.to_string()));
    play.world.spec.verbs.revoke = Some(format!(
        "{} found on a disk",
        release(2).measurement.image_sha384
    ));
    play.run(50);
    let image = release(2).measurement.image_sha384.to_string();
    assert!(!play.policy(0).to_json().contains(&image), "{}", play.story);
}

#[test]
fn a_status_that_calls_the_next_manifest_verified_takes_nothing_from_what_runs() {
    for emptied in [false, true] {
        let mut play = pinned();
        let later = Release {
            revision: "v2-later".into(),
            ..under(LATER_PCR16, release(2))
        };
        if emptied {
            let share = play.world.spec.shares[0].clone();
            play.set_facts(0, |facts| facts.policy = Ok(share.template.render(&[])));
        }
        play.world.spec.release = later.clone();
        play.world.record.current = Some(later);
        play.run(50);
        let (reason, _) = blocked(&play);
        assert_eq!(reason, Reason::StatusForged, "{}", play.story);
        assert_eq!(play.world.unsealed(), 3);
    }
}

#[test]
fn a_tag_that_is_lost_in_retire_comes_back_with_the_manifest_in_it() {
    let mut play = Play::settled();
    pin(&mut play);
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, run_manifest());
    play.until("(2/retire)");
    let target = play.world.record.rollover.clone().unwrap().to.measurement;
    for key in 0..3 {
        play.set_facts(key, |facts| facts.tags.clear());
    }
    play.run(100);
    let Reading::Facts(facts) = &play.world.readings[&play.world.spec.shares[0].arn] else {
        panic!("it was read")
    };
    assert_eq!(facts.tags[tags::RETIRED_FOR], tags::retired_for(&target));
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
}

/// The target as status has it.
fn target(play: &Play) -> &Release {
    &play.world.record.rollover.as_ref().unwrap().to
}

#[test]
fn a_manifest_of_another_master_key_never_becomes_part_of_the_target() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, permit());
    play.run(100);
    play.world.spec.release = under(LATER_PCR16, release(1));
    play.world.spec.manifest = Some(Manifest {
        commitment: Some("another".into()),
        ..run_manifest()
    });
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::ManifestMismatch);
    assert_eq!(*target(&play), release(1), "{}", play.story);
    play.world.spec.release = release(1);
    sign(&mut play, run_manifest());
    play.until("Settled");
    let current = play.world.record.current.clone();
    assert_eq!(current, Some(under(PCR16, release(1))));
}

/// What runs was started without it: its chambers would be called another release than they are.
#[test]
fn a_manifest_is_not_taken_into_a_target_whose_set_is_there() {
    let mut play = pinned();
    play.world.spec.release = under(PCR16, release(3));
    play.until("makes the ReplicaSet of v3");
    play.world.spec.release = under(LATER_PCR16, release(3));
    play.world.spec.manifest = Some(Manifest {
        digest: "d2".into(),
        ..run_manifest()
    });
    play.until("Roll: waits, ChamberSealed");
    assert_eq!(*target(&play), under(PCR16, release(3)), "{}", play.story);
}

/// Another release, or another template of the same image, is another target: it goes through all steps.
#[test]
fn only_the_manifest_of_the_target_s_own_revision_is_taken_into_it() {
    let template = Release {
        revision: "v3-template".into(),
        ..release(3)
    };
    for wanted in [release(4), template] {
        let mut play = pinned();
        play.world.spec.release = under(PCR16, release(3));
        play.until("Roll: waits, ChamberSealed");
        play.world.spec.release = under(PCR16, wanted.clone());
        play.turn();
        assert!(
            play.story.ends_with("turns back to the release before\n"),
            "{}",
            play.story
        );
        play.until("Settled");
        let current = play.world.record.current.clone();
        assert_eq!(current, Some(under(PCR16, wanted)));
    }
}

#[test]
fn a_corrected_template_of_a_target_that_stays_sealed_is_not_kept_waiting_for_it() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    play.world.spec.release = Release {
        revision: "v2-corrected".into(),
        ..release(2)
    };
    play.until("Settled");
    assert!(!play.story.contains("fail"), "{}", play.story);
    let current = play.world.record.current.as_ref().unwrap();
    assert_eq!(current.revision, "v2-corrected");
}

/// It is of a master key that is not here: a copy is restored, or a new one is sealed, and a person says which.
#[test]
fn a_run_manifest_where_nothing_is_sealed_seals_nothing() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, run_manifest());
    play.run(50);
    let message = wanted(&play);
    assert!(message.contains("nothing is sealed yet"), "{message}");
    assert!(message.contains("restore the sealed Secret"), "{message}");
    assert_eq!(play.story, "Measure: waits, ManifestWanted\n");
}

#[test]
fn who_sealed_the_blob_is_no_matter_to_an_image_without_an_authority() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.manifest = Some(run_manifest());
    play.world.manifest_objection = Some("sealed by somebody".into());
    play.until("Settled");
    assert_eq!(play.world.record.current, Some(release(2)));
}

#[test]
fn the_way_back_to_a_release_before_waits_for_no_manifest() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, run_manifest());
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    play.world.spec.manifest = None;
    play.world.spec.verbs.abort = Some("1".into());
    play.run(200);
    assert_eq!(play.world.set("v1").unwrap().unsealed(), 3);
    assert_eq!(blocked(&play).0, Reason::ReleaseFailed, "{}", play.story);
}

/// Status knows fewer registers of an image than its `ReplicaSet`: what stays after a revocation keeps every pin.
#[test]
fn what_stays_beside_a_revoked_image_stays_with_every_register_that_is_known_of_it() {
    let whole = |number| {
        let mut release = under(PCR16, release(number));
        let registers = &mut release.measurement.registers;
        registers.insert(8, Pcr::from_bytes([number; 48]));
        release
    };
    let mut vague = whole(3);
    vague.measurement.registers.remove(&8);
    for known in [release(3), vague] {
        let mut play = pinned();
        for share in &mut play.world.spec.shares {
            share.template.pins.insert(8);
        }
        play.world.spec.release = whole(3);
        play.until("Roll: waits, ChamberSealed");
        play.world.record.rollover.as_mut().unwrap().to = known;
        let image = release(2).measurement.image_sha384;
        play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
        play.until("tags 3 keys, revoked v2");
        let share = &play.world.spec.shares[0];
        let set = AdmittedSet::without_revoked(&play.world, share, play.policy(0));
        assert_eq!(set.everywhere(), [whole(3).measurement]);
    }
}

/// The same release under its permit and under its run manifest: nobody wrote status.
#[test]
fn a_release_that_comes_back_under_its_run_manifest_is_no_forgery() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.world.spec.authorities = vec!["f1".into()];
    sign(&mut play, permit());
    play.run(100);
    assert!(wanted(&play).contains("run manifest"), "{}", play.story);
    play.world.spec.release = release(2);
    sign(&mut play, run_manifest());
    play.until("Admit: waits, Settling");
    play.world.spec.release = under(PCR16, release(1));
    play.run(300);
    assert!(play.story.ends_with("Settled\n"), "{}", play.story);
    let current = play.world.record.current.as_ref().unwrap();
    assert_eq!(current.revision, "v1");
}

/// A register that somebody wrote into status keeps no revoked image in.
#[test]
fn a_forged_register_holds_up_no_revocation() {
    let mut play = pinned();
    play.world.spec.release = under(PCR16, release(3));
    play.until("Roll: resizes v2 3->2, v3 0->1");
    let rollover = play.world.record.rollover.as_mut().unwrap();
    let registers = &mut rollover.to.measurement.registers;
    registers.insert(MANIFEST_REGISTER, LATER_PCR16);
    let image = release(2).measurement.image_sha384;
    play.world.spec.verbs.revoke = Some(format!("{image} it leaked"));
    play.run(50);
    assert_eq!(blocked(&play).0, Reason::StatusForged, "{}", play.story);
    assert_eq!([0, 1, 2].map(|key| play.admitted(key)), [[3], [3], [3]]);
}

#[test]
fn the_plan_says_that_another_manifest_rolls_the_chambers_and_what_it_lacks() {
    let told = |play: &Play| {
        let preview = rollover::preview(&play.world);
        preview.manifest.map(|change| change.to_string())
    };
    let objection = |play: &Play| {
        let preview = rollover::preview(&play.world);
        preview.objection.map(|found| found.reason())
    };
    let mut play = Play::settled();
    assert_eq!((told(&play), objection(&play)), (None, None));
    play.world.spec.release = Release {
        revision: "v1-template".into(),
        ..release(1)
    };
    assert!(told(&play).unwrap().contains("the image stays"));
    play.world.spec.release = release(2);
    play.world.spec.authorities = vec!["f1".into()];
    assert_eq!(told(&play), None);
    assert_eq!(objection(&play), Some(Reason::ManifestWanted));
    sign(&mut play, run_manifest());
    let none = format!("PCR16 none -> {PCR16}");
    assert!(told(&play).unwrap().contains(&none));
    assert_eq!(objection(&play), None);
    play.until("Settled");
    assert_eq!(told(&play), None);

    let later = Release {
        revision: "v2-later".into(),
        ..release(2)
    };
    play.world.spec.release = under(LATER_PCR16, later.clone());
    let other = format!("PCR16 {PCR16} -> {LATER_PCR16}");
    assert!(told(&play).unwrap().contains(&other));
    play.world.spec.release = later;
    assert!(told(&play).unwrap().contains("under no manifest any more"));
}

/// A chamber of the target says why it is sealed.
fn says_that_it_wants_one(play: &mut Play) {
    let mut sets = play.world.sets.iter_mut();
    let set = sets.find(|set| set.release.revision == "v2").unwrap();
    set.chambers[0].says = Some(Says {
        words: "no cluster manifest was given".into(),
        wants_manifest: true,
    });
    // The play has waited for as long as the release may take.
    let rollover = play.world.record.rollover.as_mut().unwrap();
    rollover.progressed_at = play.world.now;
}

#[test]
fn a_release_whose_authorities_were_left_out_asks_for_them_and_fails_in_its_time() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    says_that_it_wants_one(&mut play);
    let message = wanted(&play);
    for part in [
        "spec.release.authorities is empty",
        "chamber signer-v2",
        "`authorities` of the image's measurement file",
        "a run manifest with the commitment c0ffee",
        "manifest render signer",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(play.world.unsealed(), 2, "the others serve");
    play.run(100);
    let failure = play.world.record.failure.clone().unwrap();
    let why = "ManifestWanted for longer than spec.rollover.progressDeadline";
    assert!(failure.why.starts_with(why), "{}", failure.why);
    assert_eq!(play.world.record.current, Some(release(1)));
    assert_eq!(play.world.unsealed(), 3);
}

/// A host may say what it likes: where the spec names authorities, or another release is meant, nothing is asked for.
#[test]
fn what_a_host_says_of_a_manifest_counts_where_the_spec_names_no_authority_alone() {
    let mut play = Play::settled();
    play.world.spec.release = release(2);
    play.broken = vec!["v2"];
    play.until("Roll: waits, ChamberSealed");
    says_that_it_wants_one(&mut play);
    play.world.spec.authorities = vec!["f1".into()];
    play.world.spec.manifest = Some(run_manifest());
    let Plan::Wait { obstacle, .. } = plan(&play.world) else {
        panic!("{:?}", plan(&play.world));
    };
    assert_eq!(obstacle.reason(), Reason::ChamberSealed);
}

#[test]
fn a_seal_that_wants_a_permit_is_not_tried_again_before_there_is_one() {
    let mut play = Play::new(vec![share("a", true), share("b", true), share("c", true)]);
    play.until("starts the seal pod on v1");
    play.world.seal_pod = SealPod::Failed {
        at: play.world.now,
        message: "no cluster manifest was given".into(),
        wants_manifest: true,
    };
    play.world.now += jiff::SignedDuration::from_hours(1);
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    assert!(wanted(&play).contains("sign a seal permit"));
    play.world.spec.authorities = vec!["f1".into()];
    play.world.spec.release = Release {
        revision: "v1-authority".into(),
        ..release(1)
    };
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    let message = wanted(&play);
    assert!(message.contains("authorities [f1]"), "{message}");
}

#[test]
fn an_image_that_attests_a_manifest_where_it_runs_is_not_rolled_without_authorities() {
    let mut play = pinned();
    play.world.spec.shares.iter_mut().for_each(|share| {
        share.template.pins.remove(&MANIFEST_REGISTER);
    });
    let current = play.world.record.current.clone().unwrap();
    assert!(current.measurement.register(MANIFEST_REGISTER).is_some());
    let mut bare = current;
    bare.measurement.registers.remove(&MANIFEST_REGISTER);
    bare.revision = "v2-bare".into();
    play.world.spec.release = bare;
    play.world.spec.authorities.clear();
    play.world.spec.manifest = None;
    while let Plan::Look(_) = plan(&play.world) {
        play.turn();
    }
    let message = wanted(&play);
    assert!(message.contains("of the same image"), "{message}");
    // Another image may measure none.
    play.world.spec.release = release(3);
    assert!(!matches!(plan(&play.world), Plan::Wait { .. }));
}
