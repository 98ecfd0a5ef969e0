//! What an enclave's memory still holds.

use std::path::PathBuf;
use std::sync::Arc;

use memchr::memmem::find;
use nsm_emulator::{AttestRequest, NsmEmulator};
use sealed_blob::{InnerBlob, encryption_context};
use unseal_agent::{DecryptRequest, Kms, RecipientKey, open_envelope};

use crate::world::{CLUSTER, World, unseal};

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn no_share_stays_in_memory_and_no_master_key_after_the_workload() {
    let mut world = World::start().await;
    let blob = world.sealed().await;
    let inner = world.opened(&blob);
    let mut launch = world.launch();
    launch.memory_file = true;
    let running = world.chamber(unseal(&blob), launch).await;
    running.get("/readyz").await;
    let signed = format!("{}/sign", running.service);
    let answer = running.post(&signed, "message".to_owned()).await;
    assert!(answer["signature"].is_string());

    let shares = shares(&world, &inner).await;
    let master = master_key(&inner, &shares);
    let memory = std::fs::read(memory_of(&world)).unwrap();
    // What is public stays where it was read: the search finds what is there.
    assert!(find(&memory, CLUSTER.as_bytes()).is_some());
    assert!(find(&memory, &inner.commitment).is_some());
    for (index, share) in shares.iter().enumerate() {
        // The first byte is the index.
        assert_eq!(find(&memory, &share[1..]), None, "share {}", index + 1);
    }

    // Without KMS it stays sealed when the workload has crashed, with whatever was in its memory.
    world.kms_is_gone();
    let crash = running.http.post(format!("{}/crash", running.service));
    assert!(crash.send().await.is_err(), "an answer of a dead workload");
    running.metric("chamber_unsealed 0").await;
    let memory = std::fs::read(memory_of(&world)).unwrap();
    assert_eq!(find(&memory, &master), None, "the master key");
    running.end().await;
}

/// The memory of the one enclave that runs.
fn memory_of(world: &World) -> PathBuf {
    let folder = std::fs::read_dir(world.run()).unwrap().next().unwrap();
    folder.unwrap().path().join("memory")
}

/// The shares as KMS tells them to an enclave of this image.
async fn shares(world: &World, inner: &InnerBlob) -> Vec<Vec<u8>> {
    let (kms, module) = (world.kms(), world.module());
    let key = RecipientKey::generate().ok().unwrap();
    let mut shares = Vec::new();
    for (index, sealed) in (1..).zip(&inner.shares) {
        let request = DecryptRequest {
            key_arn: sealed.key_arn.clone(),
            ciphertext: sealed.ciphertext.clone(),
            context: encryption_context(CLUSTER, index, inner.generation),
            document: document(&module, &key),
        };
        let reply = kms.decrypt(request).await.ok().unwrap();
        let opened = open_envelope(&reply.for_recipient.unwrap(), &key);
        shares.push(opened.ok().unwrap().to_vec());
    }
    shares
}

fn document(module: &NsmEmulator, key: &RecipientKey) -> Vec<u8> {
    let request = AttestRequest {
        public_key: Some(key.public_der().to_vec()),
        ..AttestRequest::default()
    };
    module.attest(&request).unwrap()
}

fn master_key(inner: &Arc<InnerBlob>, shares: &[Vec<u8>]) -> Vec<u8> {
    let shares: Vec<_> = shares
        .iter()
        .map(|share| sealed_blob::Share::new(share.clone().into()).ok().unwrap())
        .collect();
    let recovered = sealed_blob::recover(inner, &shares).ok().unwrap();
    recovered.key.expose().to_vec()
}
