//! Sessions: who gets one, what narrows it, when it ends.

use aws_credential_types::Credentials;
use aws_sdk_sts::types::Credentials as Issued;
use serde_json::json;

use crate::world::{ADMIN, ADMITTED, CHAMBER, World, code, key, message, policy, who};

const EXTERNAL_ID: &str = "0b1c/demo/signer";

async fn assume(world: &World, policy: Option<String>) -> Issued {
    let assume = world.sts(who::OPERATOR).assume_role().role_arn(ADMIN);
    let assume = assume
        .role_session_name("operator")
        .external_id(EXTERNAL_ID);
    let answer = assume.set_policy(policy).send().await.unwrap();
    let user = answer.assumed_role_user.unwrap();
    assert_eq!(
        user.arn,
        "arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/operator"
    );
    answer.credentials.unwrap()
}

fn client(world: &World, issued: &Issued) -> aws_sdk_kms::Client {
    let token = Some(issued.session_token.clone());
    world.kms_with(Credentials::new(
        &issued.access_key_id,
        &issued.secret_access_key,
        token,
        None,
        "test",
    ))
}

#[tokio::test]
async fn an_assumed_role_administers_and_does_not_decrypt() {
    let world = World::start().await;
    let kms = client(&world, &assume(&world, None).await);
    let get = kms.get_key_policy().key_id(key("share-a"));
    get.send().await.unwrap();
    let put = kms.put_key_policy().key_id(key("share-a"));
    put.policy(policy(&[ADMITTED]).to_string())
        .send()
        .await
        .unwrap();
    let encrypt = kms
        .encrypt()
        .key_id(key("share-a"))
        .plaintext(aws_sdk_kms::primitives::Blob::new(*b"x"));
    assert_eq!(
        message(encrypt.send().await),
        "User: arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/operator is not authorized to perform: \
         kms:Encrypt on resource: arn:aws:kms:us-east-1:111122223333:key/share-a because no resource-based policy \
         allows the kms:Encrypt action"
    );
    let audit = world.admin_get("/audit").await;
    assert_eq!(audit[0]["operation"], "AssumeRole");
    assert_eq!(audit[0]["role"], ADMIN);
}

#[tokio::test]
async fn the_trust_policy_asks_for_principal_and_external_id() {
    let world = World::start().await;
    let assume = |caller: &str, id: Option<&str>| {
        let assume = world.sts(caller).assume_role().role_arn(ADMIN);
        let assume = assume.role_session_name("operator");
        assume.set_external_id(id.map(ToOwned::to_owned)).send()
    };
    for (caller, id) in [
        (who::OPERATOR, None),
        (who::OPERATOR, Some("0b1c/other/signer")),
        (who::CHAMBER, Some(EXTERNAL_ID)),
        (who::STRANGER, Some(EXTERNAL_ID)),
        (who::POWER_USER, Some(EXTERNAL_ID)),
    ] {
        assert_eq!(
            code(assume(caller, id).await),
            "AccessDenied",
            "{caller} {id:?}"
        );
    }
    let missing = world
        .sts(who::OPERATOR)
        .assume_role()
        .role_session_name("operator");
    let missing = missing
        .role_arn("arn:aws:iam::111122223333:role/none")
        .send()
        .await;
    assert_eq!(code(missing), "AccessDenied");
    assert_eq!(
        code(assume(who::OPERATOR, Some("has spaces")).await),
        "ValidationError"
    );
}

#[tokio::test]
async fn a_session_policy_leaves_less_and_never_gives_more() {
    let world = World::start().await;
    let narrow = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "kms:*", "Resource": key("share-a") } ] });
    let kms = client(&world, &assume(&world, Some(narrow.to_string())).await);
    let get = kms.get_key_policy().key_id(key("share-a"));
    get.send().await.unwrap();
    let other = kms.get_key_policy().key_id(key("share-b")).send().await;
    assert!(
        message(other).ends_with("because no session policy allows the kms:GetKeyPolicy action")
    );
    let encrypt = kms
        .encrypt()
        .key_id(key("share-a"))
        .plaintext(aws_sdk_kms::primitives::Blob::new(*b"x"));
    assert_eq!(
        code(encrypt.send().await),
        "AccessDeniedException",
        "the role may not"
    );
    // The lockout check sees the session policy too.
    let read_only = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "kms:Get*", "Resource": "*" } ] });
    let kms = client(&world, &assume(&world, Some(read_only.to_string())).await);
    let put = kms.put_key_policy().key_id(key("share-a"));
    assert_eq!(
        code(put.policy(policy(&[ADMITTED]).to_string()).send().await),
        "AccessDeniedException"
    );
}

#[tokio::test]
async fn malformed_session_policies_are_refused() {
    let world = World::start().await;
    let assume = |policy: &str| {
        let assume = world.sts(who::OPERATOR).assume_role().role_arn(ADMIN);
        let assume = assume
            .role_session_name("operator")
            .external_id(EXTERNAL_ID);
        assume.policy(policy).send()
    };
    assert_eq!(code(assume("{").await), "MalformedPolicyDocument");
    assert_eq!(code(assume(&"x".repeat(2049)).await), "ValidationError");
}

#[tokio::test]
async fn a_session_ends_and_its_parts_belong_together() {
    let world = World::start().await;
    let issued = assume(&world, None).await;
    let other = assume(&world, None).await;
    let mut mixed = issued.clone();
    mixed.session_token.clone_from(&other.session_token);
    let describe = |issued: &Issued| {
        client(&world, issued)
            .describe_key()
            .key_id(key("share-a"))
            .send()
    };
    assert_eq!(code(describe(&mixed).await), "UnrecognizedClientException");
    let mut wrong_secret = issued.clone();
    wrong_secret.secret_access_key.push('x');
    assert_eq!(
        code(describe(&wrong_secret).await),
        "InvalidSignatureException"
    );
    describe(&issued).await.unwrap();
    // Issued with the clock behind, so that the session ends while signatures made now are still young enough.
    world.knobs(json!({ "clockOffsetSeconds": -600 })).await;
    let short = world.sts(who::OPERATOR).assume_role().role_arn(ADMIN);
    let short = short
        .role_session_name("operator")
        .external_id(EXTERNAL_ID)
        .duration_seconds(900);
    let short = short.send().await.unwrap().credentials.unwrap();
    world.knobs(json!({ "clockOffsetSeconds": 200 })).await;
    describe(&short).await.unwrap();
    world.knobs(json!({ "clockOffsetSeconds": 400 })).await;
    assert_eq!(code(describe(&short).await), "ExpiredTokenException");
}

#[tokio::test]
async fn everybody_may_ask_who_he_is() {
    let world = World::start().await;
    let answer = world
        .sts(who::CHAMBER)
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(answer.arn.as_deref(), Some(CHAMBER));
    assert_eq!(answer.account.as_deref(), Some("111122223333"));
    assert!(answer.user_id.unwrap().ends_with(":chamber"));
}
