//! What a booted image makes of wrong answers of KMS: all of them in one enclave, which asks again and again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use manifest_makers::{Module, key};
use unseal_agent::Authorization;

use crate::bent::{Bend, Bender};
use crate::world::{World, unseal};

/// One text for whatever does not decrypt: what was wrong with it is nobody's business.
const SHUT: &str = "KMS's answer to this enclave does not open";
/// What has not even the shape.
const SHAPELESS: &str = "is not what KMS sends";

/// Attempts, each with what becomes of the answer about each key and what is told of it.
const ATTEMPTS: [[(&str, Bend, &str); 3]; 4] = [
    [
        ("a", Bend::Flipped, SHUT),
        ("b", Bend::Truncated, SHAPELESS),
        ("c", Bend::Oversized, SHAPELESS),
    ],
    [
        ("a", Bend::Swapped("b"), SHUT),
        ("b", Bend::Swapped("a"), SHUT),
        ("c", Bend::Misdirected("a"), "KMS answered for the key"),
    ],
    [
        ("a", Bend::Replayed, SHUT),
        (
            "b",
            Bend::WithoutRecipient,
            "KMS sent no CiphertextForRecipient",
        ),
        (
            "c",
            Bend::Error(400, "AccessDeniedException"),
            "AccessDeniedException",
        ),
    ],
    [
        (
            "a",
            Bend::Error(500, "KMSInternalException"),
            "KMSInternalException",
        ),
        ("b", Bend::Garbage, "UnknownError"),
        ("c", Bend::Error(418, ""), "UnknownError"),
    ],
];

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn no_answer_that_is_bent_opens_a_share() {
    let mut world = World::small().await;
    let module = Module(world.module());
    let blob = world.sealed_by(module, &Authorization::Unprotected).await;
    let bender = Bender::new();
    world.bend(&bender).await;
    bender.bend(&ATTEMPTS[0].map(|(id, bend, _)| (id, bend)));
    let running = world
        .chamber(unseal(&BASE64.encode(blob)), world.small_launch())
        .await;
    for answers in ATTEMPTS {
        bender.bend(&answers.map(|(id, bend, _)| (id, bend)));
        let told = answers.map(|(id, _, told)| (format!("{}: ", key(id)), told));
        let words = told.clone().map(|(key, told)| match told {
            // With the part of the structure between.
            SHAPELESS => format!("{key}KMS's answer to this enclave: "),
            _ => format!("{key}{told}"),
        });
        let why = running.failure_with(&words).await;
        assert!(told.iter().all(|(_, told)| why.contains(told)), "{why}");
    }
    let page = running.get("/metrics").await;
    assert!(!page.contains(r#"result="opened""#), "{page}");
    assert!(page.contains("\nchamber_unsealed 0\n"), "{page}");
    assert!(
        page.contains("\nchamber_enclave_restarts_total 0\n"),
        "{page}"
    );
    // The same enclave, once it is told the truth.
    bender.bend(&[]);
    running.get("/readyz").await;
    running.end().await;
}
