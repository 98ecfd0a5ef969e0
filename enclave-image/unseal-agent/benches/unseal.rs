//! `make bench-unseal`: an attempt to unseal, against one RSA key and one parallel round trip to KMS in the same run.
//!
//! KMS is the emulator on this machine, whose answers are held back by what a Region's endpoint takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A bench may.

#[path = "../tests/chamber/world.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chamber_link::SealRequest;
use manifest_makers::Module;
use sealed_blob::{InnerBlob, encryption_context};
use tokio::task::JoinSet;
use unseal_agent::{
    Attempt, Authorization, DecryptReply, DecryptRequest, DocumentContent, EncryptReply,
    EncryptRequest, Kms, KmsFault, Nsm, RecipientKey, SdkKms, Tools,
};

use crate::world::{ADMITTED, CLUSTER, World, key};

/// A key's generation takes a random time: medians of this many.
const ROUNDS: usize = 41;
/// From an enclave over its parent to KMS in its Region, and back.
const ROUND_TRIP: Duration = Duration::from_millis(10);
const GOAL: f64 = 1.2;
const IDS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// KMS as far away as a Region's endpoint.
struct Far(SdkKms);

impl Kms for Far {
    async fn decrypt(&self, request: DecryptRequest) -> Result<DecryptReply, KmsFault> {
        tokio::time::sleep(ROUND_TRIP).await;
        self.0.decrypt(request).await
    }

    async fn encrypt(&self, request: EncryptRequest) -> Result<EncryptReply, KmsFault> {
        self.0.encrypt(request).await
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let world = World::with_keys(&IDS).await;
    let mut ratios = Vec::new();
    println!("keys   RSA key   round trip   unseal   unseal / (RSA key + round trip)");
    for count in [1, 3, 5, 10] {
        let (rsa, trip, unseal) = measure(&world, count).await;
        let ratio = unseal / (rsa + trip);
        ratios.push(ratio);
        println!("{count:>4} {rsa:>6.1} ms {trip:>9.1} ms {unseal:>5.1} ms   {ratio:.2}");
    }
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    // A round trip of ten has ten answers of one emulator in it, so it is the ratio that must not grow with the keys.
    let growth = ratios[ratios.len() - 1] / ratios[0];
    println!("ratio={worst:.2} growth={growth:.2} goal={GOAL}");
    if worst.max(growth) <= GOAL {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Medians in milliseconds: of an RSA key, of one parallel round trip, of a whole attempt.
///
/// A key's generation takes a random time, so the attempt is given the key that was just measured.
async fn measure(world: &World, count: usize) -> (f64, f64, f64) {
    let inner = Arc::new(sealed(world, count).await);
    let nsm = Arc::new(world.nsm(ADMITTED));
    let kms = Arc::new(Far(world.kms()));
    let tools = Tools { nsm, kms };
    let (mut keys, mut trips, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let key = RecipientKey::generate().expect("a key");
        let made = began.elapsed();
        keys.push(made);
        let began = Instant::now();
        round_trip(&tools, &inner, &key).await;
        trips.push(began.elapsed());
        let began = Instant::now();
        unseal(&tools, &inner, key).await;
        attempts.push(made + began.elapsed());
    }
    (median(keys), median(trips), median(attempts))
}

/// From the key to the master key.
async fn unseal(tools: &Tools<Module, Far>, inner: &Arc<InnerBlob>, key: RecipientKey) {
    let mut attempt = Attempt::with_key(tools, Arc::clone(inner), key, |_| true);
    while attempt.next().await.is_some() {}
    assert!(attempt.recover().is_ok());
}

/// Every share asked for at once, and no answer opened.
async fn round_trip(tools: &Tools<Module, Far>, inner: &InnerBlob, key: &RecipientKey) {
    let mut requests = JoinSet::new();
    for (index, share) in (1..).zip(&inner.shares) {
        let content = DocumentContent {
            public_key: Some(key.public_der().to_vec()),
            ..DocumentContent::default()
        };
        let request = DecryptRequest {
            key_arn: share.key_arn.clone(),
            ciphertext: share.ciphertext.clone(),
            context: encryption_context(CLUSTER, index, inner.generation),
            document: tools.nsm.attestation_document(content).expect("a document"),
        };
        let kms = Arc::clone(&tools.kms);
        requests.spawn(async move { kms.decrypt(request).await.is_ok() });
    }
    assert!(requests.join_all().await.into_iter().all(|good| good));
}

async fn sealed(world: &World, count: usize) -> InnerBlob {
    let request = SealRequest {
        cluster_id: CLUSTER.into(),
        generation: 1,
        threshold: u8::try_from(count).expect("few"),
        keys: IDS[..count].iter().map(|id| key(id)).collect(),
    };
    let (reports, _) = tokio::sync::mpsc::unbounded_channel();
    let (enclave, free) = (world.enclave(ADMITTED), Authorization::Unprotected);
    let sealed = unseal_agent::seal(&enclave, &free, &request, reports).await;
    let blob = sealed.unwrap_or_else(|error| panic!("{error}")).blob;
    sealed_blob::open(&blob, |_| Some(ADMITTED)).expect("a blob")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}
