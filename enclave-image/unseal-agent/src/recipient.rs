//! The enclave's RSA key that KMS encrypts its answers to.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

/// Why an answer did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not the one structure and the one set of algorithms that KMS uses. Says nothing about any secret.
    #[error("KMS's answer to this enclave: {0} is not what KMS sends")]
    Structure(&'static str),
    /// Any failure of cryptography, deliberately without a reason.
    #[error("KMS's answer to this enclave does not open")]
    Open,
}

/// An RSA-2048 key that never leaves the enclave; made anew for each attempt.
pub struct RecipientKey {
    private: OaepPrivateDecryptingKey,
    public_der: Vec<u8>,
}

impl RecipientKey {
    /// A fresh key. Takes some tens of milliseconds of computing.
    pub fn generate() -> Result<Self, EnvelopeError> {
        let private =
            PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| EnvelopeError::Open)?;
        let public = private.public_key();
        let der: PublicKeyX509Der<'_> = public.as_der().map_err(|_| EnvelopeError::Open)?;
        Ok(Self {
            public_der: der.as_ref().to_vec(),
            private: OaepPrivateDecryptingKey::new(private).map_err(|_| EnvelopeError::Open)?,
        })
    }

    /// DER `SubjectPublicKeyInfo`, 294 bytes.
    pub fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// RSAES-OAEP with SHA-256 for both hash and mask, and an empty label.
    pub(crate) fn unwrap_key(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let mut out = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let length = self
            .private
            .decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut out, None)
            .map_err(|_| EnvelopeError::Open)?
            .len();
        out.truncate(length);
        Ok(out)
    }
}
