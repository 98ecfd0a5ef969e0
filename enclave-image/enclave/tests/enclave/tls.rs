//! TLS to KMS: whose certificates count, at whose time, and what a relay may do.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;
use aws_sdk_kms::config::SharedCredentialsProvider;
use enclave::kms::{Tls, http_client};
use rustls::RootCertStore;
use unseal_agent::{DecryptReply, DecryptRequest, Kms, KmsFault, SdkKms};

use crate::local::{ALWAYS, Ca, Local, PAST, Validity, stopped};

const HOST: &str = "kms.us-east-1.amazonaws.com";

fn kms(parent: Local, roots: RootCertStore, unix: u64) -> SdkKms {
    let clock = stopped(unix);
    let credentials = Credentials::new("ASIA", "secret", Some("token".into()), None, "test");
    let credentials = SharedCredentialsProvider::new(credentials);
    let tls = Tls::new(roots, clock.clone()).unwrap();
    let settings = unseal_agent::config("us-east-1".into(), credentials)
        .http_client(http_client(parent, tls))
        .time_source(clock);
    SdkKms::new(settings, || {})
}

async fn decrypt(kms: &SdkKms) -> Result<DecryptReply, KmsFault> {
    decrypt_with(kms, "us-east-1").await
}

async fn decrypt_with(kms: &SdkKms, region: &str) -> Result<DecryptReply, KmsFault> {
    kms.decrypt(DecryptRequest {
        key_arn: format!("arn:aws:kms:{region}:111122223333:key/a"),
        ciphertext: b"ct".to_vec(),
        context: BTreeMap::new(),
        document: b"doc".to_vec(),
    })
    .await
}

/// Why there was no answer, in the words that the host hears.
async fn fault(parent: Local, roots: RootCertStore, unix: u64) -> String {
    let fault = decrypt(&kms(parent, roots, unix)).await.err().unwrap();
    fault.detail()
}

#[tokio::test]
async fn an_answer_comes_over_the_relay_and_its_connection_is_kept() {
    let ca = Ca::new();
    let parent = Local::new(ca.server(HOST, ALWAYS));
    let kms = kms(parent.clone(), ca.roots(), PAST);
    for _ in 0..2 {
        let reply = decrypt(&kms).await.map_err(|fault| fault.detail()).unwrap();
        assert_eq!(reply.for_recipient.as_deref(), Some(&b"cms"[..]));
    }
    let seen = parent.seen();
    assert_eq!(seen.connects, [format!("CONNECT {HOST}:443 HTTP/1.1")]);
    assert_eq!(
        seen.dates, ["20200913T122640Z"; 2],
        "signed at the module's time"
    );
}

#[tokio::test]
async fn each_region_of_a_key_is_an_endpoint_of_its_own() {
    let ca = Ca::new();
    let elsewhere = "kms.eu-west-1.amazonaws.com";
    let parent = Local::new(ca.server(elsewhere, ALWAYS));
    let kms = kms(parent.clone(), ca.roots(), PAST);
    assert!(decrypt_with(&kms, "eu-west-1").await.is_ok());
    let asked = parent.seen().connects;
    assert_eq!(asked, [format!("CONNECT {elsewhere}:443 HTTP/1.1")]);
    // The certificate of the one Region is none of the other's.
    let said = decrypt(&kms).await.err().unwrap().detail();
    assert!(
        said.contains(HOST) && said.contains("not valid for name"),
        "{said}"
    );
}

#[tokio::test]
async fn a_certificate_of_another_root_is_refused() {
    let (ca, other) = (Ca::new(), Ca::new());
    let parent = Local::new(other.server(HOST, ALWAYS));
    let said = fault(parent.clone(), ca.roots(), PAST).await;
    assert_eq!(
        said,
        format!("NoConnection: {HOST}: TLS: invalid peer certificate: UnknownIssuer")
    );
    assert!(parent.seen().dates.is_empty());
    let parent = Local::new(ca.server(HOST, ALWAYS));
    let aws = enclave::Roots::aws().unwrap().kms_tls;
    let said = fault(parent, aws, PAST).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let ca = Ca::new();
    let parent = Local::new(ca.server("kms.eu-west-1.amazonaws.com", ALWAYS));
    let said = fault(parent, ca.roots(), PAST).await;
    assert!(said.contains("not valid for name"), "{said}");
}

#[tokio::test]
async fn validity_is_judged_at_the_modules_time_and_not_at_this_machines() {
    let ca = Ca::new();
    let past = i64::try_from(PAST).unwrap();
    let then = Validity {
        from: past - 60,
        until: past + 60,
    };
    let parent = Local::new(ca.server(HOST, then));
    let kms = kms(parent.clone(), ca.roots(), PAST);
    assert!(
        decrypt(&kms).await.is_ok(),
        "valid then, whatever time it is here"
    );
    let said = fault(parent.clone(), ca.roots(), PAST + 61).await;
    assert!(said.contains("certificate expired"), "{said}");
    let said = fault(parent, ca.roots(), PAST - 61).await;
    assert!(said.contains("not valid yet"), "{said}");
}

#[tokio::test]
async fn what_the_relay_says_is_told_and_ends_the_attempt() {
    let ca = Ca::new();
    for (says, told) in [
        (
            "HTTP/1.1 403 not a KMS endpoint\r\n\r\n",
            "its relay says \"HTTP/1.1 403 not a KMS endpoint\"",
        ),
        ("HTTP/1.1 2000\r\n\r\n", "its relay says \"HTTP/1.1 2000\""),
        (
            "HTTP/1.1 403 \x1b[31m\u{e9}\r\n\r\n",
            "its relay says \"HTTP/1.1 403 [31m\"",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nmore",
            "its relay sent more than its answer",
        ),
    ] {
        let parent = Local::new(ca.server(HOST, ALWAYS)).saying(says);
        let said = fault(parent, ca.roots(), PAST).await;
        let expected = format!("NoConnection: {HOST}: the host does not connect: {told}");
        assert_eq!(said, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_does_not_answer_is_given_up() {
    let ca = Ca::new();
    let parent = Local::new(ca.server(HOST, ALWAYS)).saying("");
    let said = fault(parent, ca.roots(), PAST).await;
    assert!(
        said.ends_with("the host does not connect: no answer within 3s"),
        "{said}"
    );
}
