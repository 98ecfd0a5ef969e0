//! What an image trusts from the start.

use attestation::Root;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::error::Fatal;

/// Amazon's certificate authorities as <https://www.amazontrust.com/repository/> lists them: all of AWS's own endpoints
/// have certificates that lead to one of them.
const AWS_TLS: [&[u8]; 5] = [
    include_bytes!("roots/amazon-root-ca-1.der"),
    include_bytes!("roots/amazon-root-ca-2.der"),
    include_bytes!("roots/amazon-root-ca-3.der"),
    include_bytes!("roots/amazon-root-ca-4.der"),
    include_bytes!("roots/starfield-services-root-ca-g2.der"),
];

/// The roots of trust of an image.
pub struct Roots {
    /// Of the security module's documents.
    pub nsm: Root,
    /// Of KMS's TLS certificates; there are no others, and none of the platform's.
    pub kms_tls: RootCertStore,
}

impl Roots {
    /// AWS's, which are built in.
    pub fn aws() -> Result<Self, Fatal> {
        Ok(Self {
            nsm: Root::aws(),
            kms_tls: Self::tls(AWS_TLS.iter().copied())?,
        })
    }

    /// TLS roots from certificates (DER).
    pub fn tls<'a>(
        certificates: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<RootCertStore, Fatal> {
        let mut store = RootCertStore::empty();
        for der in certificates {
            let added = store.add(CertificateDer::from(der));
            added.map_err(|error| Fatal::Root(format!("a TLS certificate: {error}")))?;
        }
        Ok(store)
    }
}
