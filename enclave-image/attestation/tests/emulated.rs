//! Documents of the emulated module, under a root made for the test: each rule broken in turn.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use attestation::{At, Rejected, Root, RootError, Verified, verify};
use ciborium::Value;
use coset::{CborSerializable, CoseSign1, Header, HeaderBuilder, TaggedCborSerializable, iana};
use measurement::Pcr;
use nsm_emulator::{AttestRequest, LeafTemplate, NsmEmulator, TestRoot};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

fn root() -> TestRoot {
    TestRoot::generate().unwrap()
}

fn judge(root: &TestRoot, document: &[u8]) -> Result<Verified, Rejected> {
    let root = Root::from_pem(&root.certificate_pem()).unwrap();
    verify(document, &root, At::Time(now_ms()))
}

fn document(root: &TestRoot, leaf: &LeafTemplate, request: &AttestRequest) -> Vec<u8> {
    let signer = root.issue_signer_with(leaf).unwrap();
    let module = NsmEmulator::new(signer, BTreeMap::from([(0, [0xab; 48]), (31, [7; 48])]));
    module.attest(request).unwrap()
}

fn plain(root: &TestRoot) -> Vec<u8> {
    document(root, &LeafTemplate::default(), &AttestRequest::default())
}

fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_millis()).unwrap()
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
    let attested = judge(&root, &document).unwrap();
    assert_eq!(attested.pcrs[&0].as_bytes(), &[0xab; 48]);
    assert_eq!(attested.pcrs[&31].as_bytes(), &[7; 48]);
    assert_eq!(attested.pcrs[&8].as_bytes(), &[0; 48]);
    let tagged = CoseSign1::from_slice(&document)
        .unwrap()
        .to_tagged_vec()
        .unwrap();
    assert!(judge(&root, &tagged).is_ok());
}

#[test]
fn refuses_a_changed_register_because_of_the_signature() {
    let root = root();
    let forged = with_payload(&plain(&root), |members| {
        let pcrs = vec![(Value::from(0), Value::Bytes(vec![0xcd; 48]))];
        set(members, "pcrs", Value::Map(pcrs));
    });
    let rejected = judge(&root, &forged).unwrap_err();
    assert_eq!(rejected, Rejected::Signature);
}

#[test]
fn refuses_a_document_signed_under_another_root() {
    let rejected = judge(&root(), &plain(&root())).unwrap_err();
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
    let rejected = judge(&ours, &spliced).unwrap_err();
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
        let rejected = judge(&root, &changed).unwrap_err();
        assert_eq!(rejected, Rejected::Chain(why));
    }
}

#[test]
fn the_members_are_those_that_the_enclave_gave() {
    let root = root();
    let request = AttestRequest {
        public_key: Some(vec![1; 1024]),
        user_data: Some(vec![2; 512]),
        nonce: Some(Vec::new()),
        timestamp_ms: None,
    };
    let given = document(&root, &LeafTemplate::default(), &request);
    let attested = judge(&root, &given).unwrap();
    assert_eq!(attested.public_key, request.public_key);
    assert_eq!(attested.user_data, request.user_data);
    assert_eq!(attested.nonce, request.nonce);
    let attested = judge(&root, &plain(&root)).unwrap();
    let members = (attested.public_key, attested.user_data, attested.nonce);
    assert_eq!(members, (None, None, None));
}

#[test]
fn the_window_of_time_ends_on_both_sides() {
    let attested = judge_plain();
    let at = attested.timestamp_ms;
    for (age_ms, fine) in [
        (300_999, true),
        (301_000, false),
        (-300_999, true),
        (-301_000, false),
    ] {
        let judged = attested.check_fresh(at + age_ms, 300);
        let expected = if fine {
            Ok(())
        } else {
            Err(Rejected::Stale(age_ms / 1000))
        };
        assert_eq!(judged, expected, "{age_ms}");
    }
    for (now, limit, fine) in [
        (i64::MIN, u64::MAX, true),
        (i64::MIN, 300, false),
        (i64::MAX, 300, false),
    ] {
        assert_eq!(attested.check_fresh(now, limit).is_ok(), fine, "{now}");
    }
}

