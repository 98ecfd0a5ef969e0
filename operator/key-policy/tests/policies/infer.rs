//! Whose a policy says that it is.

use key_policy::Policy;
use key_policy::infer::{self, Told};
use serde_json::{Value, json};

use crate::common::{SEED, release, spoilt, template};

const CLUSTER: &str = "prod-us-east-1-mainnet";
const ACCOUNT: &str = "111122223333";

fn once(text: &str) -> Told {
    Told::Once(text.to_owned())
}

fn differently(texts: &[&str]) -> Told {
    Told::Differently(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// A policy that allows each of these lists of principals something, without Sids.
fn allowing(principals: &[Value]) -> Policy {
    let statements = principals.iter().map(|names| {
        json!({"Effect": "Allow", "Principal": {"AWS": names}, "Action": "kms:Decrypt", "Resource": "*"})
    });
    let policy = json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()});
    Policy::parse(&policy.to_string()).unwrap()
}

fn role(id: &str) -> Value {
    json!(format!(
        "arn:aws:iam::{ACCOUNT}:role/ChamberEnclaveRole-{id}"
    ))
}

#[test]
fn the_templates_policy_says_everything() {
    for partition in key_policy::PARTITIONS {
        let mut template = template();
        partition.clone_into(&mut template.partition);
        template.admin_role_arn = format!("arn:{partition}:iam::{ACCOUNT}:role/team/Admin");
        let policy = template.render(&[release(1)]);
        assert_eq!(infer::cluster_id(&policy), once(CLUSTER));
        assert_eq!(infer::account(&policy), once(ACCOUNT));
        assert_eq!(infer::partition(&policy, ACCOUNT), once(partition));
        let admin = infer::admin_role(&policy, ACCOUNT);
        assert_eq!(admin, Some(template.admin_role_arn));
    }
}

#[test]
fn statement_three_names_the_cluster_before_all_others() {
    let other = r#""arn:aws:iam::111122223333:role/ChamberEnclaveRole-other""#;
    let both = SEED.replacen(
        r#""arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin""#,
        other,
        1,
    );
    assert_ne!(both, SEED);
    assert_eq!(
        infer::cluster_id(&Policy::parse(&both).unwrap()),
        once(CLUSTER)
    );
    // Without that Sid neither counts before the other.
    let both = both.replace("AllowChamberEnclaveDecryptWithAttestation", "Decrypt");
    let found = infer::cluster_id(&Policy::parse(&both).unwrap());
    assert_eq!(found, differently(&["other", CLUSTER]));
    let two = Policy::parse(&SEED.replace(
        &role(CLUSTER).to_string(),
        &format!("[{},{}]", role("a"), role("b")),
    ));
    assert_eq!(infer::cluster_id(&two.unwrap()), differently(&["a", "b"]));
}

#[test]
fn only_an_enclave_role_that_is_allowed_something_names_a_cluster() {
    assert_eq!(
        infer::cluster_id(&allowing(&[role("a"), role("a")])),
        once("a")
    );
    let user = json!(format!("arn:aws:iam::{ACCOUNT}:user/ChamberEnclaveRole-a"));
    let s3 = json!(format!("arn:aws:s3::{ACCOUNT}:role/ChamberEnclaveRole-a"));
    for other in [
        json!("*"),
        user,
        s3,
        role(""),
        json!("AROAEXAMPLE"),
        json!([]),
    ] {
        assert_eq!(
            infer::cluster_id(&allowing(std::slice::from_ref(&other))),
            Told::Never,
            "{other}"
        );
    }
    for (from, to) in [
        ("\"Allow\"", "\"Deny\""),
        ("Principal", "NotPrincipal"),
        ("\"AWS\"", "\"Federated\""),
    ] {
        let policy = allowing(&[role("a")]).to_json().replace(from, to);
        assert_eq!(
            infer::cluster_id(&Policy::parse(&policy).unwrap()),
            Told::Never,
            "{to}"
        );
    }
}

#[test]
fn the_account_is_the_roots_and_else_that_of_the_roles() {
    let root = json!(format!("arn:aws-cn:iam::{ACCOUNT}:root"));
    let elsewhere = json!("arn:aws:iam::444455556666:role/A");
    for (principals, account) in [
        (vec![root.clone()], once(ACCOUNT)),
        (vec![json!(ACCOUNT)], once(ACCOUNT)),
        (vec![root.clone(), json!(ACCOUNT)], once(ACCOUNT)),
        (vec![elsewhere.clone(), root.clone()], once(ACCOUNT)),
        (vec![elsewhere.clone()], once("444455556666")),
        (
            vec![role("a"), elsewhere],
            differently(&[ACCOUNT, "444455556666"]),
        ),
        (
            vec![root, json!("444455556666")],
            differently(&[ACCOUNT, "444455556666"]),
        ),
        (
            vec![json!("*"), json!("arn:aws:iam::1:role/A")],
            Told::Never,
        ),
    ] {
        assert_eq!(
            infer::account(&allowing(&principals)),
            account,
            "{principals:?}"
        );
    }
    let policy = spoilt("role/ChamberKmsKeyAdmin", "root");
    let policy = policy
        .to_json()
        .replacen("iam::111122223333:root", "iam::444455556666:root", 1);
    let found = infer::account(&Policy::parse(&policy).unwrap());
    assert_eq!(
        found,
        once("444455556666"),
        "statement 1 counts before others"
    );
}

