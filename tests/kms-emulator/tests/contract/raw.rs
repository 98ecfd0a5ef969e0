//! What no SDK sends: unsigned, tampered, malformed.

use aws_lc_rs::{digest, hmac};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{World, key, secret, who};

/// A request signed by hand, with any target and body.
fn signed(world: &World, caller: &str, operation: &str, body: &str) -> reqwest::RequestBuilder {
    let url = world.url();
    let host = url.strip_prefix("http://").unwrap();
    let target = format!("TrentService.{operation}");
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let hash = |text: &str| hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let canonical = format!(
        "POST\n/\n\nhost:{host}\nx-amz-date:{now}\nx-amz-target:{target}\n\nhost;x-amz-date;x-amz-target\n{}",
        hash(body)
    );
    let scope = format!("{}/us-east-1/kms/aws4_request", &now[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hash(&canonical));
    let start = format!("AWS4{}", secret(caller)).into_bytes();
    let sign = |key: Vec<u8>, text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let key = scope.split('/').fold(start, sign);
    let signature = hex::encode(sign(key, &to_sign));
    let post = world.http().post(url.as_str()).body(body.to_owned());
    post.header("x-amz-date", now).header("x-amz-target", target).header(
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={caller}/{scope}, SignedHeaders=host;x-amz-date;x-amz-target, \
             Signature={signature}"
        ),
    )
}

async fn post(world: &World, target: &str, body: String) -> reqwest::Response {
    let post = world
        .http()
        .post(world.url())
        .header("x-amz-target", target);
    let post = post.header("content-type", "application/x-amz-json-1.1");
    post.body(body).send().await.unwrap()
}

#[tokio::test]
async fn unsigned_requests_are_refused_in_each_services_form() {
    let world = World::start().await;
    let answer = post(&world, "TrentService.DescribeKey", "{}".to_owned()).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.headers()["content-type"],
        "application/x-amz-json-1.1"
    );
    assert!(answer.headers().contains_key("x-amzn-requestid"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["__type"], "MissingAuthenticationTokenException");
    let form = world
        .http()
        .post(world.url())
        .body("Action=GetCallerIdentity&Version=2011-06-15");
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let body = answer.text().await.unwrap();
    assert!(
        body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{body}"
    );
    let audit = world.admin_get("/audit").await;
    assert_eq!(audit[0]["principal"], "unauthenticated");
}

#[tokio::test]
async fn a_signature_is_for_one_body_and_one_operation() {
    let world = World::start().await;
    let body = json!({ "KeyId": "share-a" }).to_string();
    let request = || signed(&world, who::POWER_USER, "DescribeKey", &body);
    assert_eq!(request().send().await.unwrap().status(), 200);
    let other_body = request().body(json!({ "KeyId": "share-b" }).to_string());
    let mut other_operation = request().build().unwrap();
    let target = "TrentService.DisableKey".parse().unwrap();
    other_operation.headers_mut().insert("x-amz-target", target);
    for answer in [
        other_body.send().await.unwrap(),
        world.http().execute(other_operation).await.unwrap(),
    ] {
        assert_eq!(answer.status(), 400);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["__type"], "InvalidSignatureException");
    }
}

/// `AccessDeniedException` alone writes its text with a capital letter.
#[tokio::test]
async fn access_denied_has_a_capital_message_and_others_have_not() {
    let world = World::start().await;
    let denied = world
        .kms(who::CHAMBER)
        .describe_key()
        .key_id(key("share-a"));
    let missing = world.kms(who::ADMIN).describe_key().key_id("none");
    for (error, with, without) in [
        (denied.send().await.unwrap_err(), "Message", "message"),
        (missing.send().await.unwrap_err(), "message", "Message"),
    ] {
        let bytes = error.raw_response().unwrap().body().bytes().unwrap();
        let body: Value = serde_json::from_slice(bytes).unwrap();
        assert!(
            body.get(with).is_some() && body.get(without).is_none(),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_members_has_no_body() {
    let world = World::start().await;
    let body = json!({ "KeyId": "share-a" }).to_string();
    let disable = signed(&world, who::POWER_USER, "DisableKey", &body);
    let answer = disable.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn bodies_have_a_greatest_size() {
    let world = World::start().await;
    let answer = post(&world, "TrentService.Decrypt", "x".repeat(1024 * 1024 + 1)).await;
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn stopping_waits_for_nobody_who_is_idle() {
    let world = World::start().await;
    world.admin_get("/healthz").await;
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(4), world.stop());
    stopped.await.unwrap();
}

#[test]
fn no_signed_body_makes_it_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::start());
    let member = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!([])),
        Just(json!([{}])),
        Just(json!({})),
        Just(json!("share-a")),
        Just(json!("arn:aws:kms:us-east-1:111122223333:key/")),
        Just(json!("AQICAQ==")),
        Just(json!({ "AttestationDocument": "hEQ=" })),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    let names = [
        "KeyId",
        "CiphertextBlob",
        "Plaintext",
        "Recipient",
        "Policy",
        "PolicyName",
        "Tags",
        "TagKeys",
        "EncryptionContext",
        "NumberOfBytes",
        "KeySpec",
        "PendingWindowInDays",
        "DestinationKeyId",
        "DryRun",
        "Limit",
        "Marker",
        "GrantId",
        "GranteePrincipal",
    ];
    let operation = prop::sample::select(vec![
        "CreateKey",
        "DescribeKey",
        "GetKeyPolicy",
        "PutKeyPolicy",
        "ListKeyPolicies",
        "Encrypt",
        "Decrypt",
        "GenerateDataKey",
        "EnableKey",
        "DisableKey",
        "ScheduleKeyDeletion",
        "CancelKeyDeletion",
        "TagResource",
        "UntagResource",
        "ListResourceTags",
        "ReEncrypt",
        "CreateGrant",
        "ListGrants",
        "RevokeGrant",
        "NoSuchOperation",
    ]);
    let body = prop::collection::btree_map(prop::sample::select(names.to_vec()), member, 0..8);
    proptest!(ProptestConfig::with_cases(300), |(operation in operation, body in body)| {
        let body = json!(body).to_string();
        let status = runtime.block_on(async {
            let request = signed(&world, who::POWER_USER, operation, &body);
            request.send().await.map(|answer| answer.status().as_u16())
        });
        // A panic would have closed the connection.
        prop_assert!(matches!(status, Ok(200 | 400 | 412)), "{operation} {body}: {status:?}");
    });
}
