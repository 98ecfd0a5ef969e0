use std::time::{Duration, SystemTime};

use ciborium::Value;
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use nsm_emulator::{AttestRequest, LeafTemplate, NsmEmulator, TestRoot};
use proptest::prelude::*;

use super::*;

fn root() -> TestRoot {
    TestRoot::generate().unwrap()
}

fn verifier(root: &TestRoot) -> Verifier {
    Verifier::new(&root.certificate_pem(), 300).unwrap()
}

fn document(root: &TestRoot, leaf: &LeafTemplate, request: &AttestRequest) -> Vec<u8> {
    let signer = root.issue_signer_with(leaf).unwrap();
    let module = NsmEmulator::new(signer, BTreeMap::from([(0, [0xab; 48]), (31, [7; 48])]));
    module.attest(request).unwrap()
}

fn plain(root: &TestRoot) -> Vec<u8> {
    document(root, &LeafTemplate::default(), &AttestRequest::default())
}

fn now() -> Now {
    Now::with_offset(0)
}

/// The document with its payload's members changed, and not signed again.
fn with_payload(document: &[u8], change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let mut sign1 = CoseSign1::from_slice(document).unwrap();
    let payload = sign1.payload.take().unwrap();
    let value: Value = ciborium::from_reader(payload.as_slice()).unwrap();
    let mut members = value.into_map().unwrap();
    change(&mut members);
    let mut payload = Vec::new();
    ciborium::into_writer(&Value::Map(members), &mut payload).unwrap();
    sign1.payload = Some(payload);
    sign1.to_vec().unwrap()
}

fn set(members: &mut [(Value, Value)], name: &str, value: Value) {
    let member = members
        .iter_mut()
        .find(|(key, _)| *key == Value::from(name));
    member.unwrap().1 = value;
}

#[test]
fn believes_a_fresh_document_tagged_or_not() {
    let root = root();
    let document = plain(&root);
    let attested = verifier(&root).verify(&document, now()).unwrap();
    assert_eq!(attested.pcrs[&0], [0xab; 48]);
    assert_eq!(attested.pcrs[&31], [7; 48]);
    assert_eq!(attested.pcrs[&8], [0; 48]);
    let tagged = CoseSign1::from_slice(&document)
        .unwrap()
        .to_tagged_vec()
        .unwrap();
    assert!(verifier(&root).verify(&tagged, now()).is_ok());
}

#[test]
fn refuses_a_changed_register_because_of_the_signature() {
    let root = root();
    let forged = with_payload(&plain(&root), |members| {
        let pcrs = vec![(Value::from(0), Value::Bytes(vec![0xcd; 48]))];
        set(members, "pcrs", Value::Map(pcrs));
    });
    let rejected = verifier(&root).verify(&forged, now()).unwrap_err();
    assert_eq!(rejected, Rejected::Signature);
}

#[test]
fn refuses_a_document_signed_under_another_root() {
    let rejected = verifier(&root())
        .verify(&plain(&root()), now())
        .unwrap_err();
    assert!(matches!(rejected, Rejected::Chain(what) if what.contains("root")));
}

#[test]
fn refuses_an_intermediate_that_the_root_did_not_sign() {
    let (ours, other) = (root(), root());
    let trusted = ours.issue_signer().unwrap().cabundle()[0].clone();
    // A foreign chain with our root put in its place.
    let spliced = with_payload(&plain(&other), |members| {
        let foreign = other.issue_signer().unwrap().cabundle()[1].clone();
        let bundle = vec![Value::Bytes(trusted), Value::Bytes(foreign)];
        set(members, "cabundle", Value::Array(bundle));
    });
    let rejected = verifier(&ours).verify(&spliced, now()).unwrap_err();
    assert_eq!(
        rejected,
        Rejected::Chain("a certificate's signature is invalid")
    );
}

