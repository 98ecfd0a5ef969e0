//! Whose signature makes a manifest believed, and the envelope that carries it.

use crate::common::{Key, ed25519, p384, permit, run, signed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use cluster_manifest::{
    Algorithm, Authority, AuthorityError, Fingerprint, MAX_SIGNATURES, ManifestError, Signature,
    SignedManifest,
};
use proptest::prelude::*;

fn refused(signed: &SignedManifest, believed: &[&Key]) -> bool {
    let believed: Vec<_> = believed.iter().map(|key| key.authority()).collect();
    match signed.verify(&believed) {
        Ok(manifest) => {
            assert_eq!(manifest, signed.unverified());
            false
        }
        Err(ManifestError::Signature { .. }) => true,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn one_good_signature_of_an_authority_that_is_believed_is_enough() {
    let (ours, second, strange) = (ed25519(1), p384(), ed25519(3));
    for signers in [
        vec![&ours],
        vec![&second],
        vec![&strange, &second],
        vec![&second, &ours],
    ] {
        assert!(!refused(&signed(&run(), &signers), &[&ours, &second]));
    }
    assert!(refused(&signed(&run(), &[]), &[&ours]));
    assert!(refused(&signed(&run(), &[&strange]), &[&ours, &second]));
    assert!(refused(&signed(&run(), &[&ours]), &[]));
}

#[test]
fn a_signature_of_another_body_another_key_or_another_kind_of_key_is_none() {
    let (ours, second) = (ed25519(1), p384());
    let body = run().encode().unwrap();
    let of = |authority: &Key, bytes: Vec<u8>| Signature {
        authority: authority.authority().fingerprint(),
        bytes,
    };
    for signature in [
        ours.sign(&permit().encode().unwrap()),
        of(&ours, ed25519(2).sign(&body).bytes),
        of(&ours, second.sign(&body).bytes),
        of(&second, p384().sign(&body).bytes),
        of(&ours, vec![]),
        of(&ours, vec![0; 64]),
        of(&second, vec![0; 96]),
    ] {
        let manifest = SignedManifest::new(run(), vec![signature]).unwrap();
        assert!(refused(&manifest, &[&ours, &second]));
    }
}

#[test]
fn a_bad_signature_beside_a_good_one_does_no_harm() {
    let ours = ed25519(1);
    let body = run().encode().unwrap();
    let bad = Signature {
        authority: ours.authority().fingerprint(),
        bytes: vec![0; 64],
    };
    let manifest = SignedManifest::new(run(), vec![bad, ours.sign(&body)]).unwrap();
    assert!(!refused(&manifest, &[&ours]));
}

#[test]
fn a_refusal_names_who_signed_and_who_is_believed() {
    let (ours, strange) = (ed25519(1), ed25519(3));
    let signed = signed(&run(), &[&strange]);
    let refused = signed.verify(&[ours.authority()]);
    let message = refused.unwrap_err().to_string();
    for key in [ours, strange] {
        let fingerprint = key.authority().fingerprint().to_string();
        assert!(message.contains(&fingerprint), "{message}");
    }
}

#[test]
fn signing_again_does_not_change_the_digest() {
    let key = p384();
    let (one, two) = (signed(&run(), &[&key]), signed(&run(), &[&key]));
    assert_ne!(one, two, "ECDSA signs with a new nonce");
    assert_eq!(one.digest(), two.digest());
    assert_eq!(one.digest(), run().digest().unwrap());
}

#[test]
fn authorities_are_keys_of_two_kinds_in_one_encoding() {
    for (key, algorithm) in [(ed25519(1), Algorithm::Ed25519), (p384(), Algorithm::P384)] {
        let authority = key.authority();
        assert_eq!(authority.algorithm(), algorithm);
        let text = pem::encode(&pem::Pem::new("PUBLIC KEY", authority.der()));
        assert_eq!(Authority::from_pem(&text), Ok(authority.clone()));
        let private = pem::encode(&pem::Pem::new("PRIVATE KEY", authority.der()));
        let refused = Authority::from_pem(&private);
        assert_eq!(refused, Err(AuthorityError::Block("PRIVATE KEY".into())));
        for cut in [0, 1, authority.der().len() - 1] {
            assert_eq!(
                Authority::from_der(&authority.der()[..cut]),
                Err(AuthorityError::Kind)
            );
        }
        let longer = [authority.der(), &[0]].concat();
        assert_eq!(Authority::from_der(&longer), Err(AuthorityError::Kind));
    }
    assert!(matches!(
        Authority::from_pem("no key"),
        Err(AuthorityError::Pem(_))
    ));
}

#[test]
fn a_fingerprint_has_one_text() {
    let fingerprint = ed25519(1).authority().fingerprint();
    let text = fingerprint.to_string();
    assert_eq!(Fingerprint::parse(&text), Some(fingerprint));
    for other in [
        text.to_uppercase(),
        text[1..].to_owned(),
        format!("{text}0"),
    ] {
        assert_eq!(Fingerprint::parse(&other), None, "{other}");
    }
}

#[test]
fn an_envelope_carries_at_most_eight_signatures_and_nothing_after_them() {
    let key = ed25519(1);
    let most = vec![&key; MAX_SIGNATURES];
    let text = signed(&run(), &most).to_text().unwrap();
    assert_eq!(
        SignedManifest::from_text(&text).unwrap().signatures().len(),
        8
    );
    let many = vec![key.sign(b""); MAX_SIGNATURES + 1];
    assert!(SignedManifest::new(run(), many).is_err());
    let body = run().encode().unwrap();
    let mut bytes = BASE64.decode(&text).unwrap();
    bytes[2 + body.len()] = 9;
    let refused = SignedManifest::from_text(&BASE64.encode(&bytes)).unwrap_err();
    assert!(refused.to_string().contains("9 signatures"), "{refused}");
    bytes[2 + body.len()] = 8;
    bytes.push(0);
    let refused = SignedManifest::from_text(&BASE64.encode(&bytes)).unwrap_err();
    assert!(refused.to_string().contains("1 bytes follow"), "{refused}");
    let refused = SignedManifest::from_text("?").unwrap_err();
    assert!(matches!(refused, ManifestError::Base64(_)));
}

proptest! {
    #[test]
    fn a_flipped_bit_anywhere_is_not_believed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let key = ed25519(1);
        let mut bytes = BASE64.decode(signed(&run(), &[&key]).to_text().unwrap()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = SignedManifest::from_text(&BASE64.encode(&bytes)) {
            prop_assert!(read.verify(&[key.authority()]).is_err());
            prop_assert_eq!(read.to_text().unwrap(), BASE64.encode(&bytes), "one encoding");
        }
    }

    #[test]
    fn no_text_panics(bytes in prop::collection::vec(any::<u8>(), 0..500), honest in any::<bool>()) {
        let body = run().encode().unwrap();
        let head = if honest {
            [&u16::try_from(body.len()).unwrap().to_be_bytes(), body.as_slice()].concat()
        } else {
            Vec::new()
        };
        let _ = SignedManifest::from_text(&BASE64.encode([head, bytes].concat()));
    }
}
