//! Keys by their ARN, asked of the KMS emulator with real requests.

use std::net::SocketAddr;
use std::process::{Command, Output};

use kms_emulator::{Config, Server};
use serde_json::{Value, json};

use crate::api_server::{ApiServer, Kubeconfig};
use crate::{CLUSTER, hash, rendered};

const ADMIN: &str = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";
const GOOD: &str = "arn:aws:kms:us-east-1:111122223333:key/good";
const ODD: &str = "arn:aws:kms:us-east-1:111122223333:key/multi-region";
const GRANTED: &str = "arn:aws:kms:us-east-1:111122223333:key/granted";
const ABSENT: &str = "arn:aws:kms:us-east-1:111122223333:key/absent";

/// May read keys, as roles could before grants were looked at.
/// May make keys.
const MAKER: &str = "arn:aws:iam::111122223333:user/maker";
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
    let makes = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
        "Action": ["kms:CreateKey", "kms:PutKeyPolicy"]}]});
    let config = json!({
        "identityPolicies": [
            {"principal": OLD_READER, "document": reads},
            {"principal": MAKER, "document": makes},
        ],
        "region": "us-east-1", "accounts": ["111122223333"], "nitroRootPem": root.certificate_pem(),
        "credentials": [
            person("AKIAADMIN", "arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/person"),
            person("AKIANOBODY", "arn:aws:iam::111122223333:user/nobody"),
            person("AKIAOLD", OLD_READER),
            person("AKIAMAKER", MAKER),
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
    run(server, who, &[&["policy", "lint"], arguments].concat(), "").await
}

async fn run(server: &Server, who: &str, arguments: &[&str], kubeconfig: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-chamber"));
    command
        .args(arguments)
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
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
    let from = json!({"clusterId": "policy", "account": "key", "partition": "key", "roleAccount": "policy", "adminRole": "policy"});
    assert_eq!(found["readAs"]["from"], from);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_for_a_share_and_admits_nobody_yet() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(config(), any, any).await.unwrap();
    let create = [
        &["key", "create", "--name", "d", "--region", "us-east-1"],
        &CLUSTER[..],
    ]
    .concat();
    let output = run(
        &server,
        "AKIAADMIN",
        &[&create[..], &["--dry-run"]].concat(),
        "",
    )
    .await;
    assert_eq!(output.stdout, rendered(&[], &[]).into_bytes());
    let output = run(&server, "AKIANOBODY", &create, "").await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("kms:CreateKey gives AccessDeniedException"),
        "{err}"
    );

    let output = run(&server, "AKIAMAKER", &create, "").await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    let shares: Value = serde_yaml_ng::from_slice(&output.stdout).unwrap();
    assert_eq!(shares[0]["name"], "d");
    assert_eq!(shares[0]["assumeRoleArn"], ADMIN);
    let arn = shares[0]["arn"].as_str().unwrap();
    // What it makes passes its own lint.
    let output = lint(&server, "AKIAADMIN", &[&[arn], &CLUSTER[..2]].concat()).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("0 errors"), "{told}");

    // A policy for another account than the one that the key is made in locks its maker out.
    let elsewhere = ["--cluster-id", "x", "--account", "444455556666"];
    let elsewhere = [&create[..6], &elsewhere].concat();
    let output = run(&server, "AKIAMAKER", &elsewhere, "").await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.contains("kms:CreateKey gives MalformedPolicyDocumentException"),
        "{err}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_brought_back_where_somebody_says_yes() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(config(), any, any).await.unwrap();
    let sdk = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .endpoint_url(format!("http://{}", server.kms_address()))
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_kms::config::Credentials::new(
            "AKIAADMIN",
            "secret",
            None,
            None,
            "test",
        ))
        .load()
        .await;
    let kms = aws_sdk_kms::Client::new(&sdk);
    let restore = async |more: &[&str]| {
        let arguments = [&["key", "restore", GOOD], more].concat();
        let output = run(&server, "AKIAADMIN", &arguments, "").await;
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    };
    let (status, told) = restore(&[]).await;
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("is enabled already"), "{told}");
    kms.disable_key().key_id(GOOD).send().await.unwrap();
    let (status, told) = restore(&[]).await;
    assert_eq!(status, 2, "{told}");
    assert!(told.contains("may decrypt with it again"), "{told}");
    let (status, told) = restore(&["--yes"]).await;
    assert!(status == 0 && told.contains("it was Disabled"), "{told}");
    kms.schedule_key_deletion()
        .key_id(GOOD)
        .pending_window_in_days(7)
        .send()
        .await
        .unwrap();
    let (status, told) = restore(&["--yes"]).await;
    assert!(
        status == 0 && told.contains("it was PendingDeletion"),
        "{told}"
    );
    let described = kms.describe_key().key_id(GOOD).send().await.unwrap();
    assert!(described.key_metadata.unwrap().enabled);
    let (status, told) = restore(&["--yes"]).await;
    assert!(status == 0 && told.contains("is enabled already"), "{told}");
    server.stop().await;
}

