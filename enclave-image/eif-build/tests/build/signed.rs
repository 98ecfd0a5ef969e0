//! Images signed with a key in a file.

use measurement::eif::read;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

use crate::register;
use crate::world::World;

/// Key and certificate as files.
fn signer(world: &World, name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> [String; 2] {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key);
    let key = world.write(&format!("{name}.key"), key.serialize_pem());
    let pem = certificate.unwrap().pem();
    [key, world.write(&format!("{name}.pem"), pem)]
}

#[test]
fn a_signature_adds_pcr8_and_changes_no_other_register() {
    let world = World::new();
    let plain = world.build(&[]);
    let [key, certificate] = signer(&world, "one", &PKCS_ECDSA_P384_SHA384);
    let sign = || world.build(&["--sign-key", &key, "--sign-cert", &certificate]);
    let (signed, again) = (sign(), sign());
    for name in ["PCR0", "PCR1", "PCR2"] {
        assert_eq!(register(&signed.json, name), register(&plain.json, name));
    }
    let pcr8 = register(&signed.json, "PCR8");
    assert_eq!(pcr8.len(), 96);
    assert_eq!(signed.json["IsSigned"], true);
    assert_eq!(signed.json["Release"]["pcr8"], pcr8);
    assert_eq!(
        read(signed.eif.as_slice())
            .unwrap()
            .pcr8
            .unwrap()
            .to_string(),
        pcr8
    );
    assert_eq!(again.json, signed.json);
    assert!(again.eif != signed.eif, "ECDSA signs with a new nonce");
}

#[test]
fn text_around_a_certificate_is_not_measured() {
    let world = World::new();
    let [key, certificate] = signer(&world, "one", &PKCS_ECDSA_P384_SHA384);
    let sign = |certificate: &str| world.build(&["--sign-key", &key, "--sign-cert", certificate]);
    let plain = sign(&certificate);
    let text = std::fs::read_to_string(&certificate).unwrap();
    let talkative = world.write("talkative.pem", format!("subject=CN = us\r\n{text}"));
    assert_eq!(sign(&talkative).json, plain.json);
}

#[test]
fn keys_that_do_not_sign_this_certificate() {
    let world = World::new();
    let [key, certificate] = signer(&world, "one", &PKCS_ECDSA_P384_SHA384);
    let [other, _] = signer(&world, "two", &PKCS_ECDSA_P384_SHA384);
    let [small, small_certificate] = signer(&world, "small", &PKCS_ECDSA_P256_SHA256);
    let none = world.write("none.pem", "nothing");
    for (key, certificate, why) in [
        (&other, &certificate, "is the certificate of another key"),
        (&small, &certificate, "is a key of another kind"),
        (
            &key,
            &small_certificate,
            "is of another key than one on P-384",
        ),
        (&certificate, &certificate, "has no block PRIVATE KEY"),
        (&key, &key, "has no block CERTIFICATE"),
        (&key, &none, "has no block CERTIFICATE"),
    ] {
        let refused = world.refused(&["--sign-key", key, "--sign-cert", certificate]);
        assert!(refused.contains(why), "{refused}");
    }
    let alone = world.refused(&["--sign-cert", &certificate]);
    assert!(
        alone.contains("--sign-cert needs --sign-key or --kms-key"),
        "{alone}"
    );
    let bare = world.refused(&["--sign-key", &key]);
    assert!(bare.contains("--sign-cert"), "{bare}");
}
