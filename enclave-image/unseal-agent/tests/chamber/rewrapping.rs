//! A new generation: other keys, the same master key.

use std::sync::Arc;

use attestation::Claims;
use aws_lc_rs::digest::{SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::ShareResult;
use cluster_manifest::Manifest;
use manifest_makers::Module;
use sealed_blob::{Share, combine, commitment};
use tokio::sync::mpsc;
use unseal_agent::{
    DecryptReply, RewrapError, Sealed, ShareReport, Tools, WrapError, rewrap, seal,
};
use zeroize::Zeroizing;

use crate::bent::BentKms;
use crate::chamber::PATIENCE;
use crate::hostile::inner_of;
use crate::office::{
    self, Office, after, own_image, permit, rewrapping, run_manifest, said, trusted, unsealing,
};
use crate::world::{CLUSTER, World, key, request};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// A sealed cluster: its blob, and what lets it run.
async fn sealed(world: &World, office: &Office) -> (Vec<u8>, Manifest) {
    let blob = office::sealed(world, office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    (blob, run)
}

/// The cluster's own image with a KMS whose answers are bent.
fn bent(world: &World, bend: fn(&mut DecryptReply)) -> Tools<Module, BentKms> {
    Tools {
        nsm: Arc::new(own_image(world)),
        kms: Arc::new(BentKms::new(world.kms(), bend)),
    }
}

/// What a rewrap with these tools gives, and what became of each share that was asked for.
async fn rewrapped(
    (world, office): (&World, &Office),
    tools: &Tools<Module, BentKms>,
    (previous, next): (&Manifest, &Manifest),
    blob: &[u8],
) -> (Result<Sealed, RewrapError>, Vec<ShareReport>) {
    let trust = trusted(office, world);
    let authorization = trust.accept(&*tools.nsm, Some(&office.sign(next))).unwrap();
    let (reports, mut noted) = mpsc::unbounded_channel();
    let (blob, previous) = (BASE64.encode(blob), office.sign(previous));
    let made = rewrap(tools, &authorization, (&blob, &previous), reports).await;
    let mut all = Vec::new();
    while let Some(report) = noted.recv().await {
        all.push(report);
    }
    (made, all)
}

#[tokio::test]
async fn a_dead_key_is_replaced_and_the_master_key_stays() {
    let (world, office) = (World::with_keys(&KEYS).await, Office::open());
    let (blob, run) = sealed(&world, &office).await;
    let next = after(&run, 2, &["a", "b", "d"]);
    world.disable("c").await;
    let mut chamber = rewrapping((&world, &office), (&run, &next), &blob).await;
    let new = chamber.sealed().await.unwrap();
    assert!(chamber.commitments().is_empty(), "no workload has the key");
    let inner = inner_of(&new);
    assert_eq!((inner.generation, inner.threshold), (2, 2));
    assert_eq!(inner.commitment, inner_of(&blob).commitment);
    let origin = inner.origin.clone().unwrap();
    let own = next.digest().unwrap();
    assert_eq!(origin.manifest, Some(*own.as_bytes()));
    let (proven, claims) = said(&world, &origin.document);
    let core = digest(&SHA384, &inner.core().unwrap());
    let core = core.as_ref().try_into().unwrap();
    assert_eq!(claims, Claims::Rewrap { core });
    assert_eq!(proven.pcrs.get(&16), Some(&own.register()));
    // The way back stays, and the new share is as good as the old ones.
    for (manifest, blob) in [(&run, &blob), (&next, &new)] {
        let mut chamber = unsealing((&world, &office), manifest, blob).await;
        chamber.unsealed().await;
        assert_eq!(chamber.commitments(), [inner.commitment]);
    }
    world.disable("a").await;
    let mut chamber = unsealing((&world, &office), &next, &new).await;
    chamber.unsealed().await;
}

#[tokio::test]
async fn generations_follow_each_other_with_any_threshold_and_any_keys() {
    let (world, office) = (World::with_keys(&KEYS).await, Office::open());
    let (mut blob, mut manifest) = sealed(&world, &office).await;
    let commitment = inner_of(&blob).commitment;
    for (threshold, ids) in [
        (3, &KEYS[..]),
        (1, &["d"][..]),
        (2, &["c", "a"][..]),
        // The same keys once more: the old shares are worth nothing beside the new ones.
        (2, &["c", "a"][..]),
    ] {
        let next = after(&manifest, threshold, ids);
        let pair = (&manifest, &next);
        let mut chamber = rewrapping((&world, &office), pair, &blob).await;
        blob = chamber.sealed().await.unwrap();
        manifest = next;
        let mut chamber = unsealing((&world, &office), &manifest, &blob).await;
        chamber.unsealed().await;
        assert_eq!(chamber.commitments(), [commitment]);
        assert_eq!(inner_of(&blob).generation, manifest.generation);
    }
}

#[tokio::test]
async fn the_master_key_is_the_same_and_no_share_is() {
    let (world, office) = (World::start().await, Office::open());
    let tools = bent(&world, |_| {});
    let trust = trusted(&office, &world);
    let allowed = trust.accept(&*tools.nsm, Some(&office.sign(&permit())));
    let (reports, _) = mpsc::unbounded_channel();
    let first = seal(&tools, &allowed.unwrap(), &request(), reports).await;
    let first = first.unwrap();
    let old = shares(&tools);
    let run = run_manifest(first.commitment);
    let next = after(&run, 2, &["a", "b", "c"]);
    let tools = bent(&world, |_| {});
    let (second, _) = rewrapped((&world, &office), &tools, (&run, &next), &first.blob).await;
    assert_eq!(second.unwrap().commitment, first.commitment);
    let new = shares(&tools);
    assert_eq!((old.len(), new.len()), (3, 3));
    let key = |shares: [&Share; 2]| combine(&shares, 2).unwrap();
    let (was, is) = (key([&old[0], &old[1]]), key([&new[0], &new[2]]));
    assert_eq!(was.expose(), is.expose());
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old.index(), new.index());
        assert_ne!(old.expose(), new.expose());
    }
    let mixed = key([&old[0], &new[1]]);
    assert_ne!(commitment(&mixed, CLUSTER), first.commitment);
}

