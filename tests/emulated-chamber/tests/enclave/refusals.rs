//! What a booted image that measures an authority does not do for its host.
//!
//! Each row costs a boot: of the process form's rows that one check refuses, one is tried here.

use attestation::Claims;
use aws_lc_rs::digest::{SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Start, Task, ToAgent, ToHost};
use cluster_manifest::Manifest;
use manifest_makers::{
    Module, Office, after, foreign_documents, forged_manifests, other_blobs, other_requests,
    own_blobs, request, rewrap, unseal,
};
use nsm_emulator::{NsmEmulator, TestRoot};
use sealed_blob::InnerBlob;

use crate::authority::Cluster;
use crate::hostile::{booted, greeted};
use crate::world::start;

const NONCE: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// Why an enclave does nothing that is started so; whatever it takes it asks credentials for.
async fn refused(cluster: &Cluster, start: Start) -> String {
    let (_qemu, stream) = booted(&cluster.world, &cluster.launch()).await;
    let (sender, mut receiver, _) = greeted(stream).await;
    sender.send(ToAgent::Start(start)).await.unwrap();
    match receiver.receive().await.unwrap() {
        ToHost::AttemptFailed { message, .. } | ToHost::SealFailed { message } => message,
        other => panic!("not refused: {other:?}"),
    }
}

