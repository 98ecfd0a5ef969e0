//! One X.509 certificate of the chain: P-384 throughout, as AWS's.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, UnparsedPublicKey};
use x509_parser::extensions::KeyUsage;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA384;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::clock::Now;

use super::Rejected;

/// A parsed certificate.
pub(super) struct Certificate<'a>(X509Certificate<'a>);

/// What a certificate is used as.
pub(super) enum Role {
    /// Signs other certificates, with so many authorities between it and the leaf.
    Authority { below: usize },
    /// Signs documents.
    Leaf,
}

impl<'a> Certificate<'a> {
    /// Parses DER; nothing may follow it.
    pub fn parse(der: &'a [u8]) -> Result<Self, Rejected> {
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|_| Rejected::Chain("a certificate is not DER"))?;
        if !rest.is_empty() {
            return Err(Rejected::Chain("bytes follow a certificate"));
        }
        if certificate.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA384 {
            return Err(Rejected::Chain("a signature is not ECDSA with SHA-384"));
        }
        Ok(Self(certificate))
    }

    /// The public key's point, as the verifying functions take it.
    pub fn public_key(&self) -> &[u8] {
        &self.0.public_key().subject_public_key.data
    }

    /// Validity now, and the usage that its place in the chain needs.
    pub fn check(&self, role: &Role, now: Now) -> Result<(), Rejected> {
        let at = ASN1Time::from_timestamp(now.seconds())
            .map_err(|_| Rejected::Chain("the time now is out of range"))?;
        if !self.0.validity().is_valid_at(at) {
            return Err(Rejected::Chain("a certificate is not valid now"));
        }
        let constraints = self
            .0
            .basic_constraints()
            .map_err(|_| Rejected::Chain("basic constraints are malformed"))?;
        let authority = constraints.as_ref().is_some_and(|c| c.value.ca);
        let path = constraints.and_then(|c| c.value.path_len_constraint);
        let usage = self
            .0
            .key_usage()
            .map_err(|_| Rejected::Chain("key usage is malformed"))?
            .map(|usage| usage.value);
        match role {
            Role::Authority { below } => {
                if !authority || !usage.is_some_and(KeyUsage::key_cert_sign) {
                    return Err(Rejected::Chain("an issuer may not sign certificates"));
                }
                if path.is_some_and(|most| usize::try_from(most).is_ok_and(|most| *below > most)) {
                    return Err(Rejected::Chain(
                        "more authorities than a path length allows",
                    ));
                }
            }
            Role::Leaf => {
                if authority || path.is_some() {
                    return Err(Rejected::Chain("the leaf is a certificate authority"));
                }
                if !usage.is_some_and(KeyUsage::digital_signature) {
                    return Err(Rejected::Chain("the leaf may not sign documents"));
                }
            }
        }
        Ok(())
    }

    /// Named as the issuer's child, and signed by it.
    pub fn check_issued_by(&self, issuer: &Certificate<'_>) -> Result<(), Rejected> {
        if self.0.issuer().as_raw() != issuer.0.subject().as_raw() {
            return Err(Rejected::Chain("a certificate names another issuer"));
        }
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, issuer.public_key())
            .verify(
                self.0.tbs_certificate.as_ref(),
                &self.0.signature_value.data,
            )
            .map_err(|_| Rejected::Chain("a certificate's signature is invalid"))
    }
}
