//! Whole chains, each rightly signed from top to bottom but for the one thing that is wrong with it.
//!
//! A document that is only changed breaks its own signature, which would hide that a link of the chain is not looked at.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use attestation::{At, Rejected, Root, Verified, verify};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use nsm_emulator::{AttestRequest, NsmEmulator, Signer};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};

/// 2026-11-26, the time of every judgement.
const NOW_MS: i64 = 1_795_651_200_000;
const NOW: At = At::Time(NOW_MS);

/// Root, intermediate and leaf, before they are signed.
struct Chain {
    params: [CertificateParams; 3],
    keys: [KeyPair; 3],
    /// Who signs each: the index of a key, or a key that is nobody's.
    signers: [Option<usize>; 3],
}

const ROOT: usize = 0;
const MIDDLE: usize = 1;
const LEAF: usize = 2;

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

impl Chain {
    fn new() -> Self {
        let mut leaf = named("leaf");
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        Self {
            params: [authority("root"), authority("middle"), leaf],
            keys: [key(), key(), key()],
            signers: [Some(ROOT), Some(ROOT), Some(MIDDLE)],
        }
    }

    /// The certificate at `index`, in its issuer's name, signed by whom the chain says.
    fn certificate(&self, index: usize) -> Certificate {
        let nobody = key();
        let signer = self.signers[index].map_or(&nobody, |key| &self.keys[key]);
        let issuer = Issuer::from_params(&self.params[index.saturating_sub(1)], signer);
        let params = &self.params[index];
        params.signed_by(&self.keys[index], &issuer).unwrap()
    }

    /// Judges a document that the leaf signs.
    fn judge(&self) -> Result<Verified, Rejected> {
        let [root, middle, leaf] = [ROOT, MIDDLE, LEAF].map(|index| self.certificate(index));
        let base64 = |bytes: &[u8]| BASE64.encode(bytes);
        let signer = format!(
            r#"{{"privateKeyPkcs8": "{}", "certificate": "{}", "cabundle": ["{}", "{}"]}}"#,
            base64(&self.keys[LEAF].serialize_der()),
            base64(leaf.der()),
            base64(root.der()),
            base64(middle.der()),
        );
        let module = NsmEmulator::new(Signer::from_json(&signer).unwrap(), BTreeMap::new());
        let document = module.attest(&AttestRequest::default()).unwrap();
        verify(&document, &Root::from_pem(&root.pem()).unwrap(), NOW)
    }
}

/// The reason for which a chain is refused after a change of it.
fn refused(change: impl FnOnce(&mut Chain)) -> Rejected {
    let mut chain = Chain::new();
    change(&mut chain);
    chain.judge().unwrap_err()
}

fn changed(index: usize, change: impl FnOnce(&mut CertificateParams)) -> Rejected {
    refused(|chain| change(&mut chain.params[index]))
}

#[test]
fn a_right_chain_is_believed() {
    Chain::new().judge().unwrap();
}

#[test]
fn every_certificate_is_signed_by_the_one_above() {
    for index in [MIDDLE, LEAF] {
        let why = refused(|chain| chain.signers[index] = None);
        let expected = Rejected::Chain("a certificate's signature is invalid");
        assert_eq!(why, expected, "{index}");
    }
    let skipped = refused(|chain| chain.signers[LEAF] = Some(ROOT));
    let expected = Rejected::Chain("a certificate's signature is invalid");
    assert_eq!(skipped, expected);
}

#[test]
fn every_certificate_is_valid_at_the_time() {
    let (past, future) = (date_time_ymd(2026, 11, 25), date_time_ymd(2026, 11, 27));
    let at = NOW_MS / 1000;
    for index in [ROOT, MIDDLE, LEAF] {
        let expired = changed(index, |params| params.not_after = past);
        let until = past.unix_timestamp();
        assert!(
            matches!(expired, Rejected::Validity { at: a, until: u, .. } if (a, u) == (at, until)),
            "{index}: {expired}"
        );
        let early = changed(index, |params| params.not_before = future);
        let from = future.unix_timestamp();
        assert!(
            matches!(early, Rejected::Validity { at: a, from: f, .. } if (a, f) == (at, from)),
            "{index}: {early}"
        );
    }
    let mut chain = Chain::new();
    chain.params[LEAF].not_before = date_time_ymd(2026, 11, 26);
    chain.params[LEAF].not_after = date_time_ymd(2026, 11, 26);
    chain.judge().unwrap();
}

#[test]
fn every_certificate_is_used_as_it_may_be() {
    let not_to_sign = Rejected::Chain("an issuer may not sign certificates");
    let usage = changed(MIDDLE, |params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    });
    assert_eq!(usage, not_to_sign);
    let no_usage = changed(MIDDLE, |params| params.key_usages.clear());
    assert_eq!(no_usage, not_to_sign);
    let no_authority = changed(MIDDLE, |params| params.is_ca = IsCa::ExplicitNoCa);
    assert_eq!(no_authority, not_to_sign);
    let says_nothing = changed(MIDDLE, |params| params.is_ca = IsCa::NoCa);
    assert_eq!(says_nothing, not_to_sign);
    let path = changed(ROOT, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let expected = "more authorities than a path length allows";
    assert_eq!(path, Rejected::Chain(expected));
    let leaf = changed(LEAF, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let expected = "the leaf is a certificate authority";
    assert_eq!(leaf, Rejected::Chain(expected));
    let leaf = changed(LEAF, |params| params.key_usages.clear());
    let expected = "the leaf may not sign documents";
    assert_eq!(leaf, Rejected::Chain(expected));
}

#[test]
fn what_is_critical_is_known() {
    for index in [MIDDLE, LEAF] {
        let extension = |critical| {
            let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 36], vec![0x30, 0]);
            extension.set_criticality(critical);
            vec![extension]
        };
        let why = changed(index, |params| params.custom_extensions = extension(true));
        let expected = "a critical extension is not known here";
        assert_eq!(why, Rejected::Chain(expected), "{index}");
        let mut chain = Chain::new();
        chain.params[index].custom_extensions = extension(false);
        chain.judge().unwrap();
    }
}
