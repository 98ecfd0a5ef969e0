//! What a booted image does under manifests that its authority signed.

use attestation::Claims;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_host::Outcome;
use chamber_link::Task;
use manifest_makers::{after, core_of, request, rewrap, unseal};

use crate::authority::Cluster;

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn under_its_permit_an_image_seals_and_under_the_run_manifest_it_unseals() {
    let cluster = Cluster::start().await;
    let task = Task::Seal(request());
    let blob = cluster.made(&cluster.permit(), task).await;
    let inner = cluster.inner_of(&blob);
    let permit = cluster.permit().digest().unwrap();
    let origin = inner.origin.clone().unwrap();
    assert_eq!(origin.manifest, Some(*permit.as_bytes()));
    let (proven, claims) = cluster.said(&origin.document);
    let core = core_of(&inner);
    assert_eq!(claims, Claims::Seal { core });
    let (image, signer) = cluster.named();
    for (index, expected) in [(0, image), (8, signer), (16, permit.register())] {
        assert_eq!(proven.pcrs.get(&index), Some(&expected), "PCR{index}");
    }

    let run = cluster.run_manifest(&inner);
    let running = cluster.chamber(&run, unseal(&blob)).await;
    running.get("/readyz").await;
    let question = format!(r#"{{"nonce":"{}"}}"#, "ab".repeat(32));
    let answer = running.post(&running.pages("/attestation"), question).await;
    let document = BASE64.decode(answer["document"].as_str().unwrap()).unwrap();
    let (proven, claims) = cluster.said(&document);
    let run = run.digest().unwrap();
    assert_eq!(proven.pcrs.get(&16), Some(&run.register()));
    let Claims::Gate(gate) = claims else {
        panic!("not a gate's claims: {claims:?}");
    };
    assert_eq!(gate.manifest, Some(*run.as_bytes()));
    assert_eq!((gate.unsealed, gate.commitment), (true, inner.commitment));
    assert_eq!(running.end().await, Outcome::Stopped);
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn an_older_manifest_opens_for_ever_unless_the_policies_pin_the_newer_one() {
    let cluster = Cluster::start().await;
    let blob = cluster.sealed().await;
    let older = cluster.run_manifest(&cluster.inner_of(&blob));
    let newer = after(&older, 2, &["a", "b"]);
    let task = rewrap(&blob, cluster.office.sign(&older));
    let rewrapped = cluster.made(&newer, task).await;
    // Unpinned, the older one still opens, as above: docs and status say "not protected" of that.
    cluster.pin(&newer).await;
    let running = cluster.chamber(&older, unseal(&blob)).await;
    let why = running.failure().await;
    assert!(why.contains("AccessDeniedException"), "{why}");
    let page = running.get("/metrics").await;
    assert!(!page.contains(r#"result="opened""#), "{page}");
    running.end().await;
    let running = cluster.chamber(&newer, unseal(&rewrapped)).await;
    running.get("/readyz").await;
    running.end().await;
}
