//! Keys' lives: made, tagged, disabled, deleted, brought back.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyState, Tag};

use crate::enclave::Enclave;
use crate::world::{ADMITTED, World, code, key, message, policy, who};

async fn encrypt(world: &World) -> Result<Blob, String> {
    let encrypt = world.kms(who::CHAMBER).encrypt().key_id(key("share-a"));
    match encrypt.plaintext(Blob::new(*b"x")).send().await {
        Ok(answer) => Ok(answer.ciphertext_blob.unwrap()),
        refused => Err(code(refused)),
    }
}

async fn state(world: &World) -> KeyState {
    let describe = world.kms(who::ADMIN).describe_key().key_id("share-a");
    let metadata = describe.send().await.unwrap().key_metadata.unwrap();
    assert_eq!(
        metadata.enabled,
        metadata.key_state == Some(KeyState::Enabled)
    );
    assert_eq!(
        metadata.deletion_date.is_some(),
        metadata.key_state == Some(KeyState::PendingDeletion)
    );
    metadata.key_state.unwrap()
}

#[tokio::test]
async fn a_disabled_key_refuses_use_but_not_administration() {
    let world = World::start().await;
    let sealed = encrypt(&world).await.unwrap();
    let admin = world.kms(who::ADMIN);
    for _ in 0..2 {
        admin.disable_key().key_id("share-a").send().await.unwrap();
    }
    assert_eq!(state(&world).await, KeyState::Disabled);
    assert_eq!(encrypt(&world).await.unwrap_err(), "DisabledException");
    let enclave = Enclave::new(&world.root, ADMITTED);
    let decrypt = world.kms(who::CHAMBER).decrypt().ciphertext_blob(sealed);
    let refused = decrypt.clone().recipient(enclave.recipient()).send().await;
    assert_eq!(message(refused), format!("{} is disabled.", key("share-a")));
    // Permission is asked before the state: without attestation it stays a denial.
    assert_eq!(code(decrypt.send().await), "AccessDeniedException");
    let put = admin.put_key_policy().key_id("share-a");
    put.policy(policy(&[ADMITTED]).to_string())
        .send()
        .await
        .unwrap();
    admin.enable_key().key_id("share-a").send().await.unwrap();
    encrypt(&world).await.unwrap();
}

#[tokio::test]
async fn a_key_pending_deletion_comes_back_disabled() {
    let world = World::start().await;
    let admin = world.kms(who::ADMIN);
    let cancel = || admin.cancel_key_deletion().key_id("share-a");
    assert_eq!(code(cancel().send().await), "KMSInvalidStateException");
    for days in [6, 31] {
        let schedule = admin.schedule_key_deletion().key_id("share-a");
        assert_eq!(
            code(schedule.pending_window_in_days(days).send().await),
            "ValidationException"
        );
    }
    let schedule = || {
        admin
            .schedule_key_deletion()
            .key_id("share-a")
            .pending_window_in_days(7)
    };
    let answer = schedule().send().await.unwrap();
    assert_eq!(answer.key_state, Some(KeyState::PendingDeletion));
    assert_eq!(state(&world).await, KeyState::PendingDeletion);
    assert_eq!(
        encrypt(&world).await.unwrap_err(),
        "KMSInvalidStateException"
    );
    assert_eq!(code(schedule().send().await), "KMSInvalidStateException");
    assert_eq!(
        code(admin.disable_key().key_id("share-a").send().await),
        "KMSInvalidStateException"
    );
    assert_eq!(
        code(admin.enable_key().key_id("share-a").send().await),
        "KMSInvalidStateException"
    );
    let get = admin.get_key_policy().key_id("share-a");
    get.send().await.unwrap();
    cancel().send().await.unwrap();
    assert_eq!(state(&world).await, KeyState::Disabled);
}

#[tokio::test]
async fn the_two_undocumented_choices_can_be_made_otherwise() {
    let world = World::start_with(|config| {
        config.state_before_authorization = true;
        config.pending_deletion_code = kms_emulator::PendingDeletionCode::Disabled;
    })
    .await;
    let sealed = encrypt(&world).await.unwrap();
    let admin = world.kms(who::ADMIN);
    admin
        .schedule_key_deletion()
        .key_id("share-a")
        .send()
        .await
        .unwrap();
    let decrypt = world.kms(who::CHAMBER).decrypt().ciphertext_blob(sealed);
    assert_eq!(code(decrypt.send().await), "DisabledException");
}

#[tokio::test]
async fn tags_are_set_changed_and_taken_away() {
    let world = World::start().await;
    let admin = world.kms(who::ADMIN);
    let tag = |name: &str, value: &str| {
        Tag::builder()
            .tag_key(name)
            .tag_value(value)
            .build()
            .unwrap()
    };
    let set = admin.tag_resource().key_id("share-a");
    set.tags(tag("owner", "one"))
        .tags(tag("team", "two"))
        .send()
        .await
        .unwrap();
    let untag = admin.untag_resource().key_id("share-a");
    untag
        .tag_keys("owner")
        .tag_keys("never there")
        .send()
        .await
        .unwrap();
    let tags = admin
        .list_resource_tags()
        .key_id("share-a")
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tags(), [tag("team", "two")]);
    let reserved = admin
        .tag_resource()
        .key_id("share-a")
        .tags(tag("aws:x", "y"));
    assert_eq!(code(reserved.send().await), "TagException");
    let stranger = world
        .kms(who::CHAMBER)
        .list_resource_tags()
        .key_id("share-a");
    assert_eq!(code(stranger.send().await), "AccessDeniedException");
}

#[tokio::test]
async fn keys_are_made_by_whom_iam_allows_and_with_a_way_back() {
    let world = World::start().await;
    let power = world.kms(who::POWER_USER);
    let made = power.create_key().description("new").send().await.unwrap();
    let metadata = made.key_metadata.unwrap();
    assert_eq!(metadata.description.as_deref(), Some("new"));
    let encrypt = power.encrypt().key_id(metadata.arn.unwrap());
    encrypt.plaintext(Blob::new(*b"x")).send().await.unwrap();
    world.kms(who::ROOT).create_key().send().await.unwrap();
    let nobody = world.kms(who::CHAMBER).create_key();
    assert_eq!(code(nobody.send().await), "AccessDeniedException");
    let mut locked = policy(&[ADMITTED]);
    locked["Statement"].as_array_mut().unwrap().remove(0);
    let locked = power.create_key().policy(locked.to_string());
    assert_eq!(
        code(locked.send().await),
        "MalformedPolicyDocumentException"
    );
    assert_eq!(world.admin_get("/keys").await.as_array().unwrap().len(), 5);
}
