//! Faults ordered on the admin port, and the audit log.

use aws_sdk_kms::primitives::Blob;
use serde_json::{Value, json};

use crate::enclave::Enclave;
use crate::world::{ADMITTED, FOREIGN, World, code, key, policy, who};

async fn decrypts(world: &World, enclave: &Enclave) -> bool {
    let sealed = sealed(world).await;
    opened(world, enclave, sealed).await == "ok"
}

async fn sealed(world: &World) -> Blob {
    let kms = world.kms(who::CHAMBER);
    let encrypt = kms
        .encrypt()
        .key_id(key("share-a"))
        .plaintext(Blob::new(*b"x"));
    encrypt.send().await.unwrap().ciphertext_blob.unwrap()
}

/// `ok`, or the code of the refusal.
async fn opened(world: &World, enclave: &Enclave, sealed: Blob) -> String {
    let decrypt = world
        .kms(who::CHAMBER)
        .decrypt()
        .ciphertext_blob(sealed)
        .recipient(enclave.recipient());
    match decrypt.send().await {
        Ok(_) => "ok".to_owned(),
        refused => code(refused),
    }
}

async fn put(world: &World, images: &[[u8; 48]]) {
    let put = world
        .kms(who::ADMIN)
        .put_key_policy()
        .key_id(key("share-a"));
    put.policy(policy(images).to_string()).send().await.unwrap();
}

async fn shown(world: &World) -> String {
    let get = world
        .kms(who::ADMIN)
        .get_key_policy()
        .key_id(key("share-a"));
    get.send().await.unwrap().policy.unwrap()
}

#[tokio::test]
async fn a_hold_keeps_the_old_policy_in_force_while_the_new_one_is_shown() {
    let world = World::start().await;
    let (old, new) = (
        Enclave::new(&world.root, ADMITTED),
        Enclave::new(&world.root, FOREIGN),
    );
    world.knobs(json!({ "decryptPolicyHold": true })).await;
    put(&world, &[FOREIGN]).await;
    // Ordering the hold again must not move it to the new policy.
    world.knobs(json!({ "decryptPolicyHold": true })).await;
    assert!(shown(&world).await.contains(&hex::encode(FOREIGN)));
    assert!(!decrypts(&world, &new).await);
    assert!(decrypts(&world, &old).await);
    world.knobs(json!({})).await;
    assert!(decrypts(&world, &new).await);
    assert!(!decrypts(&world, &old).await);
}

#[tokio::test]
async fn a_delay_lets_decrypt_lag_behind() {
    let world = World::start().await;
    let (old, new) = (
        Enclave::new(&world.root, ADMITTED),
        Enclave::new(&world.root, FOREIGN),
    );
    world
        .knobs(json!({ "decryptPolicyDelaySeconds": 3600.0 }))
        .await;
    put(&world, &[FOREIGN]).await;
    assert!(!decrypts(&world, &new).await);
    assert!(decrypts(&world, &old).await);
    world
        .knobs(json!({ "decryptPolicyDelaySeconds": null }))
        .await;
    assert!(decrypts(&world, &new).await);
    assert!(!decrypts(&world, &old).await);
}

#[tokio::test]
async fn a_delay_lets_a_disabled_key_answer_for_a_while() {
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    let admin = world.kms(who::ADMIN);
    let sealed = sealed(&world).await;
    let opened = async || opened(&world, &enclave, sealed.clone()).await;
    world.knobs(json!({ "keyStateDelaySeconds": 3600.0 })).await;
    let disable = admin.disable_key().key_id(key("share-a"));
    disable.send().await.unwrap();
    let described = admin.describe_key().key_id(key("share-a"));
    let state = described.send().await.unwrap().key_metadata.unwrap();
    assert_eq!(state.key_state.unwrap().as_str(), "Disabled");
    assert_eq!(opened().await, "ok", "its old state is in force");
    world.knobs(json!({})).await;
    assert_eq!(opened().await, "DisabledException");
    let enable = admin.enable_key().key_id(key("share-a"));
    enable.send().await.unwrap();
    assert_eq!(opened().await, "ok");
}

