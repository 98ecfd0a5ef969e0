//! The first seal, and what it refuses.

use chamber_link::{SealRequest, ShareResult};
use measurement::{Measurement, Pcr};
use tokio::sync::mpsc;
use unseal_agent::{Authorization, SealError, Sealed, WrapError, seal};

use crate::world::{ADMITTED, FOREIGN, World, request};

const ALIAS: &str = "arn:aws:kms:us-east-1:111122223333:alias/a";

async fn sealed(world: &World, image: Pcr, request: &SealRequest) -> Result<Sealed, SealError> {
    let (reports, _) = mpsc::unbounded_channel();
    let free = Authorization::Unprotected;
    seal(&world.enclave(image), &free, request, reports).await
}

#[tokio::test]
async fn the_blob_is_bound_to_the_image_and_moves_to_another_without_any_secret() {
    let world = World::start().await;
    let blob = sealed(&world, ADMITTED, &request()).await.unwrap().blob;
    assert!(sealed_blob::open(&blob, |_| Some(FOREIGN)).is_err());
    let inner = sealed_blob::open(&blob, |_| Some(ADMITTED)).unwrap();
    let moved = sealed_blob::bind(&inner, &Measurement::image(FOREIGN)).unwrap();
    assert_eq!(sealed_blob::open(&moved, |_| Some(FOREIGN)), Ok(inner));
}

#[tokio::test]
async fn every_seal_makes_another_key_and_every_share_is_proved() {
    let world = World::start().await;
    let (reports, mut proofs) = mpsc::unbounded_channel();
    let free = Authorization::Unprotected;
    let one = seal(&world.enclave(ADMITTED), &free, &request(), reports).await;
    let mut proved = Vec::new();
    while let Some(report) = proofs.recv().await {
        assert_eq!(report.result, ShareResult::Opened);
        proved.push(report.index);
    }
    proved.sort_unstable();
    assert_eq!(proved, [1, 2, 3]);
    let two = sealed(&world, ADMITTED, &request()).await.unwrap();
    assert_ne!(one.unwrap().commitment, two.commitment);
}

#[tokio::test]
async fn an_enclave_in_debug_mode_does_not_seal() {
    let world = World::start().await;
    let refused = sealed(&world, Pcr::from_bytes([0; 48]), &request()).await;
    assert!(matches!(
        refused,
        Err(SealError::Wrap(WrapError::DebugEnclave))
    ));
}

#[tokio::test]
async fn requests_that_make_no_blob_are_refused_by_field() {
    let world = World::start().await;
    let field = async |bend: fn(&mut SealRequest)| {
        let mut request = request();
        bend(&mut request);
        match sealed(&world, ADMITTED, &request).await {
            Err(SealError::Request { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(field(|r| r.keys.clear()).await, "keys");
    assert_eq!(field(|r| r.keys = vec![r.keys[0].clone(); 2]).await, "keys");
    assert_eq!(field(|r| r.keys[0] = "alias/a".into()).await, "keys");
    assert_eq!(field(|r| r.keys[0] = ALIAS.into()).await, "keys");
    assert_eq!(field(|r| r.threshold = 0).await, "threshold");
    assert_eq!(field(|r| r.threshold = 4).await, "threshold");
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_named() {
    let world = World::start().await;
    let mut request = request();
    request.keys[2] = crate::world::key("unknown");
    let refused = sealed(&world, ADMITTED, &request).await;
    match refused {
        Err(SealError::Wrap(WrapError::Refused { key, .. })) => assert!(key.ends_with("/unknown")),
        other => panic!("{other:?}"),
    }
}
