//! The document's bytes, and what may not go into it.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use ciborium::Value;
use coset::{CborSerializable, CoseSign1};
use nsm_emulator::{AttestRequest, NsmEmulator, NsmError, Signer, TestRoot};
use x509_parser::prelude::{FromDer, X509Certificate};

fn emulator() -> NsmEmulator {
    let signer = TestRoot::generate().unwrap().issue_signer().unwrap();
    NsmEmulator::new(signer, BTreeMap::from([(0, [0xab; 48]), (17, [7; 48])]))
}

fn payload(document: &[u8]) -> BTreeMap<String, Value> {
    let sign1 = CoseSign1::from_slice(document).unwrap();
    let value: Value = ciborium::from_reader(sign1.payload.unwrap().as_slice()).unwrap();
    let entries = value.into_map().unwrap().into_iter();
    entries
        .map(|(key, value)| (key.into_text().unwrap(), value))
        .collect()
}

#[test]
fn begins_like_the_real_modules_documents() {
    let document = emulator().attest(&AttestRequest::default()).unwrap();
    assert_eq!(
        document[..8],
        [0x84, 0x44, 0xA1, 0x01, 0x38, 0x22, 0xA0, 0x59]
    );
    // The signature ends it: a byte string of 96 bytes.
    assert_eq!(document[document.len() - 98..][..2], [0x58, 96]);
}

#[test]
fn carries_the_request_the_registers_and_a_fresh_time_in_milliseconds() {
    let request = AttestRequest {
        public_key: Some(vec![1, 2]),
        nonce: Some(vec![3]),
        ..AttestRequest::default()
    };
    let map = payload(&emulator().attest(&request).unwrap());
    assert_eq!(map["public_key"], Value::Bytes(vec![1, 2]));
    assert_eq!(map["nonce"], Value::Bytes(vec![3]));
    assert_eq!(map["user_data"], Value::Null);
    assert_eq!(map["digest"], Value::from("SHA384"));
    assert!(map["module_id"].as_text().unwrap().starts_with("i-"));
    let millis: u64 = map["timestamp"].as_integer().unwrap().try_into().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(now.as_millis().abs_diff(millis.into()) < 60_000);
    let pcrs = map["pcrs"].as_map().unwrap();
    assert_eq!(pcrs.len(), 17, "0 to 15 always, and the one given beyond");
    assert_eq!(pcrs[0].1, Value::Bytes(vec![0xab; 48]));
    assert_eq!(pcrs[8].1, Value::Bytes(vec![0; 48]));
}

#[test]
fn the_leafs_key_signed_it_and_the_root_comes_first_in_the_bundle() {
    let root = TestRoot::generate().unwrap();
    let module = NsmEmulator::new(root.issue_signer().unwrap(), BTreeMap::new());
    let document = module.attest(&AttestRequest::default()).unwrap();
    let map = payload(&document);
    let leaf = map["certificate"].as_bytes().unwrap();
    assert!(leaf.len() <= 1024, "the field's limit");
    let (_, leaf) = X509Certificate::from_der(leaf).unwrap();
    let key = UnparsedPublicKey::new(
        &ECDSA_P384_SHA384_FIXED,
        leaf.public_key().subject_public_key.data.to_vec(),
    );
    let sign1 = CoseSign1::from_slice(&document).unwrap();
    sign1
        .verify_signature(b"", |signature, message| key.verify(message, signature))
        .unwrap();
    let first = map["cabundle"].as_array().unwrap()[0].as_bytes().unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(root.certificate_pem().as_bytes()).unwrap();
    assert_eq!(first, &pem.contents);
}

#[test]
fn refuses_members_over_the_modules_limits_and_takes_those_at_them() {
    let module = emulator();
    let at = AttestRequest {
        public_key: Some(vec![0; 1024]),
        user_data: Some(vec![0; 512]),
        nonce: Some(vec![0; 512]),
        timestamp_ms: Some(1),
    };
    assert!(module.attest(&at).unwrap().len() < 16_384);
    for (field, over) in [
        (
            "public_key",
            AttestRequest {
                public_key: Some(vec![0; 1025]),
                ..at.clone()
            },
        ),
        (
            "user_data",
            AttestRequest {
                user_data: Some(vec![0; 513]),
                ..at.clone()
            },
        ),
        (
            "nonce",
            AttestRequest {
                nonce: Some(vec![0; 513]),
                ..at.clone()
            },
        ),
    ] {
        let error = module.attest(&over).unwrap_err();
        assert!(
            matches!(error, NsmError::TooLarge { field: found, .. } if found == field),
            "{error}"
        );
    }
}

#[test]
fn a_signer_survives_its_file() {
    let signer = TestRoot::generate().unwrap().issue_signer().unwrap();
    let again = Signer::from_json(&signer.to_json()).unwrap();
    assert_eq!(again.certificate(), signer.certificate());
    assert_eq!(again.cabundle(), signer.cabundle());
    NsmEmulator::new(again, BTreeMap::new())
        .attest(&AttestRequest::default())
        .unwrap();
}

#[test]
fn a_document_has_locked_registers_only_and_a_locked_one_stays() {
    let module = emulator();
    let listed = || {
        let map = payload(&module.attest(&AttestRequest::default()).unwrap());
        map["pcrs"].as_map().unwrap().clone()
    };
    // SHA-384(48 zero bytes || SHA-384("abc")), computed with another implementation.
    let abc = hex::decode("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7").unwrap();
    let value = "93732e3733514a841c982cfa75ea76ab55fe011acb9cd980ef4523913c65be1b0998e04d77f8c174f81a82151619ca40";
    assert_eq!(hex::encode(module.extend(16, &abc).unwrap()), value);
    assert_eq!(listed().len(), 17, "16 is not locked yet");
    module.lock(16).unwrap();
    let registers = listed();
    assert_eq!(registers.len(), 18);
    assert_eq!(registers[16].0, Value::from(16));
    assert_eq!(hex::encode(registers[16].1.as_bytes().unwrap()), value);
    assert!(matches!(
        module.extend(16, &abc),
        Err(NsmError::ReadOnlyIndex(16))
    ));
    assert!(matches!(module.lock(16), Err(NsmError::ReadOnlyIndex(16))));
    for boot in [0, 8, 15] {
        let refused = module.extend(boot, &abc);
        assert!(matches!(refused, Err(NsmError::ReadOnlyIndex(at)) if at == boot));
    }
    assert!(matches!(
        module.extend(32, &abc),
        Err(NsmError::InvalidIndex(32))
    ));
}

#[test]
fn a_range_of_registers_is_locked_whatever_of_it_is_locked_already() {
    let module = emulator();
    assert_eq!(module.locked().len(), 17, "0 to 15, and 17");
    module.lock_below(19).unwrap();
    module.lock_below(19).unwrap();
    assert!(module.locked().contains(&18) && !module.locked().contains(&19));
    assert!(module.extend(18, b"x").is_err() && module.extend(19, b"x").is_ok());
    assert!(matches!(
        module.lock_below(33),
        Err(NsmError::InvalidRange(33))
    ));
    module.lock_below(32).unwrap();
    assert_eq!(module.locked().len(), 32);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_signers_file_panic(text in ".{0,200}") {
        let _ = Signer::from_json(&text);
        let json = serde_json::json!({"privateKeyPkcs8": text, "certificate": "", "cabundle": []});
        proptest::prop_assert!(Signer::from_json(&json.to_string()).is_err());
    }
}
