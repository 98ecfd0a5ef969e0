//! The attestation document's bytes: CBOR payload in an untagged `COSE_Sign1`.

use std::collections::BTreeMap;

use ciborium::Value;
use coset::{CborSerializable, CoseSign1Builder, HeaderBuilder, iana};

use crate::{NsmError, Signer};

/// What an enclave asks its document to carry; all members optional.
#[derive(Debug, Clone, Default)]
pub struct AttestRequest {
    /// DER `SubjectPublicKeyInfo` of the key that answers are encrypted to; 1 to 1024 bytes.
    pub public_key: Option<Vec<u8>>,
    /// Any bytes, at most 512.
    pub user_data: Option<Vec<u8>>,
    /// Any bytes, at most 512.
    pub nonce: Option<Vec<u8>>,
    /// Milliseconds since 1970; `None` is now. The real module never takes one: for tests of freshness.
    pub timestamp_ms: Option<u64>,
}

/// The greatest lengths in bytes of a document's members.
pub struct Limit;

impl Limit {
    /// `public_key`.
    pub const PUBLIC_KEY: usize = 1024;
    /// `user_data`: the stricter of the two that AWS's text names.
    pub const USER_DATA: usize = 512;
    /// `nonce`: as `user_data`.
    pub const NONCE: usize = 512;
}

impl AttestRequest {
    /// Refuses what the module refuses.
    pub(crate) fn check(&self) -> Result<(), NsmError> {
        let members = [
            ("public_key", &self.public_key, Limit::PUBLIC_KEY),
            ("user_data", &self.user_data, Limit::USER_DATA),
            ("nonce", &self.nonce, Limit::NONCE),
        ];
        for (field, value, limit) in members {
            let found = value.as_ref().map_or(0, Vec::len);
            if found > limit {
                return Err(NsmError::TooLarge {
                    field,
                    found,
                    limit,
                });
            }
        }
        Ok(())
    }
}

/// The signed document: `84 44 A1 01 38 22 A0 59 ...`, as the real module's begin.
pub(crate) fn encode(
    signer: &Signer,
    module_id: &str,
    timestamp_ms: u64,
    pcrs: &BTreeMap<u8, [u8; 48]>,
    request: &AttestRequest,
) -> Result<Vec<u8>, NsmError> {
    let payload = payload(signer, module_id, timestamp_ms, pcrs, request)?;
    let protected = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ES384)
        .build();
    CoseSign1Builder::new()
        .protected(protected)
        .payload(payload)
        .try_create_signature(b"", |message| signer.sign(message))?
        .build()
        .to_vec()
        .map_err(|error| NsmError::Encoding(error.to_string()))
}

/// Members in the order of the real module's documents; absent ones are null.
fn payload(
    signer: &Signer,
    module_id: &str,
    timestamp_ms: u64,
    pcrs: &BTreeMap<u8, [u8; 48]>,
    request: &AttestRequest,
) -> Result<Vec<u8>, NsmError> {
    let registers = pcrs
        .iter()
        .map(|(index, value)| (Value::from(*index), Value::Bytes(value.to_vec())))
        .collect();
    let authorities = signer.cabundle().iter().cloned().map(Value::Bytes);
    let map = Value::Map(vec![
        (Value::from("module_id"), Value::from(module_id)),
        (Value::from("digest"), Value::from("SHA384")),
        (Value::from("timestamp"), Value::from(timestamp_ms)),
        (Value::from("pcrs"), Value::Map(registers)),
        (
            Value::from("certificate"),
            Value::Bytes(signer.certificate().to_vec()),
        ),
        (Value::from("cabundle"), Value::Array(authorities.collect())),
        (
            Value::from("public_key"),
            optional(request.public_key.as_ref()),
        ),
        (
            Value::from("user_data"),
            optional(request.user_data.as_ref()),
        ),
        (Value::from("nonce"), optional(request.nonce.as_ref())),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&map, &mut bytes)
        .map_err(|error| NsmError::Encoding(error.to_string()))?;
    Ok(bytes)
}

fn optional(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()))
}
