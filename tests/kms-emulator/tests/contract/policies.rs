//! Reading and writing key policies.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::{ADMIN, ADMITTED, FOREIGN, World, code, key, message, policy, who};

fn statement(policy: &mut Value, index: usize) -> &mut Value {
    &mut policy["Statement"][index]
}

async fn put(world: &World, caller: &str, text: &str) -> Result<(), String> {
    let put = world.kms(caller).put_key_policy().key_id(key("share-a"));
    match put.policy(text).send().await {
        Ok(_) => Ok(()),
        refused => Err(code(refused)),
    }
}

#[tokio::test]
async fn what_was_put_is_read_back_in_other_bytes_with_the_same_meaning() {
    let world = World::start().await;
    let wanted = policy(&[ADMITTED, FOREIGN]);
    put(&world, who::ADMIN, &wanted.to_string()).await.unwrap();
    let mut readings = BTreeSet::new();
    for _ in 0..6 {
        let get = world.kms(who::ADMIN).get_key_policy().key_id("share-a");
        let answer = get.send().await.unwrap();
        assert_eq!(answer.policy_name.as_deref(), Some("default"));
        let text = answer.policy.unwrap();
        let read = key_policy::Policy::parse(&text).unwrap();
        let meant = key_policy::Policy::parse(&wanted.to_string()).unwrap();
        assert!(read.equivalent(&meant), "{text}");
        assert!(text.contains("\"Version\" : \"2012-10-17\""), "{text}");
        readings.insert(text);
    }
    assert!(readings.len() > 1, "the order of lists changes");
    let list = world.kms(who::ADMIN).list_key_policies().key_id("share-a");
    assert_eq!(list.send().await.unwrap().policy_names(), ["default"]);
}

#[tokio::test]
async fn one_element_lists_become_plain_texts() {
    let world = World::start().await;
    let get = world.kms(who::ADMIN).get_key_policy().key_id("share-a");
    let text = get.send().await.unwrap().policy.unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    let condition = &read["Statement"][2]["Condition"]["StringEqualsIgnoreCase"];
    assert_eq!(
        condition["kms:RecipientAttestation:ImageSha384"],
        hex::encode(ADMITTED)
    );
}

#[tokio::test]
async fn a_policy_that_locks_its_author_out_is_malformed() {
    let world = World::start().await;
    let mut locked = policy(&[ADMITTED]);
    statement(&mut locked, 1)["Action"] = json!(["kms:Describe*", "kms:Get*"]);
    let put_it = || {
        let put = world
            .kms(who::ADMIN)
            .put_key_policy()
            .key_id(key("share-a"));
        put.policy(locked.to_string())
    };
    let refused = put_it().send().await;
    assert_eq!(
        message(refused),
        "The new key policy will not allow you to update the key policy in the future."
    );
    assert_eq!(
        put(&world, who::ADMIN, &locked.to_string())
            .await
            .unwrap_err(),
        "MalformedPolicyDocumentException"
    );
    // Root is still in it, so root may put it; and whoever bypasses the check may lock himself out.
    put(&world, who::ROOT, &locked.to_string()).await.unwrap();
    assert_eq!(code(put_it().send().await), "AccessDeniedException");
    put(&world, who::ROOT, &policy(&[ADMITTED]).to_string())
        .await
        .unwrap();
    let bypass = put_it().bypass_policy_lockout_safety_check(true);
    bypass.send().await.unwrap();
}

