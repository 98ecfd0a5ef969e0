//! The test root of trust: P-384, root -> intermediate -> leaf as in AWS's own chain.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384,
};
use time::OffsetDateTime;

use crate::{NsmError, Signer};

const DAY: Duration = Duration::from_hours(24);
/// AWS's root is valid for thirty years; a test root that outlives its repository is enough.
const CA_LIFE: Duration = Duration::from_hours(24 * 3650);

/// A P-384 root certificate with its key.
pub struct TestRoot {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a leaf certificate says; tests bend it to make documents that must be refused.
#[derive(Debug, Clone)]
pub struct LeafTemplate {
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
    /// Whether the key usage has `digitalSignature`, as the verifier demands.
    pub digital_signature: bool,
    /// Whether the leaf calls itself a certificate authority, which the verifier must refuse.
    pub authority: bool,
}

impl Default for LeafTemplate {
    /// Valid from yesterday for ten years (real leaves live three hours, but a mounted file cannot be renewed).
    fn default() -> Self {
        let now = SystemTime::now();
        Self {
            not_before: now - DAY,
            not_after: now + CA_LIFE,
            digital_signature: true,
            authority: false,
        }
    }
}

impl TestRoot {
    /// A new root with a fresh key, valid from yesterday for ten years.
    pub fn generate() -> Result<Self, NsmError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let params = authority("test.nitro-enclaves", 1)?;
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, key)?,
        })
    }

    /// The root certificate as PEM: what a verifier is configured with.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A signer under a new intermediate, with an ordinary leaf.
    pub fn issue_signer(&self) -> Result<Signer, NsmError> {
        self.issue_signer_with(&LeafTemplate::default())
    }

    /// A signer under a new intermediate, with a leaf of the caller's making.
    pub fn issue_signer_with(&self, leaf: &LeafTemplate) -> Result<Signer, NsmError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let params = authority("test.nitro-enclaves.intermediate", 0)?;
        let intermediate = CertifiedIssuer::signed_by(params, key, &self.issuer)?;
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let certificate = leaf_params(leaf)?.signed_by(&leaf_key, &intermediate)?;
        Signer::new(
            leaf_key.serialized_der(),
            certificate.der().to_vec(),
            vec![self.issuer.der().to_vec(), intermediate.der().to_vec()],
        )
    }
}

/// Parameters of a certificate authority that may have `below` further authorities under it.
fn authority(name: &str, below: u8) -> Result<CertificateParams, NsmError> {
    let mut params = named(name)?;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - DAY;
    params.not_after = now + CA_LIFE;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(leaf: &LeafTemplate) -> Result<CertificateParams, NsmError> {
    let mut params = named("i-0123456789abcdef0-enc0123456789abcdef.test")?;
    params.not_before = leaf.not_before.into();
    params.not_after = leaf.not_after.into();
    params.is_ca = if leaf.authority {
        IsCa::Ca(BasicConstraints::Constrained(0))
    } else {
        IsCa::ExplicitNoCa
    };
    params.key_usages = if leaf.digital_signature {
        vec![KeyUsagePurpose::DigitalSignature]
    } else {
        vec![KeyUsagePurpose::KeyAgreement]
    };
    Ok(params)
}

fn named(name: &str) -> Result<CertificateParams, NsmError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "US");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Test");
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