/// Each of these is refused with its words.
async fn all_refused(cluster: &Cluster, rows: impl IntoIterator<Item = (Start, &'static str)>) {
    for (start, expected) in rows {
        let why = refused(cluster, start).await;
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_manifest_of_the_hosts_own_making_is_no_manifest() {
    let cluster = Cluster::start().await;
    let blob = cluster.sealed().await;
    let run = cluster.run_manifest(&cluster.inner_of(&blob));
    // Of another authority, and altered; that there has to be one, the second start shows.
    let forged = forged_manifests(&cluster.office, &run).into_iter().take(2);
    let mut rows: Vec<_> = forged
        .map(|(text, expected)| (start(text, unseal(&blob)), expected))
        .collect();
    let theirs = Manifest {
        cluster_id: "another".into(),
        ..run
    };
    rows.push((cluster.under(&theirs, unseal(&blob)), "cluster id is"));
    all_refused(&cluster, rows).await;
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_master_key_of_the_hosts_own_making_reaches_no_workload() {
    let cluster = Cluster::start().await;
    let inner = cluster.inner_of(&cluster.sealed().await);
    let run = cluster.run_manifest(&inner);
    let (own, format_1) = cluster.own_making().await;
    let mut blobs = own_blobs(&inner, (&own, format_1));
    // The last one has no sealing document: nothing speaks against it before KMS has opened its shares.
    let (bare, expected) = blobs.pop().unwrap();
    blobs.dedup_by_key(|(_, expected)| *expected);
    all_refused(&cluster, blobs_under(&cluster, &run, blobs)).await;
    let running = cluster.chamber(&run, unseal(&cluster.bound(&bare))).await;
    let why = running.failure().await;
    assert!(why.contains(expected), "{expected}: {why}");
    let page = running.get("/metrics").await;
    assert!(page.contains(r#"result="opened""#), "{page}");
    assert!(page.contains("\nchamber_unsealed 0\n"), "{page}");
    running.end().await;
}

/// What a host says that gives each of these in place of the blob of this manifest.
fn blobs_under(
    cluster: &Cluster,
    run: &Manifest,
    blobs: Vec<(InnerBlob, &'static str)>,
) -> Vec<(Start, &'static str)> {
    let row = |(blob, expected)| {
        let task = unseal(&cluster.bound(&blob));
        (cluster.under(run, task), expected)
    };
    blobs.into_iter().map(row).collect()
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_blob_that_the_manifest_does_not_name_is_not_opened() {
    let cluster = Cluster::start().await;
    let blob = cluster.sealed().await;
    let inner = cluster.inner_of(&blob);
    let run = cluster.run_manifest(&inner);
    let mut blobs = other_blobs(&inner);
    // Of another cluster, and under a key of theirs.
    blobs.truncate(2);
    let mut rows = blobs_under(&cluster, &run, blobs);
    // The blob of before, when the keys have changed.
    let newer = after(&run, 2, &["a", "b"]);
    rows.push((cluster.under(&newer, unseal(&blob)), "generation is 1"));
    all_refused(&cluster, rows).await;
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn documents_of_others_are_no_sealing_documents() {
    let cluster = Cluster::start().await;
    let inner = cluster.inner_of(&cluster.sealed().await);
    let run = cluster.run_manifest(&inner);
    let (image, signer) = cluster.named();
    let elsewhere = TestRoot::generate().unwrap().issue_signer().unwrap();
    let registers = [(0, *image.as_bytes()), (8, *signer.as_bytes())];
    let elsewhere = Module(NsmEmulator::new(elsewhere, registers.into()));
    let module = |registers: &[_]| cluster.module(registers);
    let mut forged = foreign_documents(&inner, (image, signer), module, &elsewhere);
    let checks = ["names neither", "no claims of ours", "not locked", "root"];
    forged.dedup_by_key(|(_, expected)| *expected);
    forged.retain(|(_, expected)| checks.iter().any(|check| expected.contains(check)));
    assert_eq!(forged.len(), checks.len());
    all_refused(&cluster, blobs_under(&cluster, &run, forged)).await;
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn only_what_the_permit_says_is_sealed() {
    let cluster = Cluster::start().await;
    let permit = cluster.permit();
    // Under a key of theirs.
    let (ask, field) = other_requests().swap_remove(0);
    let theirs = cluster.under(&permit, Task::Seal(ask));
    let run = manifest_makers::run_manifest(cluster.named().1, [7; 32]);
    let again = cluster.under(&run, Task::Seal(request()));
    let rows = [(theirs, field), (again, "nobody seals twice")];
    all_refused(&cluster, rows).await;
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_new_generation_of_the_hosts_own_making_is_refused() {
    let cluster = Cluster::start().await;
    let blob = cluster.sealed().await;
    let inner = cluster.inner_of(&blob);
    let run = cluster.run_manifest(&inner);
    let next = after(&run, 1, &["a"]);
    let skips = Manifest {
        generation: 3,
        ..next.clone()
    };
    let easier = Manifest {
        threshold: 1,
        ..run.clone()
    };
    let (_, own) = cluster.own_making().await;
    let others_shares = InnerBlob {
        shares: own.shares,
        ..inner
    };
    let office = &cluster.office;
    let wish = |previous, blob: &[u8]| rewrap(blob, office.sign(previous));
    let theirs = start(Some(Office::open().sign(&next)), wish(&run, &blob));
    let rows = [
        // Of an authority of theirs; after another manifest than the named one; not the next one; from another blob.
        (theirs, "no signature of an authority"),
        (
            cluster.under(&next, wish(&easier, &blob)),
            "give the one that it names",
        ),
        (cluster.under(&skips, wish(&run, &blob)), "generation is 3"),
        (
            cluster.under(&next, wish(&run, &cluster.bound(&others_shares))),
            "another blob",
        ),
    ];
    all_refused(&cluster, rows).await;
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_second_start_changes_nothing() {
    let cluster = Cluster::start().await;
    let blob = cluster.sealed().await;
    let run = cluster.run_manifest(&cluster.inner_of(&blob));
    let newer = after(&run, 2, &["a", "b"]);
    let first = cluster.under(&run, unseal(&blob));
    let second = cluster.under(&newer, unseal(b"another"));

    let (_qemu, stream) = booted(&cluster.world, &cluster.launch()).await;
    let (sender, mut receiver, _) = greeted(stream).await;
    for start in [first.clone(), second] {
        sender.send(ToAgent::Start(start)).await.unwrap();
    }
    // It has taken the first blob when it wants to ask KMS.
    let asked = receiver.receive().await.unwrap();
    assert!(matches!(asked, ToHost::NeedCredentials(_)), "{asked:?}");
    let nonce = NONCE.to_owned();
    sender.send(ToAgent::Attest { nonce }).await.unwrap();
    let document = loop {
        match receiver.receive().await.unwrap() {
            ToHost::Attestation { document, .. } => break BASE64.decode(document).unwrap(),
            ToHost::NeedCredentials(_) => {}
            other => panic!("no document: {other:?}"),
        }
    };
    let (proven, claims) = cluster.said(&document);
    let run = run.digest().unwrap();
    assert_eq!(proven.pcrs.get(&16), Some(&run.register()));
    let Claims::Gate(gate) = claims else {
        panic!("not a gate's claims: {claims:?}");
    };
    assert_eq!(gate.manifest, Some(*run.as_bytes()));
    assert_eq!(gate.blob, digest(&SHA384, &blob).as_ref());

    // Nor does a host that gave no manifest get a second try.
    let (_qemu, stream) = booted(&cluster.world, &cluster.launch()).await;
    let (sender, mut receiver, _) = greeted(stream).await;
    for start in [start(None, unseal(&blob)), first] {
        sender.send(ToAgent::Start(start)).await.unwrap();
    }
    for _ in 0..2 {
        let said = receiver.receive().await.unwrap();
        let ToHost::AttemptFailed { message, .. } = said else {
            panic!("not refused: {said:?}");
        };
        assert!(message.contains("no cluster manifest"), "{message}");
    }
}
