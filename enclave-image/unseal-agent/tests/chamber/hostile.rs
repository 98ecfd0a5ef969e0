//! Hosts that lie: each ends in a clear refusal, none with a key handed over.

use std::sync::Arc;

use attestation::Claims;
use aws_lc_rs::digest::{SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{SealRequest, Task, ToAgent, ToHost};
use cluster_manifest::{Kind, Manifest};
use key_policy::Profile;
use manifest_makers::{
    core_of, cut_frames, foreign_documents, forged_manifests, other_blobs, other_requests,
    own_blobs, unseal, whole_frame,
};
use measurement::Measurement;
use sealed_blob::{InnerBlob, MasterKey, bind, commitment, open};
use tokio::io::AsyncWriteExt;
use unseal_agent::{Authorization, Nsm};

use crate::chamber::{Chamber, Noted, PATIENCE};
use crate::office::{
    OTHER_SIGNER, Office, SIGNER, after, own_image, permit, rewrapping, run_manifest, said, sealed,
    trusted, unsealing,
};
use crate::world::{ADMITTED, CLUSTER, World, request};

const NONCE: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

pub fn inner_of(blob: &[u8]) -> InnerBlob {
    open(blob, |_| Some(ADMITTED)).unwrap()
}

pub fn bound(inner: &InnerBlob) -> Vec<u8> {
    bind(inner, &Measurement::image(ADMITTED)).unwrap()
}

/// Why that chamber stays sealed; the workload got nothing.
async fn refused(world: &World, office: &Office, manifest: &Manifest, blob: &[u8]) -> String {
    let mut chamber = unsealing((world, office), manifest, blob).await;
    let (why, _) = chamber.failure().await;
    assert!(chamber.commitments().is_empty(), "a key was handed over");
    why
}

/// Why a seal asked for like this fails.
async fn no_seal(world: &World, office: &Office, manifest: &Manifest, ask: SealRequest) -> String {
    let manifest = Some(office.sign(manifest));
    let trust = trusted(office, world);
    let nsm = own_image(world);
    let mut chamber = Chamber::under(world, nsm, trust, manifest, Task::Seal(ask)).await;
    chamber.sealed().await.unwrap_err()
}

#[tokio::test]
async fn under_its_permit_an_image_seals_and_under_the_run_manifest_it_unseals() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let inner = inner_of(&blob);
    let origin = inner.origin.clone().unwrap();
    assert_eq!(
        origin.manifest,
        Some(*permit().digest().unwrap().as_bytes())
    );
    let (proven, claims) = said(&world, &origin.document);
    let core = core_of(&inner);
    assert_eq!(claims, Claims::Seal { core });
    assert_eq!(
        proven.pcrs.get(&16),
        Some(&permit().digest().unwrap().register())
    );
    let manifest = run_manifest(inner.commitment);
    let mut chamber = unsealing((&world, &office), &manifest, &blob).await;
    chamber.unsealed().await;
    assert_eq!(chamber.commitments(), [inner.commitment]);
    // With the permit alone nobody unseals: else a parent could seal again and again, and choose.
    let why = refused(&world, &office, &permit(), &blob).await;
    assert!(
        why.contains("seal permit") && why.contains(&hex::encode(inner.commitment)),
        "{why}"
    );
}

#[tokio::test]
async fn a_chamber_proves_its_state_with_the_nonce_it_was_asked_with() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let commitment = inner_of(&blob).commitment;
    let manifest = run_manifest(commitment);
    let mut chamber = unsealing((&world, &office), &manifest, &blob).await;
    chamber.unsealed().await;
    // Every share is asked for before the attempt ends; the claims say which opened.
    let (proven, claims) = loop {
        let (proven, claims) = said(&world, &chamber.prove(NONCE).await.unwrap());
        if matches!(&claims, Claims::Gate(gate) if gate.opened.len() == 3) {
            break (proven, claims);
        }
    };
    let Claims::Gate(gate) = claims else {
        panic!("not a gate's claims");
    };
    assert_eq!(
        proven.nonce.as_deref(),
        Some(&hex::decode(NONCE).unwrap()[..])
    );
    assert_eq!(gate.cluster_id, CLUSTER);
    assert_eq!(gate.blob, digest(&SHA384, &blob).as_ref());
    assert_eq!((gate.unsealed, gate.commitment), (true, commitment));
    assert_eq!(gate.manifest, Some(*manifest.digest().unwrap().as_bytes()));
    assert_eq!(
        proven.pcrs.get(&16),
        Some(&manifest.digest().unwrap().register())
    );
    for bad in ["", "5a", "zz", &"5a".repeat(65)] {
        let why = chamber.prove(bad).await.unwrap_err();
        assert!(why.contains("nonce"), "{bad}: {why}");
    }
    chamber.workload.crash.notify_one();
    chamber
        .until(|m| matches!(m, ToHost::WorkloadEnded { .. }))
        .await;
    let (_, claims) = said(&world, &chamber.prove(NONCE).await.unwrap());
    let Claims::Gate(gate) = claims else {
        panic!("not a gate's claims");
    };
    assert!(!gate.unsealed && gate.commitment == [0; 32]);
}

