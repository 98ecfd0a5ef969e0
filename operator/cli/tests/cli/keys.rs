//! Keys by their ARN, asked of the KMS emulator with real requests.

use std::net::SocketAddr;
use std::process::{Command, Output};

use kms_emulator::{Config, Server};
use serde_json::{Value, json};

use crate::{CLUSTER, hash, rendered};

const ADMIN: &str = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";
const GOOD: &str = "arn:aws:kms:us-east-1:111122223333:key/good";
const ODD: &str = "arn:aws:kms:us-east-1:111122223333:key/multi-region";
const GRANTED: &str = "arn:aws:kms:us-east-1:111122223333:key/granted";
const ABSENT: &str = "arn:aws:kms:us-east-1:111122223333:key/absent";

/// May read keys, as roles could before grants were looked at.
const OLD_READER: &str = "arn:aws:iam::111122223333:user/old-reader";

/// An emulator with three keys of one policy, and three people: one of the admin role, one of no role at all, and one
/// who may read and not list.
fn config() -> Config {
    let policy: Value = serde_json::from_str(&rendered(&[&hash("01")], &[])).unwrap();
    let person = |id: &str, principal: &str| json!({"accessKeyId": id, "secretAccessKey": "secret", "principal": principal});
    let root = nsm_emulator::TestRoot::generate().unwrap();
    // The one that opens the key is on the second page.
    let grants: Vec<_> = (0..130)
        .map(|index| {
            let operations = if index == 129 {
                ["Decrypt"]
            } else {
                ["DescribeKey"]
            };
            json!({"id": format!("{index:03}"), "operations": operations,
                "grantee": "arn:aws:iam::111122223333:role/Backup"})
        })
        .collect();
    let reads = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
        "Action": ["kms:GetKeyPolicy", "kms:DescribeKey", "kms:ListResourceTags"]}]});
    let config = json!({
        "identityPolicies": [{"principal": OLD_READER, "document": reads}],
        "region": "us-east-1", "accounts": ["111122223333"], "nitroRootPem": root.certificate_pem(),
        "credentials": [
            person("AKIAADMIN", "arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/person"),
            person("AKIANOBODY", "arn:aws:iam::111122223333:user/nobody"),
            person("AKIAOLD", OLD_READER),
        ],
        "roles": [{"arn": ADMIN, "trust": {"Version": "2012-10-17", "Statement": []}}],
        "keys": [
            {"id": "good", "account": "111122223333", "policy": policy},
            {"id": "multi-region", "account": "111122223333", "policy": policy, "multiRegion": true},
            {"id": "granted", "account": "111122223333", "policy": policy, "grants": grants, "otherPolicies": ["AWS_RAM"]},
        ],
    });
    Config::parse(&config.to_string()).unwrap()
}

async fn lint(server: &Server, who: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-chamber"));
    command
        .args(["policy", "lint"])
        .args(arguments)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", who)
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env(
            "AWS_ENDPOINT_URL_KMS",
            format!("http://{}", server.kms_address()),
        );
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_linted_by_its_arn() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(config(), any, any).await.unwrap();
    let cluster = &CLUSTER[..2];
    let cases: [(&str, &[&str], i32, &str); 10] = [
        (
            "AKIAADMIN",
            &[GRANTED],
            1,
            "grant 129 gives Decrypt to arn:aws:iam::111122223333:role/Backup",
        ),
        ("AKIAADMIN", &[GRANTED], 1, "has the policy AWS_RAM"),
        (
            "AKIAOLD",
            &[GRANTED],
            0,
            "kms:ListGrants on the key fails with AccessDeniedException",
        ),
        (
            "AKIAOLD",
            &[GOOD],
            0,
            "Allow kms:ListKeyPolicies to the role that reads the key",
        ),
        ("AKIAADMIN", &[GOOD], 0, "0 errors, 0 warnings"),
        ("AKIAADMIN", &[ODD], 1, "multi-region"),
        ("AKIAADMIN", &[ABSENT], 2, "NotFoundException"),
        (
            "AKIANOBODY",
            &[GOOD],
            2,
            "kms:GetKeyPolicy gives AccessDeniedException",
        ),
        (
            "AKIAADMIN",
            &["arn:aws:kms:us-east-1:1:key/x", "--account", "111122223333"],
            2,
            "expected arn:aws:kms",
        ),
        (
            "AKIAADMIN",
            &[GOOD, "--account", "444455556666"],
            2,
            "the key is of account 111122223333",
        ),
    ];
    for (who, arguments, status, told) in cases {
        let output = lint(&server, who, &[arguments, cluster].concat()).await;
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
    let output = lint(&server, "AKIAADMIN", &[GOOD, "-o", "json"]).await;
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let from =
        json!({"clusterId": "policy", "account": "key", "partition": "key", "adminRole": "policy"});
    assert_eq!(found["readAs"]["from"], from);
    server.stop().await;
}
