//! Where credentials come from in a pod: what EKS puts into its environment, against servers of the test.
#![allow(clippy::unwrap_used, clippy::panic)] // Tests may.

use std::path::PathBuf;
use std::process::{Command, Output};

use aws_credential_types::provider::ProvideCredentials;
use chamber_host::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Set in the process that has a pod's environment.
const INNER: &str = "CHAMBER_TEST_POD";

/// Runs in a process of its own, because variables are the whole process's.
#[tokio::test]
async fn inner() {
    if std::env::var_os(INNER).is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host::from_environment(listener).await.unwrap();
    let found = host.credentials.provide_credentials().await.unwrap();
    let expires = found.expiry().is_some();
    println!(
        "GIVEN {} in {} expires={expires}",
        found.access_key_id(),
        host.start.region
    );
}

/// The line that [`inner`] prints in a pod with these variables.
async fn in_pod(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "inner", "--nocapture"])
        .env_clear()
        .env(INNER, "1")
        .env("TEE_AUTO_UNSEAL_BLOB", "AAAA")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied());
    let ended = tokio::task::spawn_blocking(move || command.output());
    let Output { stdout, stderr, .. } = ended.await.unwrap().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let line = stdout.lines().find_map(|line| line.split_once("GIVEN "));
    let Some((_, given)) = line else {
        panic!("{stdout}\n{}", String::from_utf8_lossy(&stderr));
    };
    given.to_owned()
}

/// A server that checks one request and answers it.
async fn answering(expected: &'static [&'static str], body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !expected.iter().all(|text| request.contains(text)) {
            let mut more = [0; 4096];
            let length = stream.read(&mut more).await.unwrap();
            assert!(length > 0, "{expected:?} are not all in {request}");
            request.push_str(std::str::from_utf8(&more[..length]).unwrap());
        }
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    format!("http://{address}")
}

fn token_file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, "projected-token").unwrap();
    path
}

#[tokio::test]
async fn of_pod_identity_with_the_projected_token() {
    let body = r#"{"AccessKeyId":"ASIAPOD","SecretAccessKey":"s","Token":"t","AccountId":"111122223333","Expiration":"2099-01-01T00:00:00Z"}"#;
    let expected = &["GET /v1/credentials ", "authorization: projected-token"];
    let agent = answering(expected, body).await;
    let token = token_file("pod-identity-token");
    let given = in_pod(&[
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{agent}/v1/credentials"),
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            token.to_str().unwrap(),
        ),
    ])
    .await;
    assert_eq!(given, "ASIAPOD in eu-west-1 expires=true");
}

#[tokio::test]
async fn of_irsa_with_the_projected_token() {
    let body = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAIRSA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-c/b</Arn></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let expected = &[
        "Action=AssumeRoleWithWebIdentity",
        "ChamberEnclaveRole-c",
        "WebIdentityToken=projected-token",
    ];
    let sts = answering(expected, body).await;
    let token = token_file("web-identity-token");
    let given = in_pod(&[
        ("AWS_ENDPOINT_URL_STS", &sts),
        (
            "AWS_ROLE_ARN",
            "arn:aws:iam::111122223333:role/ChamberEnclaveRole-c",
        ),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
    ])
    .await;
    assert_eq!(given, "ASIAIRSA in eu-west-1 expires=true");
}

#[tokio::test]
async fn of_the_environment_where_it_has_them() {
    let given = in_pod(&[
        ("AWS_ACCESS_KEY_ID", "AKIASTATIC"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ])
    .await;
    assert_eq!(given, "AKIASTATIC in eu-west-1 expires=false");
}