fn judge_plain() -> Verified {
    let root = root();
    judge(&root, &plain(&root)).unwrap()
}

#[test]
fn an_image_that_is_zero_or_not_there_is_debug_mode() {
    let mut attested = judge_plain();
    assert!(!attested.debug());
    let other = attested.pcrs.insert(0, Pcr::from_bytes([0; 48]));
    assert!(attested.debug(), "not for others than the image");
    attested.pcrs.remove(&0);
    assert!(attested.debug());
    attested.pcrs.extend(other.map(|pcr| (0, pcr)));
    attested.pcrs.insert(1, Pcr::from_bytes([0; 48]));
    assert!(!attested.debug());
}

#[test]
fn an_instance_is_read_off_a_modules_id_of_the_known_form_only() {
    let mut attested = judge_plain();
    for (id, instance) in [
        (
            "i-0ec0e572c8263d8ff-enc0185c4fd382eeb25",
            Some("i-0ec0e572c8263d8ff"),
        ),
        ("i-0ec0e572c8263d8ff", None),
        ("0ec0e572c8263d8ff-enc0185c4fd382eeb25", None),
        ("i--enc0185c4fd382eeb25", None),
        ("i-0ec0e572c8263d8ff-enc", None),
        ("i-0ec0-enc01-enc02", None),
        ("i-../x-enc01", None),
        ("", None),
    ] {
        attested.module_id = id.to_owned();
        assert_eq!(attested.instance(), instance, "{id}");
    }
}

#[test]
fn certificates_are_judged_at_the_time_that_is_asked_for() {
    let root = root();
    let document = plain(&root);
    let root = Root::from_pem(&root.certificate_pem()).unwrap();
    let day = 24 * 3_600_000;
    assert!(verify(&document, &root, At::Document).is_ok());
    for (at, fine) in [
        (now_ms() + 3_649 * day, true),
        (now_ms() - 2 * day, false),
        (now_ms() + 3_651 * day, false),
    ] {
        let judged = verify(&document, &root, At::Time(at));
        let expired =
            matches!(judged, Err(Rejected::Validity { at: judged, .. }) if judged == at / 1000);
        assert_eq!((judged.is_ok(), expired), (fine, !fine), "{judged:?}");
    }
    for at in [i64::MIN, i64::MAX] {
        assert!(verify(&document, &root, At::Time(at)).is_err());
    }
}

#[test]
fn a_root_is_one_certificate_of_an_authority() {
    let made = root();
    let pem = made.certificate_pem();
    let root = Root::from_pem(&pem).unwrap();
    assert_eq!(root.der(), made.issue_signer().unwrap().cabundle()[0]);
    assert_eq!(Root::from_pem(&format!("{pem}\n \n")), Ok(root));
    for none in [
        String::new(),
        "x".to_owned(),
        pem.replace("CERTIFICATE", "PUBLIC KEY"),
        format!("{pem}{pem}"),
    ] {
        let why = Root::from_pem(&none).unwrap_err();
        assert!(matches!(why, RootError::Pem(_)), "{why}");
    }
    let other = self_signed(&rcgen::PKCS_ECDSA_P256_SHA256, |_| ());
    let leaf = self_signed(&rcgen::PKCS_ECDSA_P384_SHA384, |params| {
        params.is_ca = IsCa::ExplicitNoCa;
    });
    let constrained = self_signed(&rcgen::PKCS_ECDSA_P384_SHA384, |params| {
        let mut unknown = CustomExtension::from_oid_content(&[2, 5, 29, 36], vec![0x30, 0]);
        unknown.set_criticality(true);
        params.custom_extensions = vec![unknown];
    });
    for (pem, why) in [
        (other, "a signature is not ECDSA with SHA-384"),
        (leaf, "an issuer may not sign certificates"),
        (constrained, "a critical extension is not known here"),
    ] {
        let expected = RootError::Certificate(Rejected::Chain(why));
        assert_eq!(Root::from_pem(&pem), Err(expected));
    }
    let fine = self_signed(&rcgen::PKCS_ECDSA_P384_SHA384, |_| ());
    assert!(Root::from_pem(&fine).is_ok());
}