#[test]
fn every_link_of_the_chain_has_its_place() {
    let root = root();
    let signer = root.issue_signer().unwrap();
    let [top, intermediate] = [0, 1].map(|index| signer.cabundle()[index].clone());
    let leaf = signer.certificate().to_vec();
    let module = NsmEmulator::new(signer, BTreeMap::new());
    let document = module.attest(&AttestRequest::default()).unwrap();
    let cases = [
        (vec![top.clone()], "a certificate names another issuer"),
        (
            vec![intermediate.clone(), top.clone()],
            "its root is not the one trusted here",
        ),
        (
            vec![top.clone(), intermediate.clone(), intermediate.clone()],
            "more authorities than a path length allows",
        ),
        (
            vec![top.clone(), leaf],
            "an issuer may not sign certificates",
        ),
        (
            vec![top, [intermediate, vec![0]].concat()],
            "bytes follow a certificate",
        ),
    ];
    for (bundle, why) in cases {
        let bundle = bundle.into_iter().map(Value::Bytes).collect();
        let changed = with_payload(&document, |members| {
            set(members, "cabundle", Value::Array(bundle));
        });
        let rejected = verifier(&root).verify(&changed, now()).unwrap_err();
        assert_eq!(rejected, Rejected::Chain(why));
    }
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
    }
}

#[test]
fn the_leaf_must_be_valid_and_made_for_signing_documents() {
    let root = root();
    let day = Duration::from_hours(24);
    let fine = LeafTemplate::default();
    let leaves = [
        (
            LeafTemplate {
                not_after: SystemTime::now() - day / 2,
                ..fine.clone()
            },
            "valid now",
        ),
        (
            LeafTemplate {
                not_before: SystemTime::now() + day,
                ..fine.clone()
            },
            "valid now",
        ),
        (
            LeafTemplate {
                digital_signature: false,
                ..fine.clone()
            },
            "may not sign",
        ),
        (
            LeafTemplate {
                authority: true,
                ..fine
            },
            "authority",
        ),
    ];
    for (leaf, why) in leaves {
        let document = document(&root, &leaf, &AttestRequest::default());
        let rejected = verifier(&root).verify(&document, now()).unwrap_err();
        assert!(rejected.to_string().contains(why), "{rejected}, not {why}");
    }
}

#[test]
fn the_formats_limits_hold() {
    let root = root();
    let document = plain(&root);
    let bytes = |length| Value::Bytes(vec![1; length]);
    let cases: Vec<(&str, Value)> = vec![
        ("digest", Value::from("SHA256")),
        ("module_id", Value::from("")),
        ("timestamp", Value::from(0)),
        ("timestamp", Value::from(-5)),
        ("pcrs", Value::Map(Vec::new())),
        ("pcrs", Value::Map(vec![(Value::from(32), bytes(48))])),
        ("pcrs", Value::Map(vec![(Value::from(0), bytes(47))])),
        ("certificate", bytes(1025)),
        ("certificate", bytes(0)),
        ("cabundle", Value::Array(Vec::new())),
        ("public_key", bytes(1025)),
        ("public_key", bytes(0)),
        ("user_data", bytes(513)),
        ("nonce", bytes(513)),
    ];
    for (name, value) in cases {
        let changed = with_payload(&document, |members| set(members, name, value.clone()));
        let rejected = verifier(&root).verify(&changed, now()).unwrap_err();
        assert!(
            matches!(rejected, Rejected::Malformed(_)),
            "{name} {value:?}: {rejected}"
        );
    }
    let twice = with_payload(&document, |members| members.push(members[0].clone()));
    let rejected = verifier(&root).verify(&twice, now()).unwrap_err();
    assert_eq!(rejected, Rejected::Malformed("a member is given twice"));
}

#[test]
fn deeply_nested_input_is_refused_without_a_crash() {
    let root = root();
    for opener in [0x81_u8, 0xa1, 0xd2, 0x9f] {
        let nested = vec![opener; 300_000];
        assert!(verifier(&root).verify(&nested, now()).is_err());
        let mut sign1 = CoseSign1::from_slice(&plain(&root)).unwrap();
        sign1.payload = Some(vec![opener; 16_000]);
        let nested = sign1.to_vec().unwrap();
        assert!(verifier(&root).verify(&nested, now()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_panic_and_no_changed_bit_is_believed(
        noise in prop::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        static SHARED: std::sync::LazyLock<(TestRoot, Vec<u8>)> = std::sync::LazyLock::new(|| {
            let root = root();
            let document = plain(&root);
            (root, document)
        });
        let (root, document) = &*SHARED;
        prop_assert!(verifier(root).verify(&noise, now()).is_err());
        let mut changed = document.clone();
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        prop_assert!(verifier(root).verify(&changed, now()).is_err(), "byte {at} bit {bit}");
    }
}
