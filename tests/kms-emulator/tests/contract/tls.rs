//! KMS over TLS, under the name of its real endpoint.

use kms_emulator::TlsConfig;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Certificate, Client};

use crate::world::World;

const NAME: &str = "kms.us-east-1.amazonaws.com";

/// A new authority, and what it issued for the endpoint.
fn issued() -> (String, TlsConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    let tls = TlsConfig {
        certificate_pem: leaf.pem(),
        key_pem: key.serialize_pem(),
    };
    (authority.pem(), tls)
}

#[tokio::test]
async fn an_endpoints_name_is_answered_for_under_the_configured_root_alone() {
    let (root, tls) = issued();
    let mut world = World::start_with(|config| config.tls = Some(tls)).await;
    let address = world.also_over_tls().await.unwrap();
    let client = |roots: Vec<Certificate>| {
        Client::builder()
            .tls_certs_only(roots)
            .resolve(NAME, address)
            .build()
            .unwrap()
    };
    let url = format!("https://{NAME}:{}/", address.port());
    let ours = client(vec![Certificate::from_pem(root.as_bytes()).unwrap()]);
    // Without a signature KMS refuses, and says so: TLS was good.
    let answer = ours.post(&url).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let (foreign, _) = issued();
    let foreign = client(vec![Certificate::from_pem(foreign.as_bytes()).unwrap()]);
    assert!(foreign.post(&url).send().await.unwrap_err().is_connect());
    let plain = format!("http://{address}/");
    assert!(Client::new().post(&plain).send().await.is_err());
    world.stop().await;
}

#[tokio::test]
async fn tls_without_a_certificate_is_no_start() {
    let mut world = World::start().await;
    let error = world.also_over_tls().await.unwrap_err();
    assert!(error.to_string().contains("certificatePem"), "{error}");
    let bad = TlsConfig {
        certificate_pem: issued().1.certificate_pem,
        key_pem: "none".into(),
    };
    let mut world = World::start_with(|config| config.tls = Some(bad)).await;
    let error = world.also_over_tls().await.unwrap_err();
    assert!(error.to_string().starts_with("tls: keyPem"), "{error}");
}
