//! One X.509 certificate of the chain: P-384 throughout, as AWS's.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, UnparsedPublicKey};
use x509_parser::extensions::KeyUsage;
use x509_parser::oid_registry::{
    OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_SIG_ECDSA_WITH_SHA384,
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::Rejected;

/// A parsed certificate.
pub(crate) struct Certificate<'a>(X509Certificate<'a>);

/// What a certificate is used as.
pub(crate) enum Role {
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
        if !has_p384_key(&certificate) {
            return Err(Rejected::Chain("a key is not of the curve P-384"));
        }
        if has_unknown_critical_extension(&certificate) {
            return Err(Rejected::Chain("a critical extension is not known here"));
        }
        Ok(Self(certificate))
    }

    /// The public key's point, as the verifying functions take it.
    pub fn public_key(&self) -> &[u8] {
        &self.0.public_key().subject_public_key.data
    }

    /// Validity at a time, in seconds since 1970; both ends are within.
    pub fn check_validity(&self, at: i64) -> Result<(), Rejected> {
        let time = ASN1Time::from_timestamp(at)
            .map_err(|_| Rejected::Chain("the time of the judgement is out of range"))?;
        let validity = self.0.validity();
        if validity.is_valid_at(time) {
            return Ok(());
        }
        Err(Rejected::Validity {
            at,
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        })
    }

    /// The usage that its place in the chain needs.
    pub fn check_role(&self, role: &Role) -> Result<(), Rejected> {
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

fn has_p384_key(certificate: &X509Certificate<'_>) -> bool {
    let algorithm = &certificate.public_key().algorithm;
    let curve = algorithm
        .parameters
        .as_ref()
        .and_then(|any| any.as_oid().ok());
    algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_NIST_EC_P384)
}

/// RFC 5280, 4.2: what is critical and not understood must not be passed over.
fn has_unknown_critical_extension(certificate: &X509Certificate<'_>) -> bool {
    let known = [OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE];
    let mut critical = certificate.extensions().iter().filter(|e| e.critical);
    critical.any(|extension| !known.contains(&extension.oid))
}