/// A certificate signed by itself.
fn self_signed(
    algorithm: &'static rcgen::SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> String {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    params.self_signed(&key).unwrap().pem()
}

/// A key of another curve, signed for as AWS signs: the signature's algorithm alone says nothing of the key.
#[test]
fn every_key_is_of_the_one_curve() {
    let root_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = Issuer::from_params(&params, &root_key);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    let why = Rejected::Chain("a key is not of the curve P-384");
    assert_eq!(Root::from_pem(&pem), Err(RootError::Certificate(why)));
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
            "not valid at",
        ),
        (
            LeafTemplate {
                not_before: SystemTime::now() + day,
                ..fine.clone()
            },
            "not valid at",
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
        let rejected = judge(&root, &document).unwrap_err();
        assert!(rejected.to_string().contains(why), "{rejected}, not {why}");
    }
}

#[test]
fn the_formats_limits_hold() {
    let root = root();
    let document = plain(&root);
    let bytes = |length| Value::Bytes(vec![1; length]);
    let register = |index, value| Value::Map(vec![(Value::from(index), value)]);
    let registers = |count: u8| {
        let index = |index| (Value::from(index), bytes(48));
        Value::Map((0..count).map(index).collect())
    };
    let cases: Vec<(&str, Value, &str)> = vec![
        ("digest", Value::from("SHA256"), "another text of 6 bytes"),
        ("digest", Value::Null, "missing or null"),
        ("module_id", Value::from(""), "another text of 0 bytes"),
        ("module_id", bytes(3), "3 bytes"),
        ("timestamp", Value::from(0), "the integer 0"),
        ("timestamp", Value::from(-5), "the integer -5"),
        (
            "timestamp",
            Value::from(u64::MAX),
            "the integer 18446744073709551615",
        ),
        ("timestamp", Value::from(1.5), "of another kind"),
        ("pcrs", Value::Map(Vec::new()), "a map of 0"),
        ("pcrs", registers(33), "a map of 33"),
        ("pcrs", register(32, bytes(48)), "the integer 32"),
        ("pcrs", register(-1, bytes(48)), "the integer -1"),
        ("pcrs", register(0, bytes(47)), "47 bytes"),
        ("pcrs", register(0, bytes(32)), "32 bytes"),
        ("pcrs", register(0, bytes(64)), "64 bytes"),
        ("certificate", bytes(1025), "1025 bytes"),
        ("certificate", bytes(0), "0 bytes"),
        ("cabundle", Value::Array(Vec::new()), "a list of 0"),
        ("cabundle", Value::Array(vec![bytes(1025)]), "1025 bytes"),
        ("public_key", bytes(1025), "1025 bytes"),
        ("public_key", bytes(0), "0 bytes"),
        ("user_data", bytes(513), "513 bytes"),
        ("nonce", bytes(513), "513 bytes"),
        ("nonce", Value::from("text"), "another text of 4 bytes"),
    ];
    for (name, value, what) in cases {
        let changed = with_payload(&document, |members| set(members, name, value.clone()));
        let rejected = judge(&root, &changed).unwrap_err();
        let Rejected::Member { field, found, .. } = &rejected else {
            panic!("{name} {value:?}: {rejected}");
        };
        assert!(field.contains(name), "{name}: {rejected}");
        assert_eq!(found, what, "{name}: {rejected}");
        assert!(rejected.is_malformed());
    }
    assert!(!Rejected::Signature.is_malformed() && !Rejected::Chain("").is_malformed());
    let register = (Value::from(3), bytes(48));
    let twice = with_payload(&document, |members| {
        set(
            members,
            "pcrs",
            Value::Map(vec![register.clone(), register]),
        );
    });
    let rejected = judge(&root, &twice).unwrap_err();
    assert_eq!(rejected, Rejected::Malformed("a register is given twice"));
    let twice = with_payload(&document, |members| members.push(members[0].clone()));
    let rejected = judge(&root, &twice).unwrap_err();
    assert_eq!(rejected, Rejected::Malformed("a member is given twice"));
}

