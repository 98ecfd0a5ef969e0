//! Rewraps that are refused: what a host, or an authority, could want of an enclave that it must not do.

use chamber_link::Task;
use cluster_manifest::{Kind, Manifest};
use measurement::Measurement;
use sealed_blob::{InnerBlob, bind};

use crate::chamber::{Chamber, PATIENCE};
use crate::hostile::{bound, inner_of, own_making};
use crate::office::{
    OTHER_SIGNER, Office, after, own_image, permit, rewrap, rewrapping, run_manifest, sealed,
    trusted,
};
use crate::world::{ADMITTED, FOREIGN, World, key};

/// Why this enclave makes no new generation; no key was handed over, and KMS was asked only where `asked` says so.
async fn refusal(mut chamber: Chamber, asked: bool) -> String {
    let ended = tokio::time::timeout(PATIENCE, chamber.sealed()).await;
    let why = ended.unwrap().unwrap_err();
    assert!(!why.contains('\n'), "{why}");
    assert!(chamber.commitments().is_empty(), "a key was handed over");
    assert_eq!(chamber.asked > 0, asked, "{why}");
    why
}

/// Why the cluster's own image does not take this blob from one manifest to the next.
async fn refused(
    (world, office): (&World, &Office),
    pair: (&Manifest, &Manifest),
    blob: &[u8],
) -> String {
    refusal(rewrapping((world, office), pair, blob).await, false).await
}

#[tokio::test]
async fn an_image_without_an_authority_wraps_no_share_anew() {
    let (world, office) = (World::start().await, Office::open());
    let (blob, inner) = world.sealed().await;
    let run = run_manifest(inner.commitment);
    let mut theirs = after(&run, 1, &[]);
    theirs.keys = vec!["arn:aws:kms:us-east-1:999999999999:key/theirs".into()];
    for manifest in [None, Some(office.sign(&theirs))] {
        let trust = unseal_agent::Trust {
            root: world.root(),
            authorities: Vec::new(),
        };
        let task = rewrap(&blob, office.sign(&run));
        let chamber = Chamber::under(&world, own_image(&world), trust, manifest, task).await;
        let why = refusal(chamber, false).await;
        assert!(why.contains("measures no authority key"), "{why}");
    }
}

#[tokio::test]
async fn in_debug_mode_no_share_is_wrapped_anew() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let next = Some(office.sign(&after(&run, 2, &["a", "b"])));
    let task = rewrap(&blob, office.sign(&run));
    let (nsm, trust) = (world.nsm_of(&[]), trusted(&office, &world));
    let chamber = Chamber::under(&world, nsm, trust, next, task).await;
    let why = refusal(chamber, false).await;
    assert!(why.contains("debug mode"), "{why}");
}

#[tokio::test]
async fn a_new_generation_of_the_hosts_own_making_is_refused() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let next = after(&run, 1, &["a"]);
    for (manifest, expected) in [
        (
            Some(Office::open().sign(&next)),
            "no signature of an authority",
        ),
        (None, "no cluster manifest was given"),
        (Some("%%%".into()), "not base64"),
    ] {
        let task = rewrap(&blob, office.sign(&run));
        let (nsm, trust) = (own_image(&world), trusted(&office, &world));
        let chamber = Chamber::under(&world, nsm, trust, manifest, task).await;
        let why = refusal(chamber, false).await;
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test]
async fn another_manifest_before_than_the_named_one_is_refused() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let next = after(&run, 2, &["a", "b"]);
    let bend = |bend: fn(&mut Manifest)| {
        let mut other = run.clone();
        bend(&mut other);
        other
    };
    for swapped in [
        bend(|m| m.threshold = 1),
        bend(|m| m.cluster_id = "another".into()),
        bend(|m| m.keys.swap(0, 1)),
        // A parent can make manifest and blob fit each other; the next manifest does not name that one.
        bend(|m| {
            m.kind = Kind::Run {
                commitment: [7; 32],
            };
        }),
        permit(),
        next.clone(),
    ] {
        let why = refused((&world, &office), (&swapped, &next), &blob).await;
        let named = run.digest().unwrap().to_string();
        assert!(why.contains("give the one that it names"), "{why}");
        assert!(why.contains(&named), "{why}");
    }
    let task = rewrap(&blob, "%%%".into());
    let (nsm, trust) = (own_image(&world), trusted(&office, &world));
    let next = Some(office.sign(&next));
    let chamber = Chamber::under(&world, nsm, trust, next, task).await;
    let why = refusal(chamber, false).await;
    assert!(
        why.starts_with("the manifest of the generation before: "),
        "{why}"
    );
}