#[tokio::test]
async fn a_sealed_chamber_proves_nothing_before_it_opened_a_blob() {
    let world = World::start().await;
    let task = Task::Unseal {
        blob: "AAAA".into(),
        cluster_id: None,
    };
    let mut chamber = Chamber::start(&world, ADMITTED, task).await;
    chamber.failure().await;
    let why = chamber.prove(NONCE).await.unwrap_err();
    assert_eq!(why, "no sealed blob was opened yet");
}

#[tokio::test]
async fn of_many_questions_that_nobody_waits_for_the_last_is_answered() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let manifest = run_manifest(inner_of(&blob).commitment);
    let mut chamber = unsealing((&world, &office), &manifest, &blob).await;
    chamber.unsealed().await;
    let nonces: Vec<_> = (0..100).map(|nonce| format!("{nonce:032x}")).collect();
    for nonce in nonces.iter().cloned() {
        chamber.say(ToAgent::Attest { nonce }).await;
    }
    let last = |m: &ToHost| matches!(m, ToHost::Attestation { nonce, .. } if *nonce == nonces[99]);
    let seen = chamber.until(last).await.into_iter();
    let answers =
        seen.filter(|m| matches!(m, ToHost::Attestation { .. } | ToHost::NoAttestation { .. }));
    // What this host's own queue takes (16 messages, and the one behind them), one in the stream, one being made, the last:
    // a document is larger than what the stream holds, and further ones would wait in the enclave's memory.
    let answers = answers.count();
    assert!(answers <= 20, "{answers} answers: one document at a time");
}

#[tokio::test]
async fn other_keys_than_the_permits_are_not_sealed_under() {
    let (world, office) = (World::start().await, Office::open());
    for (ask, field) in other_requests() {
        let why = no_seal(&world, &office, &permit(), ask).await;
        assert!(
            why.starts_with(&format!("seal request, {field}: ")),
            "{why}"
        );
        assert!(why.contains("the cluster manifest allows"), "{why}");
    }
}

#[tokio::test]
async fn nobody_seals_twice_or_without_being_named() {
    let (world, office) = (World::start().await, Office::open());
    let run = run_manifest([7; 32]);
    let why = no_seal(&world, &office, &run, request()).await;
    assert!(why.contains("nobody seals twice"), "{why}");
    let others = Manifest {
        signers: [OTHER_SIGNER].into(),
        ..permit()
    };
    let why = no_seal(&world, &office, &others, request()).await;
    assert!(why.contains("names neither"), "{why}");
}

#[tokio::test]
async fn a_manifest_of_the_hosts_own_making_is_no_manifest() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    for (manifest, expected) in forged_manifests(&office, &run) {
        for seals in [false, true] {
            let task = if seals {
                Task::Seal(request())
            } else {
                unseal(&blob)
            };
            let trust = trusted(&office, &world);
            let nsm = own_image(&world);
            let mut chamber = Chamber::under(&world, nsm, trust, manifest.clone(), task).await;
            let why = if seals {
                chamber.sealed().await.unwrap_err()
            } else {
                chamber.failure().await.0
            };
            assert!(why.contains(expected), "{why}");
            // The operator knows by these words that somebody has to sign.
            assert_eq!(cluster_manifest::wants_manifest(&why), manifest.is_none());
            assert!(chamber.commitments().is_empty());
            assert_eq!(chamber.asked, 0, "KMS was not asked");
        }
    }
}

#[tokio::test]
async fn another_clusters_manifest_of_the_same_authority_opens_nothing() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let theirs = Manifest {
        cluster_id: "another".into(),
        ..run_manifest(inner_of(&blob).commitment)
    };
    let why = refused(&world, &office, &theirs, &blob).await;
    assert!(
        why.contains("cluster id is demo-local-signer") && why.contains("is another"),
        "{why}"
    );
}

/// A key that this world's parent knows, wrapped under the cluster's own keys.
pub async fn own_making(world: &World) -> (MasterKey, InnerBlob) {
    manifest_makers::own_making(async |id, share, index| world.encrypt(id, share, index).await)
        .await
}