/// The commands of docs/keys.md, as they stand there; nobody is at a terminal here, so one of them says yes.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_make_a_key_and_bring_one_back() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = config();
    config.keys[0].id = "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned();
    let server = Server::start(config, any, any).await.unwrap();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/keys.md");
    let page = std::fs::read_to_string(page).unwrap();
    let lines = page.lines();
    let commands = lines.filter_map(|line| line.strip_prefix("    kubectl chamber key "));
    let mut count = 0;
    for command in commands {
        let words = ["key"].into_iter().chain(command.split(' '));
        let mut arguments: Vec<_> = words.collect();
        let who = if arguments[1] == "create" {
            "AKIAMAKER"
        } else {
            arguments.push("--yes");
            "AKIAADMIN"
        };
        let output = run(&server, who, &arguments, "").await;
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}: {err}");
        count += 1;
    }
    assert_eq!(count, 2);
    server.stop().await;
}

/// A `ChamberCluster` that has not begun, with one key.
fn cluster(namespace: &str, name: &str, key: &str) -> Value {
    json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterId": CLUSTER[1], "enclaveRoleAccountId": "111122223333",
            "release": {"image": "i", "measurement": {"imageSha384": hash("01")}},
            "keys": {"threshold": 1, "shares": [{"name": "a", "arn": key, "management": "Managed", "assumeRoleArn": ADMIN}]},
            "verification": {"prometheus": {"url": "http://p"}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_of_all_clusters_are_told_and_one_that_cannot_be_made_hides_no_other() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let kms = Server::start(config(), any, any).await.unwrap();
    let api = ApiServer::start_with(|path| {
        let items = match path.split('?').next().unwrap() {
            "/apis/chamber.dev/v1alpha1/chamberclusters" => {
                vec![cluster("b", "lost", ABSENT), cluster("a", "signer", GOOD)]
            }
            "/apis/chamber.dev/v1alpha1/namespaces/chambers/chamberclusters" => {
                vec![cluster("chambers", "signer", GOOD)]
            }
            "/apis/chamber.dev/v1alpha1/namespaces/none/chamberclusters" => Vec::new(),
            _ => return None,
        };
        let kind = "ChamberClusterList";
        Some(
            json!({"apiVersion": "chamber.dev/v1alpha1", "kind": kind, "metadata": {}, "items": items}),
        )
    });
    let server = json!({"server": format!("http://127.0.0.1:{}", api.port())});
    let kubeconfig = Kubeconfig::of("plans", &[("one", server)]);
    let plan = async |arguments: &[&str]| {
        let arguments = [&["plan"], arguments].concat();
        let output = run(&kms, "AKIAADMIN", &arguments, &kubeconfig.file()).await;
        let err = String::from_utf8(output.stderr).unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), out, err)
    };
    let (status, out, err) = plan(&["-A", "-o", "json"]).await;
    assert_eq!(status, 2, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told[0]["namespace"], "a");
    assert_eq!(told[0]["objection"], Value::Null, "{out}");
    assert_eq!(
        (&told[1]["namespace"], &told[1]["name"]),
        (&json!("b"), &json!("lost"))
    );
    assert!(
        told[1]["fault"]
            .as_str()
            .unwrap()
            .contains("NotFoundException"),
        "{out}"
    );
    let (status, out, err) = plan(&["--all-namespaces"]).await;
    assert_eq!(status, 2, "{err}");
    assert!(
        out.starts_with("a/signer  plan: the first start of 0101010101\n"),
        "{out}"
    );
    assert!(out.contains("\nb/lost  no plan: "), "{out}");
    let (status, out, err) = plan(&[]).await;
    assert_eq!(status, 0, "{out}{err}");
    assert!(out.starts_with("chambers/signer  plan: "), "{out}");
    assert_eq!(plan(&["-n", "none"]).await.1, "no ChamberCluster\n");
    for wrong in [
        &["signer", "-A"][..],
        &["-A", "--file", "x"],
        &["--policies", "x"],
        &["--document", "a"],
    ] {
        assert_eq!(plan(wrong).await.0, 2, "{wrong:?}");
    }
    kms.stop().await;
}
