//! `policy lint` without flags: whose policy it is, as the policy itself says.

use serde_json::Value;

use crate::{CLUSTER, Run, chamber, hash, rendered};

fn lint(policy: &str, more: &[&str]) -> Run {
    chamber(&[&["policy", "lint", "-"][..], more].concat(), policy)
}

fn json(policy: &str, more: &[&str]) -> Value {
    let run = lint(policy, &[more, &["-o", "json"]].concat());
    serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err))
}

#[test]
fn a_policy_needs_no_flags() {
    let policy = rendered(&[&hash("01")], &[]);
    let (with, without) = (lint(&policy, &CLUSTER), lint(&policy, &[]));
    let line = "read as cluster prod-us-east-1-mainnet in account 111122223333 (from the policy)\n";
    assert_eq!((without.status, without.err.as_str()), (0, ""));
    let rest = without
        .out
        .strip_prefix(line)
        .unwrap_or_else(|| panic!("{}", without.out));
    assert_eq!(with.out, rest);
}

#[test]
fn everything_is_told_with_where_it_is_from() {
    let admin = "arn:aws-cn:iam::111122223333:role/Keys";
    let more = ["--partition", "aws-cn", "--admin-role", admin];
    let policy = rendered(&[&hash("01")], &more);
    let all = json(&policy, &[]);
    assert_eq!(
        all["readAs"],
        serde_json::json!({
            "clusterId": "prod-us-east-1-mainnet", "account": "111122223333", "partition": "aws-cn",
            "roleAccount": "111122223333", "adminRole": admin,
            "from": {"clusterId": "policy", "account": "policy", "partition": "policy", "roleAccount": "policy", "adminRole": "policy"},
        })
    );
    assert_eq!(
        all["findings"].as_array().unwrap().len(),
        3,
        "notes only: {all}"
    );
    let told = format!(
        "read as cluster prod-us-east-1-mainnet in account 111122223333 (from the policy) of aws-cn (from the policy), administrators {admin} (from the policy)\n"
    );
    let human = lint(&policy, &[]).out;
    assert!(human.starts_with(&told), "{human}");
    let yaml: Value = serde_yaml_ng::from_str(&lint(&policy, &["-o", "yaml"]).out).unwrap();
    assert_eq!(yaml["readAs"], all["readAs"]);
}

/// Keys of other holders are in accounts of their own, and the enclave role is in one.
#[test]
fn an_enclave_role_of_another_account_is_taken_from_statement_3_and_told() {
    let policy = rendered(&[&hash("01")], &["--role-account", "444455556666"]);
    let run = lint(&policy, &[]);
    let told = "in account 111122223333 (from the policy), enclave role in account 444455556666 (from the policy)\n";
    assert!(run.status == 0 && run.out.contains(told), "{}", run.out);
    // Judged by flags, the policy does not say whom it trusts.
    let judged = lint(&policy, &CLUSTER);
    assert!(
        judged.status == 1 && judged.out.contains("foreign-allow"),
        "{}",
        judged.out
    );
    let both = [&CLUSTER[..], &["--role-account", "444455556666"]].concat();
    assert_eq!(lint(&policy, &both).status, 0);
    // Two roles of that name are one too many.
    let one = "arn:aws:iam::444455556666:role/ChamberEnclaveRole-prod-us-east-1-mainnet";
    let two = format!(
        "[\"{one}\", \"{}\"]",
        one.replace("444455556666", "777788889999")
    );
    let two = policy.replacen(&format!("\"{one}\""), &two, 1);
    assert_ne!(two, policy);
    assert_eq!(lint(&two, &[]).status, 1);
}

#[test]
fn flags_count_before_the_policy() {
    let policy = rendered(&[&hash("01")], &[]);
    let other = ["--cluster-id", "other"];
    assert_eq!(lint(&policy, &other).status, 1, "it is not that cluster's");
    let read = &json(&policy, &other)["readAs"];
    assert_eq!(read["clusterId"], "other");
    assert_eq!(read["from"]["clusterId"], "flag");
    assert_eq!(read["from"]["account"], "policy");
    let human = lint(&policy, &other).out;
    let told = "read as cluster other in account 111122223333 (from the policy)\n";
    assert!(human.starts_with(told), "{human}");
    let human = lint(&policy, &CLUSTER[2..]).out;
    let told = "read as cluster prod-us-east-1-mainnet (from the policy) in account 111122223333\n";
    assert!(human.starts_with(told), "{human}");
    // Judged by flags, a policy does not name its own administrators.
    let own = policy.replace("role/ChamberKmsKeyAdmin", "role/Other");
    assert_eq!(
        (lint(&own, &[]).status, lint(&own, &CLUSTER).status),
        (0, 1)
    );
    assert_eq!(
        json(&own, &CLUSTER)["readAs"]["from"]["adminRole"],
        "default"
    );
    let all = [
        "--partition",
        "aws",
        "--admin-role",
        "arn:aws:iam::111122223333:role/X",
    ];
    let all = [&CLUSTER[..], &all].concat();
    let run = lint(&policy, &all);
    assert!(
        run.status == 1 && !run.out.contains("read as"),
        "{}",
        run.out
    );
    let read = &json(&policy, &all)["readAs"];
    for part in ["clusterId", "account", "partition", "adminRole"] {
        assert_eq!(read["from"][part], "flag", "{part}");
    }
}

