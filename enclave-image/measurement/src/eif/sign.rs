//! The signature of an image: a `COSE_Sign1` (RFC 9052) over the register PCR0, beside the signer's certificate.
//!
//! The hypervisor verifies it at start and puts the certificate's digest into PCR8. Form: `PcrSignature` and `PcrInfo` of
//! aws-nitro-enclaves-image-format 0.8.1.

use ciborium::Value;
use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};

use super::error::WriteError;
use crate::Pcr;

/// Bytes of a signature of ECDSA on P-384: r, then s.
const SIGNATURE: usize = 96;

/// The bytes that the signer signs with ECDSA on P-384 and SHA-384, for an image with this PCR0.
pub fn to_be_signed(pcr0: &Pcr) -> Result<Vec<u8>, WriteError> {
    Ok(unsigned(pcr0)?.build().tbs_data(&[]))
}

/// The signature section: certificate (PEM) and signature (r, then s; 96 bytes) over [`to_be_signed`].
///
/// Whether the signature is the certificate's is for the caller to have checked.
pub fn signature_section(
    pcr0: &Pcr,
    certificate: &str,
    signature: &[u8],
) -> Result<Vec<u8>, WriteError> {
    let blocks = pem::parse_many(certificate).unwrap_or_default();
    if blocks.len() != 1 || blocks.iter().any(|block| block.tag() != "CERTIFICATE") {
        let why = "expected PEM with one block CERTIFICATE";
        return Err(WriteError::Certificate(why));
    }
    if signature.len() != SIGNATURE {
        return Err(WriteError::Signature(signature.len()));
    }
    let signed: CoseSign1 = unsigned(pcr0)?.signature(signature.to_vec()).build();
    let signed = signed.to_vec().map_err(|_| WriteError::Encode)?;
    let one = Value::Map(vec![
        (
            "signing_certificate".into(),
            numbers(certificate.as_bytes()),
        ),
        ("signature".into(), numbers(&signed)),
    ]);
    encode(&Value::Array(vec![one]))
}

fn unsigned(pcr0: &Pcr) -> Result<CoseSign1Builder, WriteError> {
    let header = HeaderBuilder::new().algorithm(iana::Algorithm::ES384);
    let payload = Value::Map(vec![
        ("register_index".into(), 0.into()),
        ("register_value".into(), numbers(pcr0.as_bytes())),
    ]);
    let builder = CoseSign1Builder::new().protected(header.build());
    Ok(builder.payload(encode(&payload)?))
}

/// A list of numbers: that is how AWS's tools write bytes here.
fn numbers(bytes: &[u8]) -> Value {
    Value::Array(bytes.iter().map(|byte| Value::from(*byte)).collect())
}

fn encode(value: &Value) -> Result<Vec<u8>, WriteError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|_| WriteError::Encode)?;
    Ok(bytes)
}
