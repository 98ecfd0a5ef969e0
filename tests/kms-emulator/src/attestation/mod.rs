//! Attestation documents as KMS judges them: the verifier of `attestation`, a root of the configuration, and a limit of age
//! (which AWS does not document).

use attestation::{At, Root, Verified};

use crate::clock::Now;
use crate::config::ConfigError;

/// The root that documents are checked against, and how old they may be.
pub(crate) struct Verifier {
    root: Root,
    max_age_seconds: u64,
}

/// Why a document is refused; the text goes into the `ValidationException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejected {
    /// As the verifier says it.
    #[error(transparent)]
    Document(attestation::Rejected),
    /// KMS has no other time than now, and does not tell its clock.
    #[error(
        "the attestation document's certificate chain is invalid: a certificate is not valid now"
    )]
    Expired,
}

impl From<attestation::Rejected> for Rejected {
    fn from(rejected: attestation::Rejected) -> Self {
        match rejected {
            attestation::Rejected::Validity { .. } => Self::Expired,
            other => Self::Document(other),
        }
    }
}

impl Verifier {
    /// With a root in PEM and the greatest age in seconds.
    pub fn new(root_pem: &str, max_age_seconds: u64) -> Result<Self, ConfigError> {
        let root = Root::from_pem(root_pem)
            .map_err(|error| ConfigError::value("nitroRootPem", error.to_string()))?;
        Ok(Self {
            root,
            max_age_seconds,
        })
    }

    /// Believes a document or says why not.
    pub fn verify(&self, bytes: &[u8], now: Now) -> Result<Verified, Rejected> {
        let verified = attestation::verify(bytes, &self.root, At::Time(now.ms()))?;
        verified.check_fresh(now.ms(), self.max_age_seconds)?;
        Ok(verified)
    }
}

#[cfg(test)]
mod tests;
