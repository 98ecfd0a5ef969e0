//! The outer layer of a blob that the host gave, taken off with this enclave's registers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sealed_blob::InnerBlob;

use crate::Nsm;

/// The blob's bytes and what is in it; nothing of either is believed yet. The error says why it does not open.
pub(crate) fn open(nsm: &impl Nsm, text: &str) -> Result<(Vec<u8>, InnerBlob), String> {
    let bytes = BASE64.decode(text.trim());
    let bytes = bytes.map_err(|error| format!("the sealed blob is not base64: {error}"))?;
    let inner = sealed_blob::open(&bytes, |index| nsm.pcr(index).ok());
    let inner = inner.map_err(|error| error.to_string())?;
    Ok((bytes, inner))
}