#[tokio::test]
async fn a_master_key_of_the_hosts_own_making_reaches_no_workload() {
    let (world, office) = (World::start().await, Office::open());
    let inner = inner_of(&sealed(&world, &office).await);
    let run = run_manifest(inner.commitment);
    let (own, format_1) = own_making(&world).await;
    for (blob, expected) in own_blobs(&inner, (&own, format_1)) {
        let why = refused(&world, &office, &run, &bound(&blob)).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

#[tokio::test]
async fn a_blob_that_the_manifest_does_not_name_is_not_opened() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let inner = inner_of(&blob);
    let run = run_manifest(inner.commitment);
    for (other, expected) in other_blobs(&inner) {
        let why = refused(&world, &office, &run, &bound(&other)).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
    // The blob of before, when the keys have changed.
    let newer = after(&run, 2, &["a", "b"]);
    let why = refused(&world, &office, &newer, &blob).await;
    assert!(why.contains("generation is 1"), "{why}");
}

#[tokio::test]
async fn an_unprotected_image_does_serve_a_key_of_its_hosts_making() {
    let world = World::start().await;
    let (own, inner) = own_making(&world).await;
    let task = Task::Unseal {
        blob: BASE64.encode(bound(&inner)),
        cluster_id: Some(CLUSTER.into()),
    };
    let mut chamber = Chamber::start(&world, ADMITTED, task).await;
    chamber.unsealed().await;
    // What docs/threat-model.md says of images without an authority key.
    assert_eq!(chamber.commitments(), [commitment(&own, CLUSTER)]);
}

#[tokio::test]
async fn documents_of_others_are_no_sealing_documents() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let inner = inner_of(&blob);
    let run = run_manifest(inner.commitment);
    let named = (ADMITTED, SIGNER);
    let elsewhere = own_image(&World::start().await);
    let forged = foreign_documents(&inner, named, |at| world.nsm_of(at), &elsewhere);
    for (forged, expected) in forged {
        let why = refused(&world, &office, &run, &bound(&forged)).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

#[tokio::test]
async fn in_debug_mode_nothing_is_unsealed() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let nsm = world.nsm_of(&[]);
    let (trust, manifest) = (trusted(&office, &world), Some(office.sign(&run)));
    let mut chamber = Chamber::under(&world, nsm, trust, manifest, unseal(&blob)).await;
    let (why, _) = chamber.failure().await;
    assert!(why.contains("debug mode"), "{why}");
    assert_eq!(chamber.asked, 0);
}

#[tokio::test]
async fn a_second_start_changes_nothing() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let run = run_manifest(inner_of(&blob).commitment);
    let mut chamber = unsealing((&world, &office), &run, &blob).await;
    let (_, theirs) = own_making(&world).await;
    let task = Task::Unseal {
        blob: BASE64.encode(bound(&theirs)),
        cluster_id: None,
    };
    let again = chamber_link::Start {
        region: "us-east-1".into(),
        manifest: Some(office.sign(&run)),
        task,
    };
    chamber.say(ToAgent::Start(again)).await;
    chamber.unsealed().await;
    assert_eq!(chamber.commitments(), [inner_of(&blob).commitment]);
}

/// The keys admit the image only together with this manifest in PCR16.
async fn pin(world: &World, profile: Profile, manifest: &Manifest) {
    let register = manifest.digest().unwrap().register();
    let mut pinned = Measurement::image(ADMITTED);
    pinned.registers.insert(16, register);
    world.admit_measurements(profile, &[pinned]).await;
}

/// Statement 1 delegates to IAM, so whoever may write the enclave role's policies goes past a pin of profile Standard:
/// the operator refuses that one.
#[tokio::test]
async fn a_pin_holds_against_an_identity_policy_with_profile_pinned_alone() {
    let (world, office) = (World::with_identity_policy().await, Office::open());
    let blob = sealed(&world, &office).await;
    let older = run_manifest(inner_of(&blob).commitment);
    let newer = after(&older, 2, &["a", "b"]);
    pin(&world, Profile::Standard, &newer).await;
    let mut chamber = unsealing((&world, &office), &older, &blob).await;
    chamber.unsealed().await;
    pin(&world, Profile::Pinned, &newer).await;
    let why = refused(&world, &office, &older, &blob).await;
    assert!(why.contains("AccessDeniedException"), "{why}");
    pin(&world, Profile::Pinned, &older).await;
    let mut chamber = unsealing((&world, &office), &older, &blob).await;
    chamber.unsealed().await;
}

#[tokio::test]
async fn an_older_manifest_opens_for_ever_unless_the_policies_pin_the_newer_one() {
    let (world, office) = (World::start().await, Office::open());
    let blob = sealed(&world, &office).await;
    let older = run_manifest(inner_of(&blob).commitment);
    // A generation later: the blob of before is still there, and wrapped under keys that live.
    let newer = after(&older, 2, &["a", "b"]);
    let mut chamber = rewrapping((&world, &office), (&older, &newer), &blob).await;
    let rewrapped = chamber.sealed().await.unwrap();
    // Unpinned, the older one still opens: docs and status say "not protected" of that.
    let mut chamber = unsealing((&world, &office), &older, &blob).await;
    chamber.unsealed().await;
    pin(&world, Profile::Pinned, &newer).await;
    let why = refused(&world, &office, &older, &blob).await;
    assert!(why.contains("AccessDeniedException"), "{why}");
    let mut chamber = unsealing((&world, &office), &newer, &rewrapped).await;
    chamber.unsealed().await;
    // Without any manifest the register is not locked, so it is in no document.
    let mut unprotected = Chamber::start(&world, ADMITTED, unseal(&blob)).await;
    let (_, denied) = unprotected.failure().await;
    assert_eq!(denied, 3);
}

#[tokio::test]
async fn a_cluster_sealed_before_manifests_is_adopted_by_signing_its_commitment() {
    let (world, office) = (World::start().await, Office::open());
    // Format 2 of an image that measured no authority, whose PCR0 the manifest names.
    let (blob, inner) = world.sealed().await;
    assert_eq!(inner.origin.as_ref().unwrap().manifest, None);
    let run = Manifest {
        sealing_images: [ADMITTED].into(),
        ..run_manifest(inner.commitment)
    };
    let mut chamber = unsealing((&world, &office), &run, &blob).await;
    chamber.unsealed().await;
    // Format 1.
    let (_, old) = own_making(&world).await;
    let run = run_manifest(old.commitment);
    let mut chamber = unsealing((&world, &office), &run, &bound(&old)).await;
    chamber.unsealed().await;
    assert_eq!(chamber.commitments().len(), 1);
}

#[tokio::test]
async fn the_register_is_locked_before_anything_else() {
    let (world, office) = (World::start().await, Office::open());
    let nsm = own_image(&world);
    let text = office.sign(&permit());
    let accepted = trusted(&office, &world).accept(&nsm, Some(&text)).unwrap();
    assert!(
        matches!(accepted, Authorization::Under { digest, .. } if digest == permit().digest().unwrap())
    );
    assert_eq!(nsm.pcr(16).unwrap(), permit().digest().unwrap().register());
    let nsm = Arc::new(nsm);
    assert!(nsm.0.extend(16, &[0]).is_err(), "locked");
    let again = trusted(&office, &world).accept(&*nsm, Some(&text));
    assert!(again.is_err(), "a register that holds something already");
    assert_ne!(
        permit().kind,
        Kind::Run {
            commitment: [0; 32]
        }
    );
}

#[tokio::test]
async fn frames_that_are_cut_endless_or_slow_hand_nothing_over() {
    let (world, office) = (World::start().await, Office::open());
    let run = |stream, workload: &Noted| {
        let (nsm, trust, kms) = (own_image(&world), trusted(&office, &world), world.kms());
        let mut own = workload.clone();
        async move { unseal_agent::run(stream, nsm, |_, _| kms, Ok(trust), &mut own).await }
    };
    for bytes in cut_frames() {
        let (mut host, enclave) = tokio::io::duplex(4096);
        let workload = Noted::default();
        host.write_all(&bytes).await.unwrap();
        host.shutdown().await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, run(enclave, &workload)).await;
        assert!(ended.unwrap().is_err(), "{bytes:?}");
        assert!(workload.commitments.lock().unwrap().is_empty());
    }
    // A byte at a time is a message like any other: here one whose manifest is none.
    let (mut host, enclave) = tokio::io::duplex(4096);
    let workload = Noted::default();
    let slow = async {
        for byte in whole_frame() {
            host.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut link = chamber_link::connect::<ToHost, ToAgent>(host);
        loop {
            if let ToHost::AttemptFailed { message, .. } = link.receiver.receive().await.unwrap() {
                return message;
            }
        }
    };
    let why = tokio::select! {
        _ = run(enclave, &workload) => panic!("it ended"),
        why = tokio::time::timeout(PATIENCE, slow) => why.unwrap(),
    };
    assert!(why.contains("cluster manifest"), "{why}");
    assert!(workload.commitments.lock().unwrap().is_empty());
}
