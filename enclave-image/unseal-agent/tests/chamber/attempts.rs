//! One attempt: what each share says, and whether the key comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use chamber_link::ShareResult::{self, Denied, Invalid, KeyUnusable, Opened, Throttled, Transient};
use manifest_makers::Module;
use sealed_blob::{InnerBlob, MasterKey, RecoverError, ShamirError, commitment};
use unseal_agent::{Attempt, DecryptReply, Kms, Nsm, Tools};

use crate::bent::BentKms;
use crate::world::{ADMITTED, CLUSTER, FOREIGN, World};

/// Results by share, details by share, and the attempt at its end.
async fn attempt<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    inner: &InnerBlob,
) -> ([ShareResult; 3], [String; 3], Attempt) {
    let mut attempt = Attempt::start(tools, Arc::new(inner.clone()))
        .await
        .unwrap();
    let mut results = [Invalid; 3];
    let mut details = [const { String::new() }; 3];
    while let Some(report) = attempt.next().await {
        let at = usize::from(report.index) - 1;
        results[at] = report.result;
        details[at] = report.detail;
    }
    (results, details, attempt)
}

fn fits(key: &MasterKey, inner: &InnerBlob) -> bool {
    commitment(key, CLUSTER) == inner.commitment
}

#[tokio::test]
async fn what_was_sealed_unseals_with_every_share() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let (results, _, attempt) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Opened; 3]);
    let found = attempt.recover().ok().unwrap();
    assert!(fits(&found.key, &inner));
    assert!(found.spoiled.is_empty());
}

#[tokio::test]
async fn another_image_is_denied_every_share() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let (results, details, attempt) = attempt(&world.enclave(FOREIGN), &inner).await;
    assert_eq!(results, [Denied; 3]);
    assert_eq!(details[0], "AccessDeniedException");
    let too_few = ShamirError::TooFew {
        found: 0,
        needed: 2,
    };
    assert_eq!(attempt.recover().err(), Some(RecoverError::Shares(too_few)));
}

#[tokio::test]
async fn two_of_three_are_enough_when_a_key_is_disabled() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    world.disable("b").await;
    let (results, details, attempt) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Opened, KeyUnusable, Opened]);
    assert_eq!(details[1], "DisabledException");
    assert!(fits(&attempt.recover().ok().unwrap().key, &inner));
    world.disable("c").await;
    let (_, _, attempt) = self::attempt(&world.enclave(ADMITTED), &inner).await;
    assert!(attempt.recover().is_err());
}

#[tokio::test]
async fn throttling_and_faults_of_kms_have_their_classes() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    world.knobs(r#"{"throttle":{"Decrypt":3}}"#).await;
    let (results, ..) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Throttled; 3]);
    world
        .knobs(r#"{"failures":{"Decrypt":{"code":"KMSInternalException","count":3}}}"#)
        .await;
    let (results, ..) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Transient; 3]);
    world.knobs(r#"{"loseAnswers":{"Decrypt":3}}"#).await;
    let (results, details, _) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Transient; 3]);
    assert_eq!(
        details[0],
        "NoConnection: connection closed before message completed"
    );
}

/// Whoever holds the chamber's credentials may Encrypt: a forged share is no theory.
async fn forge(world: &World, inner: &mut InnerBlob, index: u8) {
    let id = ["a", "b", "c"][usize::from(index) - 1];
    let forged = [&[index], &[0x5a; 32][..]].concat();
    inner.shares[usize::from(index) - 1].ciphertext = world.encrypt(id, &forged, index).await;
}

#[tokio::test]
async fn a_forged_share_is_named_and_two_are_refused_by_the_commitment() {
    let world = World::start().await;
    let (_, mut inner) = world.sealed().await;
    forge(&world, &mut inner, 1).await;
    let (results, _, attempt) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Opened; 3], "KMS cannot know");
    let found = attempt.recover().ok().unwrap();
    assert!(fits(&found.key, &inner));
    assert_eq!(found.spoiled, [1]);
    forge(&world, &mut inner, 2).await;
    let (_, _, attempt) = self::attempt(&world.enclave(ADMITTED), &inner).await;
    assert!(matches!(
        attempt.recover(),
        Err(RecoverError::Commitment { .. })
    ));
}

#[tokio::test]
async fn ciphertexts_cannot_change_places() {
    let world = World::start().await;
    let (_, mut inner) = world.sealed().await;
    let first = inner.shares[0].ciphertext.clone();
    inner.shares[0].ciphertext = inner.shares[1].ciphertext.clone();
    inner.shares[1].ciphertext = first;
    let (results, ..) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Invalid, Invalid, Opened], "pinned to their keys");
    let (_, mut inner) = world.sealed().await;
    inner.generation = 2;
    let (results, ..) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Invalid; 3], "bound to their generation");
}

#[tokio::test]
async fn a_share_that_says_it_is_another_is_refused() {
    let world = World::start().await;
    let (_, mut inner) = world.sealed().await;
    let forged = [&[2], &[0x5a; 32][..]].concat();
    inner.shares[0].ciphertext = world.encrypt("a", &forged, 1).await;
    let (results, details, _) = attempt(&world.enclave(ADMITTED), &inner).await;
    assert_eq!(results, [Invalid, Opened, Opened]);
    assert_eq!(details[0], "KMS's answer to this enclave does not open");
}

fn bent(world: &World, bend: fn(&mut DecryptReply)) -> Tools<Module, BentKms> {
    Tools {
        nsm: Arc::new(world.nsm(ADMITTED)),
        kms: Arc::new(BentKms::new(world.kms(), bend)),
    }
}

#[tokio::test]
async fn a_changed_answer_gives_one_error_that_tells_nothing() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let tools = bent(&world, |reply| {
        // In the wrapped content key, about the middle of the answer in every form.
        let bytes = reply.for_recipient.as_mut().unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    });
    let (results, details, _) = attempt(&tools, &inner).await;
    assert_eq!(results, [Invalid; 3]);
    let distinct: BTreeSet<_> = details.iter().collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
    assert_eq!(details[0], "KMS's answer to this enclave does not open");
}

#[tokio::test]
async fn an_answer_for_another_key_or_without_recipient_is_refused() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let other = bent(&world, |reply| reply.key_id = Some("arn:other".into()));
    let (results, details, _) = attempt(&other, &inner).await;
    assert_eq!(results, [Invalid; 3]);
    assert_eq!(details[0], "KMS answered for the key \"arn:other\"");
    let plain = bent(&world, |reply| reply.for_recipient = None);
    let (_, details, _) = attempt(&plain, &inner).await;
    assert_eq!(details[0], "KMS sent no CiphertextForRecipient");
}

#[tokio::test]
async fn each_share_of_each_attempt_has_a_document_of_its_own() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let tools = bent(&world, |_| {});
    attempt(&tools, &inner).await;
    attempt(&tools, &inner).await;
    let documents = tools.kms.documents.lock().unwrap();
    let distinct: BTreeSet<_> = documents.iter().collect();
    assert_eq!((documents.len(), distinct.len()), (6, 6));
}
