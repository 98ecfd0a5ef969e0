//! The root of trust.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

use crate::RootError;
use crate::certificate::{Certificate, Role};

/// AWS Nitro Enclaves Root G1, as every document's `cabundle` begins with it.
const AWS_G1: &[u8] = include_bytes!("aws-nitro-root-g1.der");

/// A P-384 certificate that chains must begin with, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(Cow<'static, [u8]>);

impl Root {
    /// AWS Nitro Enclaves Root G1 (2019 to 2049), which is built in; see [`Self::fingerprint`] for what to compare.
    pub const fn aws() -> Self {
        Self(Cow::Borrowed(AWS_G1))
    }

    /// Another root, from one block of PEM: for tests, and for another partition's.
    pub fn from_pem(text: &str) -> Result<Self, RootError> {
        let (rest, pem) = x509_parser::pem::parse_x509_pem(text.as_bytes())
            .map_err(|error| RootError::Pem(error.to_string()))?;
        if pem.label != "CERTIFICATE" {
            return Err(RootError::Pem("the first block is no certificate".into()));
        }
        if !rest.trim_ascii().is_empty() {
            return Err(RootError::Pem("more follows the first block".into()));
        }
        Certificate::parse(&pem.contents)
            .and_then(|root| root.check_role(&Role::Authority { below: 0 }))
            .map_err(RootError::Certificate)?;
        Ok(Self(Cow::Owned(pem.contents)))
    }

    /// The certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the DER; of AWS's root it is published as `641a0321...bb5b`.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, &self.0).as_ref());
        bytes
    }
}