/// What was wrapped with these tools.
fn shares(tools: &Tools<Module, BentKms>) -> Vec<Share> {
    let wrapped = tools.kms.wrapped.lock().unwrap();
    let shares = wrapped.iter().cloned().map(Zeroizing::new);
    shares.map(|bytes| Share::new(bytes).unwrap()).collect()
}

#[tokio::test]
async fn every_new_share_is_opened_before_the_blob_is_offered() {
    let (world, office) = (World::with_keys(&KEYS).await, Office::open());
    let (blob, run) = sealed(&world, &office).await;
    let next = after(&run, 2, &["a", "b", "d"]);
    let sound = bent(&world, |_| {});
    let (made, reports) = rewrapped((&world, &office), &sound, (&run, &next), &blob).await;
    assert!(made.is_ok());
    let proofs = reports.iter().rev().take(3);
    let mut proofs: Vec<_> = proofs.map(|r| (r.key_arn.clone(), r.result)).collect();
    proofs.sort();
    let opened = |id| (key(id), ShareResult::Opened);
    assert_eq!(proofs, ["a", "b", "d"].map(opened));
    // A share that does not open, though the threshold would be reached without it.
    let of_d = |reply: &mut DecryptReply| {
        let own = reply.key_id.as_ref().is_some_and(|id| id.ends_with("/d"));
        reply.for_recipient.take_if(|_| own);
    };
    let spoiled = bent(&world, of_d);
    let (made, _) = rewrapped((&world, &office), &spoiled, (&run, &next), &blob).await;
    match made {
        Err(RewrapError::Wrap(WrapError::DoesNotOpen(why))) => assert!(why.contains("/d: ")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_key_that_is_dead_is_named_and_nothing_is_offered() {
    let (world, office) = (World::with_keys(&KEYS).await, Office::open());
    let (blob, run) = sealed(&world, &office).await;
    let next = after(&run, 2, &["a", "b", "d"]);
    world.disable("d").await;
    let mut chamber = rewrapping((&world, &office), (&run, &next), &blob).await;
    let why = chamber.sealed().await.unwrap_err();
    assert!(why.contains("key/d: DisabledException"), "{why}");
}

#[tokio::test]
async fn below_the_threshold_of_living_keys_nothing_is_wrapped() {
    let (world, office) = (World::with_keys(&KEYS).await, Office::open());
    let (blob, run) = sealed(&world, &office).await;
    let next = after(&run, 2, &["a", "d"]);
    world.disable("b").await;
    world.disable("c").await;
    let tools = bent(&world, |_| {});
    let made = rewrapped((&world, &office), &tools, (&run, &next), &blob);
    // Waiting would not bring a dead key back.
    let (made, _) = tokio::time::timeout(PATIENCE, made).await.unwrap();
    let why = made.unwrap_err().to_string();
    assert!(why.starts_with("generation 1 does not open"), "{why}");
    assert!(why.contains("key/b: DisabledException"), "{why}");
    assert!(why.contains("key/c: DisabledException"), "{why}");
    assert!(shares(&tools).is_empty());
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let (world, office) = (World::with_keys(&KEYS).await, Office::open());
    let (blob, run) = sealed(&world, &office).await;
    let next = after(&run, 2, &["a", "b", "d"]);
    world
        .knobs(r#"{"throttle":{"Decrypt":3,"Encrypt":1}}"#)
        .await;
    let tools = bent(&world, |_| {});
    let (made, reports) = rewrapped((&world, &office), &tools, (&run, &next), &blob).await;
    made.unwrap();
    let throttled = |report: &&ShareReport| report.result == ShareResult::Throttled;
    assert_eq!(reports.iter().filter(throttled).count(), 3);
    assert_eq!(shares(&tools).len(), 4, "one of them twice");
}
