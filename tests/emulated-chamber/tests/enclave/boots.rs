//! What every image must do: seal, unseal, serve, attest, end.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use chamber_host::Outcome;
use enclave_sim::{Qemu, RunDir};
use tokio::time::timeout;

use crate::world::{MEMORY_MIB, PATIENCE, World, sealing, unseal};

/// How many are timed.
const REQUESTS: u32 = 20;

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn an_image_seals_unseals_serves_attests_and_ends() {
    let world = World::start().await;
    let blob = world.sealed().await;
    let began = Instant::now();
    let running = world.chamber(unseal(&blob), world.launch()).await;
    running.get("/readyz").await;
    println!("boot to serving: {:.1} s", began.elapsed().as_secs_f64());

    let signed = format!("{}/sign", running.service);
    let first = running.post(&signed, "message".to_owned()).await;
    let second = running.post(&signed, "message".to_owned()).await;
    assert_eq!(first, second);
    let began = Instant::now();
    for _ in 0..REQUESTS {
        running.post(&signed, "message".to_owned()).await;
    }
    println!("a request: {} ms", (began.elapsed() / REQUESTS).as_millis());

    let told = world.attested(&running).await;
    assert_eq!(
        told.pcrs.get(&0),
        Some(&world.image()),
        "what describe-eif says"
    );

    let began = Instant::now();
    assert_eq!(running.end().await, Outcome::Stopped);
    println!("asked to end: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(
        std::fs::read_dir(world.run()).unwrap().count(),
        0,
        "nothing is left"
    );
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn an_image_with_a_small_workload_needs_little() {
    let world = World::small().await;
    // The agent under test roots is built for speed of building: `make eif-reproducible` holds the production image to 8 MiB.
    println!("image file: {} KiB", world.size() >> 10);
    let sealing = world.chamber(sealing(), world.small_launch()).await;
    let blob = sealing.offer().await;
    assert!(matches!(sealing.end().await, Outcome::Sealed { .. }));
    let began = Instant::now();
    let running = world.chamber(unseal(&blob), world.small_launch()).await;
    running.get("/readyz").await;
    println!(
        "boot to serving with {MEMORY_MIB} MiB: {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let service = running.service.strip_prefix("http://").unwrap().to_owned();
    let answered = tokio::task::spawn_blocking(move || {
        let mut client = TcpStream::connect(service).unwrap();
        let mut answers = BufReader::new(client.try_clone().unwrap()).lines();
        writeln!(client, "a request").unwrap();
        answers.next().unwrap().unwrap()
    });
    assert_eq!(answered.await.unwrap().len(), 64, "an HMAC in hex");
    assert_eq!(running.end().await, Outcome::Stopped);
}

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn the_agent_that_users_run_boots_and_believes_no_security_module_but_awss() {
    let world = World::production().await;
    let dir = RunDir::new(world.run()).unwrap();
    let qemu = Qemu::start(&world.small_launch(), dir).await.unwrap();
    let ended = timeout(PATIENCE, qemu.wait()).await;
    let console = qemu.console();
    assert!(ended.is_ok(), "it lives on: {console}");
    // It has asked the module for a document, and verified it: what comes before is the same program as under test roots.
    let why = "this image trusts another root than this machine's security module has";
    assert!(console.contains(why), "{console}");
}