#[test]
fn what_the_policy_does_not_tell_is_asked_for_by_its_flag() {
    let policy = rendered(&[&hash("01")], &[]);
    let role = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet";
    let two = format!("[\"{role}\",\"{role}-2\"]");
    let default = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}}"#;
    let partitions = default.replace(
        r#""111122223333""#,
        r#"["arn:aws:iam::111122223333:root","arn:aws-cn:iam::111122223333:root"]"#,
    );
    for (policy, flag, why) in [
        (
            default.to_owned(),
            "--cluster-id",
            "the policy allows no role ChamberEnclaveRole-<cluster id> anything",
        ),
        (
            policy.replace(&format!("\"{role}\""), &two),
            "--cluster-id",
            "(prod-us-east-1-mainnet, prod-us-east-1-mainnet-2)",
        ),
        (
            default.replace("111122223333", "*"),
            "--account",
            "neither an account's root nor a role or user",
        ),
        (
            default.replace(r#""111122223333""#, r#"["111122223333","444455556666"]"#),
            "--account",
            "several accounts (111122223333, 444455556666)",
        ),
        (
            partitions,
            "--partition",
            "in several partitions (aws, aws-cn)",
        ),
    ] {
        let run = lint(&policy, &[]);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{}", run.err);
        let told = format!("kubectl-chamber: {flag} is missing: ");
        assert!(
            run.err.starts_with(&told) && run.err.contains(why),
            "{}",
            run.err
        );
        assert!(
            run.err.trim_end().lines().count() == 1 && run.err.matches(flag).count() == 2,
            "{}",
            run.err
        );
    }
    let bare = json(default, &["--cluster-id", "c"]);
    assert_eq!(bare["readAs"]["partition"], "aws");
    assert_eq!(bare["readAs"]["from"]["partition"], "default");
    assert_eq!(bare["readAs"]["from"]["adminRole"], "default");
}

#[test]
fn render_has_nothing_to_take_it_from() {
    for (given, missing) in [
        (&CLUSTER[..2], "--account"),
        (&CLUSTER[2..], "--cluster-id"),
    ] {
        let run = chamber(&[&["policy", "render"], given].concat(), "");
        assert_eq!(run.status, 2);
        assert!(
            run.err.contains("required") && run.err.contains(missing),
            "{}",
            run.err
        );
    }
}

/// Which key a file is the policy of: what its statements name, or what is said.
#[test]
fn the_key_of_a_file_is_told_or_said() {
    let own = "arn:aws:kms:us-east-1:111122223333:key/1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d";
    let other = own.replace("1a2b", "9999");
    let policy = rendered(&[&hash("01")], &[]);
    // Of statement 3 the operator takes no other resource than "*".
    let (before, last) = policy.rsplit_once(r#""Resource": "*""#).unwrap();
    let named = format!(r#"{before}"Resource": "{own}"{last}"#);
    let told = lint(&named, &CLUSTER);
    let line = format!(", key {own} (from the policy)\n");
    assert!(
        told.status == 0 && told.out.contains(&line),
        "{}{}",
        told.out,
        told.err
    );
    let all = json(&named, &CLUSTER);
    assert_eq!(
        (&all["readAs"]["key"], &all["readAs"]["from"]["key"]),
        (&own.into(), &"policy".into())
    );
    let said = lint(&named, &[&CLUSTER[..], &["--key", own]].concat());
    assert!(
        said.status == 0 && !said.out.contains(", key "),
        "{}",
        said.out
    );
    let wrong = lint(&named, &[&CLUSTER[..], &["--key", &other]].concat());
    assert!(
        wrong.status == 1 && wrong.out.contains("which is not this key"),
        "{}",
        wrong.out
    );
    for key in [
        "arn:aws:kms:us-east-1:111122223333:alias/a",
        "1a2b3c4d",
        "arn:aws:kms:us-east-1:111122223333:key/*",
    ] {
        let run = lint(&named, &["--key", key]);
        assert!(run.status == 2 && run.err.contains("--key"), "{}", run.err);
    }
    let account = lint(
        &named,
        &[
            "--key",
            &other.replace("111122223333", "999999999999"),
            "--account",
            "111122223333",
        ],
    );
    assert!(
        account.status == 2 && account.err.contains("the key is of account"),
        "{}",
        account.err
    );
}
