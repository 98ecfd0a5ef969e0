//! Attestation documents, verified as KMS does: format, signature, chain, freshness
//! (AWS's `attestation_process.md` of aws-nitro-enclaves-nsm-api; the age limit is not documented by AWS).

mod certificate;
mod document;

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

use crate::clock::Now;
use crate::config::ConfigError;

use certificate::{Certificate, Role};
use document::Document;

/// The root that documents are checked against, and how old they may be.
pub(crate) struct Verifier {
    root: Vec<u8>,
    max_age_seconds: i64,
}

/// What a verified document proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attested {
    /// The registers by index, as attested.
    pub pcrs: BTreeMap<u8, Vec<u8>>,
    /// DER `SubjectPublicKeyInfo` that the answer is encrypted to, if the enclave gave one.
    pub public_key: Option<Vec<u8>>,
    /// The module's id, as `CloudTrail` names it.
    pub module_id: String,
}

/// Why a document is refused; the text goes into the `ValidationException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejected {
    /// Not a document at all, or one that breaks the format's limits.
    #[error("the attestation document is malformed: {0}")]
    Malformed(&'static str),
    /// The signature is not the leaf certificate's.
    #[error("the attestation document's signature is invalid")]
    Signature,
    /// The chain does not lead to the root.
    #[error("the attestation document's certificate chain is invalid: {0}")]
    Chain(&'static str),
    /// Outside the window of time.
    #[error("the attestation document is not fresh: it is {0} seconds old")]
    Stale(i64),
}

impl Verifier {
    /// With a root in PEM and the greatest age in seconds.
    pub fn new(root_pem: &str, max_age_seconds: u64) -> Result<Self, ConfigError> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(root_pem.as_bytes())
            .map_err(|error| ConfigError::value("nitroRootPem", format!("not PEM: {error}")))?;
        Certificate::parse(&pem.contents).map_err(|error| {
            ConfigError::value("nitroRootPem", format!("not a P-384 certificate: {error}"))
        })?;
        Ok(Self {
            root: pem.contents,
            max_age_seconds: i64::try_from(max_age_seconds).unwrap_or(i64::MAX),
        })
    }

    /// Believes a document or says why not.
    pub fn verify(&self, bytes: &[u8], now: Now) -> Result<Attested, Rejected> {
        let document = Document::parse(bytes)?;
        let leaf = Certificate::parse(&document.certificate)?;
        self.verify_chain(&leaf, &document.cabundle, now)?;
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, leaf.public_key());
        key.verify(&document.signed_bytes, &document.signature)
            .map_err(|_| Rejected::Signature)?;
        // A document from the future is as suspicious as an old one.
        let age = now.ms().saturating_sub(document.timestamp_ms) / 1000;
        if age.saturating_abs() > self.max_age_seconds {
            return Err(Rejected::Stale(age));
        }
        Ok(Attested {
            pcrs: document.pcrs,
            public_key: document.public_key,
            module_id: document.module_id,
        })
    }

    /// Root, intermediates, leaf. The root is ours: what the bundle has in its place must be the same bytes.
    fn verify_chain(
        &self,
        leaf: &Certificate<'_>,
        cabundle: &[Vec<u8>],
        now: Now,
    ) -> Result<(), Rejected> {
        let (root, intermediates) = cabundle
            .split_first()
            .ok_or(Rejected::Malformed("cabundle is empty"))?;
        if *root != self.root {
            return Err(Rejected::Chain("its root is not the one trusted here"));
        }
        let mut issuer = Certificate::parse(&self.root)?;
        issuer.check(
            &Role::Authority {
                below: intermediates.len(),
            },
            now,
        )?;
        for (index, der) in intermediates.iter().enumerate() {
            let next = Certificate::parse(der)?;
            let below = intermediates.len() - index - 1;
            next.check(&Role::Authority { below }, now)?;
            next.check_issued_by(&issuer)?;
            issuer = next;
        }
        leaf.check(&Role::Leaf, now)?;
        leaf.check_issued_by(&issuer)
    }
}

#[cfg(test)]
mod tests;
