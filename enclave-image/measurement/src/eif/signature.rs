//! The signature section: its first certificate makes PCR8.

use ciborium::Value;

use super::EifError;

/// The signer's certificate in DER. The signature itself is not verified: the hypervisor does that.
pub fn certificate(section: &[u8]) -> Result<Vec<u8>, EifError> {
    let value: Value = ciborium::de::from_reader_with_recursion_limit(section, 16)
        .map_err(|_| EifError::Signature("it is not CBOR"))?;
    let first = value
        .as_array()
        .and_then(|signatures| signatures.first())
        .and_then(Value::as_map)
        .ok_or(EifError::Signature("it is no list of signatures"))?;
    let pem = first
        .iter()
        .find(|(name, _)| name.as_text() == Some("signing_certificate"))
        .and_then(|(_, value)| bytes(value))
        .ok_or(EifError::Signature("it has no certificate"))?;
    let parsed = pem::parse_many(&pem).unwrap_or_default().into_iter();
    let mut certificates = parsed.filter(|block| block.tag() == "CERTIFICATE");
    let first = certificates.next().map(pem::Pem::into_contents);
    first
        .filter(|der| !der.is_empty())
        .ok_or(EifError::Signature("its certificate is not PEM"))
}

/// Bytes, or a list of numbers: the tool that writes images writes the latter.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes.clone()),
        Value::Array(numbers) => numbers
            .iter()
            .map(|number| u8::try_from(number.as_integer()?).ok())
            .collect(),
        _ => None,
    }
}