#[tokio::test]
async fn throttling_and_failures_hit_so_many_calls_and_no_more() {
    let world = World::start().await;
    let describe = || world.kms(who::ADMIN).describe_key().key_id(key("share-a"));
    world
        .knobs(json!({
            "throttle": { "DescribeKey": 2 },
            "failures": { "DescribeKey": { "code": "KMSInternalException", "count": 1 } },
        }))
        .await;
    assert_eq!(code(describe().send().await), "ThrottlingException");
    assert_eq!(code(describe().send().await), "ThrottlingException");
    let failed = describe().send().await.unwrap_err();
    assert_eq!(failed.raw_response().unwrap().status().as_u16(), 500);
    assert_eq!(code(Err::<(), _>(failed)), "KMSInternalException");
    describe().send().await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_has_its_effect() {
    let world = World::start().await;
    world
        .knobs(json!({ "loseAnswers": { "PutKeyPolicy": 1 } }))
        .await;
    let put = || {
        let put = world
            .kms(who::ADMIN)
            .put_key_policy()
            .key_id(key("share-a"));
        put.policy(policy(&[FOREIGN]).to_string())
    };
    let lost = put().send().await.unwrap_err();
    assert!(
        lost.raw_response().is_none(),
        "not even a head came: {lost:?}"
    );
    assert!(shown(&world).await.contains(&hex::encode(FOREIGN)));
    put().send().await.unwrap();
    let audit = world.admin_get("/audit").await;
    assert_eq!(audit[0]["operation"], "PutKeyPolicy");
    assert_eq!(audit[0]["outcome"], "ok");
    assert_eq!(audit[0]["answerLost"], true);
}

#[tokio::test]
async fn the_clock_can_be_moved() {
    let world = World::start().await;
    let describe = || world.kms(who::ADMIN).describe_key().key_id(key("share-a"));
    for (offset, fine) in [(890, true), (910, false), (-890, true), (-910, false)] {
        world.knobs(json!({ "clockOffsetSeconds": offset })).await;
        let result = describe().send().await;
        if fine {
            result.unwrap();
        } else {
            assert_eq!(code(result), "InvalidSignatureException", "{offset}");
        }
    }
}

#[tokio::test]
async fn a_foreign_hand_can_write_what_is_no_policy() {
    let world = World::start().await;
    world.put_raw_policy("share-a", "not JSON at all").await;
    assert_eq!(shown(&world).await, "not JSON at all");
    let describe = world.kms(who::ADMIN).describe_key().key_id(key("share-a"));
    describe.send().await.unwrap();
    put(&world, &[ADMITTED]).await;
    assert!(shown(&world).await.contains(&hex::encode(ADMITTED)));
    let text = world.http().get(world.admin("/keys/share-a/policy"));
    let text = text.send().await.unwrap().text().await.unwrap();
    assert_eq!(text, policy(&[ADMITTED]).to_string());
    let keys = world.admin_get("/keys").await;
    assert_eq!(keys[0]["id"], "share-a");
    assert_eq!(keys[0]["state"], "Enabled");
}

/// No image has the value that stands where none is admitted.
#[tokio::test]
async fn the_audit_log_calls_a_policy_without_an_image_empty() {
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    put(&world, &[[0xff; 48]]).await;
    assert!(!decrypts(&world, &enclave).await);
    put(&world, &[[0xff; 48], ADMITTED]).await;
    let audit = world.admin_get("/audit").await;
    let calls = audit.as_array().unwrap().iter();
    let puts = calls.filter(|call| call["operation"] == "PutKeyPolicy");
    let admitted: Vec<_> = puts.map(|put| put["admitted"].clone()).collect();
    assert_eq!(admitted, [json!([]), json!([hex::encode(ADMITTED)])]);
}

#[tokio::test]
async fn the_audit_log_tells_what_happened_in_order() {
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    assert!(decrypts(&world, &enclave).await);
    put(&world, &[ADMITTED, FOREIGN]).await;
    let audit = world.admin_get("/audit").await;
    let column = |name: &str| -> Vec<Value> {
        let entries = audit.as_array().unwrap().iter();
        entries.map(|entry| entry[name].clone()).collect()
    };
    assert_eq!(column("seq"), [1, 2, 3]);
    assert_eq!(column("operation"), ["Encrypt", "Decrypt", "PutKeyPolicy"]);
    assert_eq!(column("outcome"), ["ok", "ok", "ok"]);
    assert_eq!(
        column("key"),
        [key("share-a"), key("share-a"), key("share-a")]
    );
    assert_eq!(audit[1]["measurement"], hex::encode(ADMITTED));
    assert_eq!(
        audit[2]["admitted"],
        json!([hex::encode(ADMITTED), hex::encode(FOREIGN)])
    );
    let since = world.admin_get("/audit?since=2").await;
    assert_eq!(since.as_array().unwrap().len(), 1);
    world
        .http()
        .delete(world.admin("/audit"))
        .send()
        .await
        .unwrap();
    assert_eq!(world.admin_get("/audit").await, json!([]));
    put(&world, &[ADMITTED]).await;
    assert_eq!(
        world.admin_get("/audit").await[0]["seq"],
        4,
        "numbers go on"
    );
}

#[tokio::test]
async fn bad_knobs_are_refused_and_change_nothing() {
    let world = World::start().await;
    for bad in [
        json!({ "decryptPolicyDelaySeconds": -1 }),
        json!({ "decryptPolicyDelaySeconds": 1e300 }),
        json!({ "keyStateDelaySeconds": -1 }),
        json!({ "unknown": 1 }),
        json!("text"),
    ] {
        let put = world.http().put(world.admin("/knobs")).json(&bad);
        assert!(
            put.send().await.unwrap().status().is_client_error(),
            "{bad}"
        );
    }
    let knobs = world.admin_get("/knobs").await;
    assert_eq!(knobs["decryptPolicyDelaySeconds"], Value::Null);
    assert_eq!(world.admin_get("/healthz").await, json!({ "status": "ok" }));
}
