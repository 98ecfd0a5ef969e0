//! What an enclave does: an RSA key, documents, and answers opened with `rasn-cms` and aws-lc-rs.

use std::collections::BTreeMap;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyEncryptionMechanism, RecipientInfo};
use nsm_emulator::{AttestRequest, NsmEmulator, Signer, TestRoot};
use rasn::types::{ObjectIdentifier, OctetString, Oid};

pub struct Enclave {
    nsm: NsmEmulator,
    key: PrivateDecryptingKey,
}

impl Enclave {
    /// An enclave with this PCR0, its module under this root.
    pub fn new(root: &TestRoot, image: [u8; 48]) -> Self {
        Self::with_signer(root.issue_signer().unwrap(), image)
    }

    /// An enclave with these registers.
    pub fn with_registers(root: &TestRoot, registers: BTreeMap<u8, [u8; 48]>) -> Self {
        Self::of(NsmEmulator::new(root.issue_signer().unwrap(), registers))
    }

    pub fn with_signer(signer: Signer, image: [u8; 48]) -> Self {
        Self::of(NsmEmulator::new(signer, BTreeMap::from([(0, image)])))
    }

    fn of(nsm: NsmEmulator) -> Self {
        Self {
            nsm,
            key: PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    pub fn attest(&self, timestamp_ms: Option<u64>) -> Vec<u8> {
        let public: PublicKeyX509Der = self.key.public_key().as_der().unwrap();
        let request = AttestRequest {
            public_key: Some(public.as_ref().to_vec()),
            timestamp_ms,
            ..AttestRequest::default()
        };
        self.nsm.attest(&request).unwrap()
    }

    /// A `Recipient` with a fresh document.
    pub fn recipient(&self) -> RecipientInfo {
        recipient(self.attest(None))
    }

    pub fn private_key_pkcs8(&self) -> Vec<u8> {
        let der: Pkcs8V1Der = self.key.as_der().unwrap();
        der.as_ref().to_vec()
    }

    /// Opens `CiphertextForRecipient`, checking every algorithm on the way.
    pub fn open(&self, blob: &[u8]) -> Vec<u8> {
        let info: rasn_cms::ContentInfo = rasn::ber::decode(blob).unwrap();
        assert_eq!(oid(&info.content_type), "1.2.840.113549.1.7.3");
        let enveloped: rasn_cms::EnvelopedData =
            rasn::ber::decode(info.content.as_bytes()).unwrap();
        let recipients = enveloped.recipient_infos.to_vec();
        let [rasn_cms::RecipientInfo::KeyTransRecipientInfo(recipient)] = recipients.as_slice()
        else {
            panic!("not exactly one key transport recipient");
        };
        let algorithm = &recipient.key_encryption_algorithm.algorithm;
        assert_eq!(oid(algorithm), "1.2.840.113549.1.1.7");
        let oaep = OaepPrivateDecryptingKey::new(self.key.clone()).unwrap();
        let mut out = vec![0; oaep.min_output_size()];
        let content_key = oaep
            .decrypt(
                &OAEP_SHA256_MGF1SHA256,
                &recipient.encrypted_key,
                &mut out,
                None,
            )
            .unwrap();
        let content = &enveloped.encrypted_content_info;
        let algorithm = &content.content_encryption_algorithm;
        assert_eq!(oid(&algorithm.algorithm), "2.16.840.1.101.3.4.1.42");
        let parameters = algorithm.parameters.as_ref().unwrap();
        let iv: OctetString = rasn::ber::decode(parameters.as_bytes()).unwrap();
        let iv: [u8; 16] = iv.as_ref().try_into().unwrap();
        let key = UnboundCipherKey::new(&AES_256, content_key).unwrap();
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).unwrap();
        let mut bytes = content.encrypted_content.as_ref().unwrap().to_vec();
        let vector = DecryptionContext::Iv128(FixedLength::from(iv));
        key.decrypt(&mut bytes, vector).unwrap().to_vec()
    }
}

pub fn recipient(document: Vec<u8>) -> RecipientInfo {
    RecipientInfo::builder()
        .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
        .attestation_document(Blob::new(document))
        .build()
}

fn oid(oid: &ObjectIdentifier) -> String {
    let oid: &Oid = oid;
    let parts: Vec<_> = oid.iter().map(ToString::to_string).collect();
    parts.join(".")
}
