//! The key and certificates that documents are signed with, and their file form.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::NsmError;

/// A leaf key with its certificate and the authorities above it.
pub struct Signer {
    pkcs8: Zeroizing<Vec<u8>>,
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
    cabundle: Vec<Vec<u8>>,
}

/// `nsm-signer.json`: all values base64, certificates DER, `cabundle` from root to intermediate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignerFile {
    private_key_pkcs8: String,
    certificate: String,
    cabundle: Vec<String>,
}

impl Signer {
    /// From a P-384 PKCS #8 key, the DER leaf, and DER authorities from the root downwards.
    pub(crate) fn new(
        pkcs8: &[u8],
        certificate: Vec<u8>,
        cabundle: Vec<Vec<u8>>,
    ) -> Result<Self, NsmError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).map_err(
            |rejected| NsmError::SignerFile {
                field: "privateKeyPkcs8",
                what: format!("not a P-384 key in PKCS #8 ({rejected})"),
            },
        )?;
        Ok(Self {
            pkcs8: Zeroizing::new(pkcs8.to_vec()),
            key,
            certificate,
            cabundle,
        })
    }

    /// The file form, which holds the private key.
    pub fn to_json(&self) -> Zeroizing<String> {
        let file = serde_json::json!({
            "privateKeyPkcs8": BASE64.encode(&*self.pkcs8),
            "certificate": BASE64.encode(&self.certificate),
            "cabundle": self.cabundle.iter().map(|c| BASE64.encode(c)).collect::<Vec<_>>(),
        });
        Zeroizing::new(format!("{file:#}"))
    }

    /// Reads the file form.
    pub fn from_json(json: &str) -> Result<Self, NsmError> {
        let file: SignerFile =
            serde_json::from_str(json).map_err(|error| NsmError::SignerFile {
                field: "nsm-signer.json",
                what: error.to_string(),
            })?;
        let text = Zeroizing::new(file.private_key_pkcs8);
        let pkcs8 = Zeroizing::new(decode("privateKeyPkcs8", &text)?);
        let certificate = decode("certificate", &file.certificate)?;
        let cabundle = file
            .cabundle
            .iter()
            .map(|text| decode("cabundle", text))
            .collect::<Result<_, _>>()?;
        Self::new(&pkcs8, certificate, cabundle)
    }

    /// The leaf certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The authorities, DER, from the root downwards.
    pub fn cabundle(&self) -> &[Vec<u8>] {
        &self.cabundle
    }

    /// Signs with ES384: 96 bytes, r then s.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NsmError> {
        self.key
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| NsmError::Crypto("signing"))
    }
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, NsmError> {
    BASE64.decode(text).map_err(|error| NsmError::SignerFile {
        field,
        what: format!("not base64 ({error})"),
    })
}