/// The document with its envelope changed.
fn with_envelope(document: &[u8], change: impl FnOnce(&mut CoseSign1)) -> Vec<u8> {
    let mut sign1 = CoseSign1::from_slice(document).unwrap();
    sign1.protected.original_data = None;
    change(&mut sign1);
    sign1.to_vec().unwrap()
}

#[test]
fn the_envelope_has_the_one_algorithm_and_nothing_more() {
    let root = root();
    let document = plain(&root);
    assert_eq!(with_envelope(&document, |_| ()), document);
    let header = |algorithm| HeaderBuilder::new().algorithm(algorithm);
    let es384 = || header(iana::Algorithm::ES384);
    let cases: [(&str, fn(&mut CoseSign1, Header), Header); 4] = [
        (
            "the algorithm is not ES384",
            |sign1, header| sign1.protected.header = header,
            header(iana::Algorithm::ES256).build(),
        ),
        (
            "the algorithm is not ES384",
            |sign1, header| sign1.protected.header = header,
            es384().key_id(vec![1]).build(),
        ),
        (
            "the unprotected header is not empty",
            |sign1, header| sign1.unprotected = header,
            es384().build(),
        ),
        (
            "the signature has not 96 bytes",
            |sign1, _| sign1.signature.push(0),
            es384().build(),
        ),
    ];
    for (why, change, header) in cases {
        let changed = with_envelope(&document, |sign1| change(sign1, header));
        assert_eq!(judge(&root, &changed), Err(Rejected::Malformed(why)));
    }
    let empty = with_envelope(&document, |sign1| sign1.payload = Some(Vec::new()));
    let none = with_envelope(&document, |sign1| sign1.payload = None);
    let long = with_envelope(&document, |sign1| sign1.payload = Some(vec![0; 16_385]));
    for changed in [empty, none, long] {
        let why = "the payload is empty or over 16384 bytes";
        assert_eq!(judge(&root, &changed), Err(Rejected::Malformed(why)));
    }
    let payload = |payload: &[u8]| with_envelope(&document, |s| s.payload = Some(payload.to_vec()));
    let followed = with_envelope(&document, |sign1| {
        sign1.payload = sign1
            .payload
            .take()
            .map(|payload| [payload, vec![0]].concat());
    });
    for (changed, why) in [
        (followed, "bytes follow the payload's map"),
        (payload(&[0xff]), "the payload is not CBOR"),
        (payload(&[0x80]), "the payload is not a map"),
        (payload(&[0xa1, 0, 0]), "a member's name is not text"),
    ] {
        assert_eq!(judge(&root, &changed), Err(Rejected::Malformed(why)));
    }
    let longer = vec![0; attestation::MAX_BYTES + 1];
    let why = "it is over 16640 bytes";
    assert_eq!(judge(&root, &longer), Err(Rejected::Malformed(why)));
    let followed = [document, vec![0]].concat();
    let why = "not a COSE_Sign1";
    assert_eq!(judge(&root, &followed), Err(Rejected::Malformed(why)));
}

#[test]
fn deeply_nested_input_is_refused_without_a_crash() {
    let root = root();
    for opener in [0x81_u8, 0xa1, 0xd2, 0x9f] {
        let nested = vec![opener; 300_000];
        assert!(judge(&root, &nested).is_err());
        let mut sign1 = CoseSign1::from_slice(&plain(&root)).unwrap();
        sign1.payload = Some(vec![opener; 16_000]);
        let nested = sign1.to_vec().unwrap();
        assert!(judge(&root, &nested).is_err());
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
        prop_assert!(judge(root, &noise).is_err());
        let mut changed = document.clone();
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        prop_assert!(judge(root, &changed).is_err(), "byte {at} bit {bit}");
    }
}
