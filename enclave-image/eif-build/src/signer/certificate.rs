//! The certificate whose digest becomes PCR8.

use std::path::Path;

use anyhow::{Context, bail};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A point of P-384, not compressed: 0x04, x, y.
const P384_POINT: usize = 97;

/// A signer's certificate, of a key on P-384.
#[derive(Clone, Debug)]
pub struct Certificate {
    name: String,
    pem: String,
    point: Vec<u8>,
}

impl Certificate {
    /// Reads PEM with one block `CERTIFICATE`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let block = pem::parse(super::read(path)?)
            .ok()
            .filter(|block| block.tag() == "CERTIFICATE");
        let block = block.with_context(|| format!("{name} has no block CERTIFICATE"))?;
        let parsed = X509Certificate::from_der(block.contents()).ok();
        let (rest, certificate) =
            parsed.with_context(|| format!("{name} is no X.509 certificate"))?;
        let point = certificate.public_key().subject_public_key.data.to_vec();
        if !rest.is_empty() || point.len() != P384_POINT {
            bail!(
                "{name} is of another key than one on P-384: make one with `openssl ecparam -name secp384r1`"
            );
        }
        let pem = pem::encode_config(&Pem::new("CERTIFICATE", block.contents()), crate::LINES);
        Ok(Self { name, pem, point })
    }

    /// The certificate in PEM, without what stood around it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Refuses a signature that is not by this certificate's key.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> anyhow::Result<()> {
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &self.point);
        if key.verify(message, signature).is_err() {
            bail!(
                "{} is the certificate of another key than the one that signs",
                self.name
            );
        }
        Ok(())
    }
}