#[tokio::test]
async fn what_is_no_policy_is_refused_with_its_code() {
    let world = World::start().await;
    let big = |bytes: usize| {
        let mut policy = policy(&[ADMITTED]);
        let missing = bytes - policy.to_string().len() - r#""Id":"","#.len();
        policy["Id"] = json!("x".repeat(missing));
        policy.to_string()
    };
    put(&world, who::ADMIN, &big(32_768)).await.unwrap();
    let principal = |principal: &str| {
        let mut policy = policy(&[ADMITTED]);
        statement(&mut policy, 3)["Principal"] = json!({ "AWS": principal });
        policy.to_string()
    };
    let malformed = "MalformedPolicyDocumentException";
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut policy = policy(&[ADMITTED]);
        change(&mut policy);
        policy.to_string()
    };
    let condition = |operator: &str| {
        changed(&|policy| {
            statement(policy, 3)["Condition"] = json!({operator: {"kms:ViaService": "a"}});
        })
    };
    let cases = [
        (big(32_769), "LimitExceededException"),
        ("not JSON".to_owned(), malformed),
        ("[]".to_owned(), malformed),
        (principal("AROAEXAMPLEID"), malformed),
        (
            principal("arn:aws:iam::999999999999:role/nobody"),
            malformed,
        ),
        (principal("arn:aws:iam::111122223333:role/*"), malformed),
        (principal("arn:aws-cn:iam::111122223333:role/r"), malformed),
        (
            principal("arn:aws:iam::111122223333:group/keepers"),
            malformed,
        ),
        (
            changed(&|policy| policy["Version"] = json!("2012-10-18")),
            malformed,
        ),
        (
            changed(&|policy| policy["Statement"] = json!([])),
            malformed,
        ),
        (
            changed(&|policy| statement(policy, 3)["Principal"] = json!({"Role": ADMIN})),
            malformed,
        ),
        (
            changed(&|policy| statement(policy, 3)["Action"] = json!("Encrypt")),
            malformed,
        ),
        (condition("StringIs"), malformed),
        (condition("stringEquals"), malformed),
        (
            changed(&|policy| {
                let names = statement(policy, 3)["Principal"].take();
                let members = statement(policy, 3).as_object_mut().unwrap();
                members.remove("Principal");
                members.insert("NotPrincipal".to_owned(), names);
            }),
            malformed,
        ),
        (" \u{2028} ".to_owned(), "ValidationException"),
    ];
    for (text, expected) in cases {
        let found = put(&world, who::ADMIN, &text).await.unwrap_err();
        assert_eq!(found, expected, "{}", &text[..text.len().min(60)]);
    }
    for fine in ["arn:aws:iam::444455556666:root", "444455556666", "*", ADMIN] {
        put(&world, who::ADMIN, &principal(fine)).await.unwrap();
    }
}

#[tokio::test]
async fn others_neither_read_nor_write() {
    let world = World::start().await;
    for caller in [
        who::CHAMBER,
        who::OTHER_CHAMBER,
        who::OPERATOR,
        who::STRANGER,
    ] {
        let get = world.kms(caller).get_key_policy().key_id(key("share-a"));
        assert_eq!(code(get.send().await), "AccessDeniedException", "{caller}");
        let found = put(&world, caller, &policy(&[FOREIGN]).to_string()).await;
        assert_eq!(found.unwrap_err(), "AccessDeniedException", "{caller}");
    }
    // A power user is let through by statement 1 and IAM together.
    put(&world, who::POWER_USER, &policy(&[FOREIGN]).to_string())
        .await
        .unwrap();
}

#[tokio::test]
async fn keys_that_are_not_there_have_their_texts() {
    let world = World::start().await;
    let describe = |id: &str| world.kms(who::ADMIN).describe_key().key_id(id);
    let missing = "arn:aws:kms:us-east-1:111122223333:key/none";
    for (id, text) in [
        ("none", format!("Key '{missing}' does not exist")),
        (missing, format!("Key '{missing}' does not exist")),
        ("bad id", "Invalid keyId 'bad id'".to_owned()),
        (
            "arn:aws:kms:eu-west-1:111122223333:key/share-a",
            "Invalid arn eu-west-1".to_owned(),
        ),
    ] {
        assert_eq!(message(describe(id).send().await), text);
        assert_eq!(code(describe(id).send().await), "NotFoundException");
    }
    let policy = world
        .kms(who::ADMIN)
        .get_key_policy()
        .key_id("share-a")
        .policy_name("other");
    assert_eq!(code(policy.send().await), "NotFoundException");
}
