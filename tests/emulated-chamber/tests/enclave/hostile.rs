//! A host that means harm, over vsock.

use std::time::Duration;

use chamber_link::{Link, Receiver, Sender, ToAgent, ToHost, connect, ports};
use enclave_sim::{Launch, Qemu, RunDir};
use kms_emulator::TlsConfig;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::world::{World, start, unseal, until};

/// How long an enclave may take to end; a host that says nothing at all has a minute.
const END: Duration = Duration::from_secs(40);

/// An enclave, and the first connection to its agent.
pub async fn booted(world: &World, launch: &Launch) -> (Qemu, tokio::net::UnixStream) {
    let dir = RunDir::new(world.run()).unwrap();
    let qemu = Qemu::start(launch, dir).await.unwrap();
    let sockets = qemu.sockets();
    let stream = until("the agent to listen", async || {
        sockets.connect(ports::AGENT).await.ok()
    })
    .await;
    (qemu, stream)
}

/// Both ways to the agent, and the image that it says it is.
pub async fn greeted(
    stream: tokio::net::UnixStream,
) -> (Sender<ToAgent>, Receiver<ToHost>, String) {
    let Link {
        sender,
        mut receiver,
    } = connect::<ToHost, ToAgent>(stream);
    let Ok(ToHost::Hello { image_sha384, .. }) = receiver.receive().await else {
        panic!("no greeting");
    };
    (sender, receiver, image_sha384)
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_second_host_is_not_heard() {
    let world = World::start().await;
    let (qemu, stream) = booted(&world, &world.launch()).await;
    let (first, _receiver, image) = greeted(stream).await;
    assert_eq!(image, world.image().to_string());
    let mut second = qemu.sockets().connect(ports::AGENT).await.unwrap();
    let mut heard = Vec::new();
    // It is closed before a word: an end, or a reset.
    let _end = second.read_to_end(&mut heard).await;
    assert!(heard.is_empty(), "{} bytes", heard.len());
    drop(first);
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn bytes_that_are_no_message_end_the_enclave() {
    let world = World::start().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[1, 255, 255, 255, 255, 0]] {
        let (qemu, mut stream) = booted(&world, &world.launch()).await;
        stream.write_all(bytes).await.unwrap();
        let ended = timeout(END, qemu.wait()).await;
        let console = qemu.console();
        let told = format!("{console}\n{}", qemu.device_log());
        assert!(ended.is_ok(), "{bytes:?}: it lives on: {told}");
        assert!(!console.contains("panic"), "{told}");
    }
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn in_debug_mode_nothing_is_unsealed() {
    let world = World::start().await;
    let blob = world.sealed().await;
    let mut launch = world.launch();
    launch.debug = true;
    let (_qemu, stream) = booted(&world, &launch).await;
    let (sender, mut receiver, image) = greeted(stream).await;
    assert_eq!(image, "0".repeat(96));
    sender
        .send(ToAgent::Start(start(None, unseal(&blob))))
        .await
        .unwrap();
    let ToHost::AttemptFailed { message, .. } = receiver.receive().await.unwrap() else {
        panic!("not refused");
    };
    assert!(message.contains("debug"), "{message}");
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_relay_to_somebody_who_is_not_kms_opens_nothing() {
    let world = World::start().await;
    let blob = world.sealed().await;
    // The same keys, the same answers, another authority for the name.
    let impostor = World::under(impostor()).await;
    let running = impostor.chamber(unseal(&blob), impostor.launch()).await;
    let line = r#"chamber_tee_unseal_total{status="failure"} 1"#;
    let page = running.metric(line).await;
    assert!(page.contains(r#"result="transient""#), "{page}");
    assert!(!page.contains(r#"result="opened""#), "{page}");
    running.end().await;
}

/// A good certificate for KMS's name, of an authority that nobody measured.
fn impostor() -> TlsConfig {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let name = "kms.us-east-1.amazonaws.com".to_owned();
    let leaf = CertificateParams::new(vec![name]).unwrap();
    TlsConfig {
        certificate_pem: leaf.signed_by(&key, &root).unwrap().pem(),
        key_pem: key.serialize_pem(),
    }
}
