//! Images signed with a key that stays in KMS.

use std::net::SocketAddr;
use std::process::Output;

use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use kms_emulator::{Config, Server};
use measurement::eif::read;
use nsm_emulator::TestRoot;
use rcgen::{CertificateParams, Issuer, KeyPair, SubjectPublicKeyInfo};
use serde_json::json;

use crate::register;
use crate::world::World;

const ACCOUNT: &str = "111122223333";
const KEYS: [(&str, &str); 2] = [("p", "ECC_NIST_P384"), ("e", "ECC_NIST_EDWARDS25519")];

fn arn(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")
}

async fn started() -> Server {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let user = |name: &str| format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Resource": "*", "Principal": {"AWS": user("person")},
        "Action": ["kms:Sign", "kms:GetPublicKey"],
    }]});
    let credential = |id: &str, name: &str| json!({"accessKeyId": id, "secretAccessKey": "secret", "principal": user(name)});
    let config = json!({
        "region": "us-east-1",
        "nitroRootPem": TestRoot::generate().unwrap().certificate_pem(),
        "credentials": [credential("AKIAPERSON", "person"), credential("AKIANOBODY", "nobody")],
        "keys": KEYS.map(|(id, spec)| json!({"id": id, "account": ACCOUNT, "keySpec": spec, "policy": policy})),
    });
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config::parse(&config.to_string()).unwrap();
    Server::start(config, any, any).await.unwrap()
}

/// A certificate of a key in KMS, as an authority of the user's would issue it.
async fn certificate(world: &World, server: &Server, id: &str) -> String {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{}", server.kms_address()))
        .credentials_provider(Credentials::new("AKIAPERSON", "secret", None, None, "test"))
        .build();
    let get = aws_sdk_kms::Client::from_conf(config).get_public_key();
    let answer = get.key_id(arn(id)).send().await.unwrap();
    let public = answer.public_key.unwrap().into_inner();
    let public = SubjectPublicKeyInfo::from_der(&public).unwrap();
    let params = || CertificateParams::new(Vec::new()).unwrap();
    let issuer = Issuer::new(params(), KeyPair::generate().unwrap());
    let certificate = params().signed_by(&public, &issuer).unwrap();
    world.write("certificate.pem", certificate.pem())
}

async fn sign(world: &World, server: &Server, who: &str, key: &str, certificate: &str) -> Output {
    let mut command = world.command(&["--kms-key", key, "--sign-cert", certificate]);
    command
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", who)
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env(
            "AWS_ENDPOINT_URL",
            format!("http://{}", server.kms_address()),
        );
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    run.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_kms_signs_with_the_callers_own_credentials() {
    let (world, server) = (World::new(), started().await);
    let certificate = certificate(&world, &server, "p").await;
    for (who, key, why) in [
        ("AKIANOBODY", arn("p"), "AccessDenied"),
        ("AKIAPERSON", arn("e"), "kms:Sign"),
        ("AKIAPERSON", arn("x"), "NotFound"),
        (
            "AKIAPERSON",
            "alias/mine".to_owned(),
            "expected arn:aws:kms:",
        ),
    ] {
        let output = sign(&world, &server, who, &key, &certificate).await;
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(why), "{told}");
        assert!(!world.path("out").exists());
    }
    // More than one, as r and s are of another length each time.
    for _ in 0..8 {
        let output = sign(&world, &server, "AKIAPERSON", &arn("p"), &certificate).await;
        let built = world.built(&output);
        let found = read(built.eif.as_slice()).unwrap();
        assert_eq!(
            found.pcr8.unwrap().to_string(),
            register(&built.json, "PCR8")
        );
    }
    server.stop().await;
}