#[test]
fn the_partition_is_that_of_the_accounts_names() {
    let bare = allowing(&[json!(ACCOUNT), json!("arn:aws-cn:iam::444455556666:role/A")]);
    assert_eq!(infer::partition(&bare, ACCOUNT), Told::Never);
    assert_eq!(infer::partition(&bare, "444455556666"), once("aws-cn"));
    let china = json!(format!("arn:aws-cn:iam::{ACCOUNT}:role/A"));
    let both = allowing(&[role("a"), china]);
    assert_eq!(
        infer::partition(&both, ACCOUNT),
        differently(&["aws", "aws-cn"])
    );
    let unknown = allowing(&[json!(format!("arn:aws-xy:iam::{ACCOUNT}:root"))]);
    assert_eq!(infer::partition(&unknown, ACCOUNT), Told::Never);
}

#[test]
fn administrators_are_one_role_of_the_account_or_not_known() {
    let admin = r#""arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin""#;
    let with = |names: &str| infer::admin_role(&spoilt(admin, names), ACCOUNT);
    let other = "arn:aws:iam::111122223333:role/Other";
    assert_eq!(with(&format!("[\"{other}\"]")), Some(other.to_owned()));
    for names in [
        &format!("[{admin}, \"{other}\"]"),
        r#""arn:aws:iam::444455556666:role/Other""#,
        r#""arn:aws:iam::111122223333:user/Other""#,
        r#""arn:aws:iam::111122223333:root""#,
        "[]",
    ] {
        assert_eq!(with(names), None, "{names}");
    }
    let unnamed = spoilt("AllowKeyAdministrators", "Administrators");
    assert_eq!(infer::admin_role(&unnamed, ACCOUNT), None);
}

#[test]
fn the_enclave_roles_account_is_told_where_statement_three_names_one() {
    let named = role(CLUSTER).to_string();
    let with = |names: &str| infer::role_account(&spoilt(&named, names), CLUSTER);
    let elsewhere = named.replace(ACCOUNT, "444455556666");
    let of_another = elsewhere.replace(CLUSTER, "another");
    assert_eq!(with(&elsewhere).as_deref(), Some("444455556666"));
    let beside = format!("[{of_another}, {named}]");
    assert_eq!(with(&beside).as_deref(), Some(ACCOUNT));
    for names in [
        format!("[{named}, {elsewhere}]"),
        of_another,
        named.replace(ACCOUNT, ""),
        named.replace(":iam:", ":sts:"),
    ] {
        assert_eq!(with(&names), None, "{names}");
    }
}

/// A policy with one statement for each of these resources.
fn about(resources: &[&str]) -> Policy {
    let statements = resources.iter().map(|resource| {
        json!({"Effect": "Allow", "Principal": "*", "Action": "kms:DescribeKey", "Resource": resource})
    });
    let policy = json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()});
    Policy::parse(&policy.to_string()).unwrap()
}

#[test]
fn the_key_is_what_its_policy_names_of_its_own_account() {
    let own = "arn:aws:kms:us-east-1:111122223333:key/a";
    let key = |resources: &[&str]| infer::key(&about(resources), "aws", ACCOUNT);
    for (resources, told) in [
        (vec![own, "*"], own),
        (vec![own, own], own),
        (vec![own, "arn:aws:kms:us-east-1:*:key/b"], own),
        (vec!["arn:aws:kms:*:111122223333:key/a", own], own),
        (
            vec![own, "arn:aws:kms:eu-west-1:111122223333:key/a"],
            "arn:aws:kms:*:111122223333:key/a",
        ),
        (
            vec![own, "arn:aws:kms:us-east-1:111122223333:key/b"],
            "arn:aws:kms:us-east-1:111122223333:key/*",
        ),
    ] {
        assert_eq!(key(&resources).as_deref(), Some(told), "{resources:?}");
    }
    for other in [
        own.replace(":kms:", ":s3:"),
        own.replace(ACCOUNT, "444455556666"),
        own.replace("arn:aws:", "arn:aws-cn:"),
        own.replace("key/", "alias/"),
    ] {
        assert_eq!(key(&[&other]), None, "{other}");
        assert_eq!(key(&[&other, own]).as_deref(), Some(own), "{other}");
    }
}