#[tokio::test]
async fn a_manifest_that_does_not_follow_is_refused_though_it_is_signed() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let next = |bend: fn(&mut Manifest)| {
        let mut next = after(&run, 2, &["a", "b"]);
        bend(&mut next);
        next
    };
    let commitment = |m: &mut Manifest| {
        m.kind = Kind::Run {
            commitment: [7; 32],
        };
    };
    for (next, expected) in [
        (
            next(|m| m.cluster_id = "another".into()),
            "cluster id is another, expected demo-local-signer",
        ),
        (next(|m| m.generation = 3), "generation is 3, expected 2"),
        (next(commitment), "commitment is 0707"),
        (
            next(|m| m.kind = Kind::SealPermit),
            "of the new generation is a seal permit",
        ),
        (run.clone(), "names none"),
    ] {
        let why = refused((&world, &office), (&run, &next), &blob).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
    // A permit names no commitment, so a host could have sealed any number of keys under it.
    let from_permit = Manifest {
        kind: run.kind,
        ..after(&permit(), 2, &["a", "b"])
    };
    let why = refused((&world, &office), (&permit(), &from_permit), &blob).await;
    assert!(
        why.contains("of the generation before is a seal permit"),
        "{why}"
    );
}

#[tokio::test]
async fn another_blob_than_that_of_the_generation_before_is_refused() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let inner = inner_of(&blob);
    let run = run_manifest(inner.commitment);
    let second = after(&run, 2, &["a", "b"]);
    let third = after(&second, 1, &["a"]);
    // The blob of before, whose shares are wrapped under a key that was retired since.
    let why = refused((&world, &office), (&second, &third), &blob).await;
    assert!(why.contains("generation is 1"), "{why}");
    let (_, own) = own_making(&world).await;
    let bend = |bend: fn(&mut InnerBlob)| {
        let mut other = inner.clone();
        bend(&mut other);
        bound(&other)
    };
    let foreign = bind(&inner, &Measurement::image(FOREIGN)).unwrap();
    let others_shares = InnerBlob {
        shares: own.shares.clone(),
        ..inner.clone()
    };
    for (blob, expected) in [
        (
            bend(|b| b.cluster_id = "another".into()),
            "cluster id is another",
        ),
        (bend(|b| b.commitment = [7; 32]), "commitment is 0707"),
        (bend(|b| b.threshold = 1), "threshold is 1"),
        (bend(|b| b.shares.swap(0, 1)), "keys is"),
        // A key that the parent knows, behind the cluster's commitment.
        (bound(&others_shares), "another blob"),
        (foreign, "bound to measurement"),
        (Vec::new(), "sealed blob"),
    ] {
        let why = refused((&world, &office), (&run, &second), &blob).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
    let task = Task::Rewrap {
        blob: "%%%".into(),
        previous: office.sign(&run),
    };
    let (nsm, trust) = (own_image(&world), trusted(&office, &world));
    let chamber = Chamber::under(&world, nsm, trust, Some(office.sign(&second)), task).await;
    let why = refusal(chamber, false).await;
    assert!(why.contains("not base64"), "{why}");
}

#[tokio::test]
async fn a_blob_of_format_1_is_told_to_be_the_last_of_its_cluster() {
    let (world, office) = (World::start().await, Office::open());
    let (_, old) = own_making(&world).await;
    let run = run_manifest(old.commitment);
    let next = after(&run, 2, &["a", "b"]);
    let why = refused((&world, &office), (&run, &next), &bound(&old)).await;
    assert!(
        why.contains("format 1") && why.contains("seal a new cluster"),
        "{why}"
    );
}

#[tokio::test]
async fn an_image_that_the_new_manifest_does_not_name_offers_nothing() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let next = Manifest {
        signers: [OTHER_SIGNER].into(),
        ..after(&run, 2, &["a", "b"])
    };
    let chamber = rewrapping((&world, &office), (&run, &next), &blob).await;
    let why = refusal(chamber, true).await;
    assert!(why.contains("names neither"), "{why}");
}

#[tokio::test]
async fn a_cluster_that_was_sealed_without_an_authority_changes_its_keys_once_its_image_measures_one()
 {
    let world = World::with_keys(&["a", "b", "c", "d"]).await;
    let office = Office::open();
    let (blob, inner) = world.sealed().await;
    let run = Manifest {
        sealing_images: [ADMITTED].into(),
        ..run_manifest(inner.commitment)
    };
    let next = after(&run, 2, &["a", "d"]);
    let mut chamber = rewrapping((&world, &office), (&run, &next), &blob).await;
    let new = inner_of(&chamber.sealed().await.unwrap());
    assert_eq!(new.commitment, inner.commitment);
    assert_eq!(new.shares[1].key_arn, key("d"));
}
