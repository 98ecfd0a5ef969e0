//! Operations that exist here only so that policies can refuse them; what a policy allows is not carried out.

use crate::authorize::Context;
use crate::ciphertext::Blob;
use crate::error::ApiError;
use crate::wire::Members;

use super::decrypt::MAX_CIPHERTEXT;
use super::{Answer, Call, encryption_context, recipient};

/// `ReEncrypt` is two permissions: from the source key, to the destination key.
pub(super) fn re_encrypt(call: &mut Call<'_>, members: &Members) -> Answer {
    let bytes = members.required_blob("CiphertextBlob", MAX_CIPHERTEXT)?;
    let destination = members.required_text("DestinationKeyId")?;
    let source = match members.text("SourceKeyId")? {
        Some(source) => source.to_owned(),
        None => Blob::parse(&bytes)
            .ok_or_else(ApiError::invalid_ciphertext)?
            .key_arn
            .to_owned(),
    };
    let from = encryption_context(&members.text_map("SourceEncryptionContext")?);
    let to = encryption_context(&members.text_map("DestinationEncryptionContext")?);
    let destination = call.resolve(destination)?;
    let source = call.resolve(&source)?;
    call.authorize_use(&source, "kms:ReEncryptFrom", from)?;
    call.authorize_use(&destination, "kms:ReEncryptTo", to)?;
    Err(unsupported("ReEncrypt"))
}

/// Any other operation on one key.
pub(super) fn on_key(call: &mut Call<'_>, operation: &str, members: &Members) -> Answer {
    // Of these only the key pair's request can carry attestation.
    let attested = match operation {
        "GenerateDataKeyPair" => recipient::context(call.recipient(members)?.as_ref()),
        _ => Context::new(),
    };
    let key_arn = call.named_key(members)?;
    call.authorize_use(&key_arn, &format!("kms:{operation}"), attested)?;
    Err(unsupported(operation))
}

fn unsupported(operation: &str) -> ApiError {
    ApiError::client(
        "UnsupportedOperationException",
        format!("The key's policy allows {operation}, but this emulator does not carry it out."),
    )
}
