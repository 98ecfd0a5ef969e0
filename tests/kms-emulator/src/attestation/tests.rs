use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use nsm_emulator::{AttestRequest, LeafTemplate, NsmEmulator, TestRoot};

use super::*;

fn root() -> TestRoot {
    TestRoot::generate().unwrap()
}

fn verifier(root: &TestRoot) -> Verifier {
    Verifier::new(&root.certificate_pem(), 300).unwrap()
}

fn document(root: &TestRoot, leaf: &LeafTemplate, request: &AttestRequest) -> Vec<u8> {
    let signer = root.issue_signer_with(leaf).unwrap();
    let module = NsmEmulator::new(signer, BTreeMap::from([(0, [0xab; 48])]));
    module.attest(request).unwrap()
}

fn plain(root: &TestRoot) -> Vec<u8> {
    document(root, &LeafTemplate::default(), &AttestRequest::default())
}

fn now() -> Now {
    Now::with_offset(0)
}

#[test]
fn believes_a_fresh_document_under_the_configured_root_alone() {
    let root = root();
    let attested = verifier(&root).verify(&plain(&root), now()).unwrap();
    assert_eq!(attested.pcrs[&0].as_bytes(), &[0xab; 48]);
    let rejected = verifier(&self::root()).verify(&plain(&root), now());
    assert_eq!(
        rejected.unwrap_err().to_string(),
        "the attestation document's certificate chain is invalid: its root is not the one trusted here"
    );
}

#[test]
fn the_window_of_time_ends_on_both_sides() {
    let root = root();
    let at = |ms: i64| {
        let timestamp_ms = Some(u64::try_from(ms).unwrap());
        let request = AttestRequest {
            timestamp_ms,
            ..AttestRequest::default()
        };
        document(&root, &LeafTemplate::default(), &request)
    };
    let now = now();
    for (offset, fine) in [(-299, true), (-301, false), (299, true), (301, false)] {
        let document = at(now.plus_seconds(offset).ms());
        let result = verifier(&root).verify(&document, now);
        assert_eq!(result.is_ok(), fine, "{offset}: {result:?}");
        if let Err(why) = result {
            let text = format!(
                "the attestation document is not fresh: it is {} seconds old",
                -offset
            );
            assert_eq!(why.to_string(), text);
        }
    }
}

#[test]
fn certificates_are_judged_by_the_emulators_clock() {
    let root = root();
    let day = Duration::from_hours(24);
    let leaf = LeafTemplate {
        not_after: SystemTime::now() - day / 2,
        ..LeafTemplate::default()
    };
    let document = document(&root, &leaf, &AttestRequest::default());
    let rejected = verifier(&root).verify(&document, now()).unwrap_err();
    assert_eq!(
        rejected.to_string(),
        "the attestation document's certificate chain is invalid: a certificate is not valid now"
    );
    let before = now().plus_seconds(-13 * 3600);
    let rejected = verifier(&root).verify(&document, before).unwrap_err();
    assert!(
        matches!(rejected, Rejected::Document(attestation::Rejected::Stale(age)) if age < 0),
        "{rejected:?}"
    );
}

#[test]
fn a_root_that_is_none_is_a_fault_of_the_configuration() {
    let fault = |pem: &str| Verifier::new(pem, 300).err().unwrap().to_string();
    assert!(fault("").contains("nitroRootPem") && fault("").contains("not PEM"));
}
