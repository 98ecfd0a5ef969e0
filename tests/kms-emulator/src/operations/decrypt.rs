//! `Decrypt`, with and without a recipient.

use serde_json::json;

use crate::ciphertext::Blob;
use crate::error::ApiError;
use crate::wire::{self, Members};

use super::{Answer, Call, encryption_context, end_of_dry_run, recipient};

/// The greatest length of `CiphertextBlob`.
pub(super) const MAX_CIPHERTEXT: usize = 6144;

pub(super) fn run(call: &mut Call<'_>, members: &Members) -> Answer {
    let bytes = members.required_blob("CiphertextBlob", MAX_CIPHERTEXT)?;
    check_algorithm(members)?;
    let context = members.text_map("EncryptionContext")?;
    let recipient = call.recipient(members)?;
    let blob = Blob::parse(&bytes);
    let key_arn = match (members.text("KeyId")?, &blob) {
        (Some(key_id), _) => call.resolve(key_id)?,
        (None, Some(blob)) => call.resolve(blob.key_arn).map_err(|_| not_accessible())?,
        (None, None) => return Err(ApiError::invalid_ciphertext()),
    };
    let mut conditions = encryption_context(&context);
    conditions.extend(recipient::context(recipient.as_ref()));
    call.authorize_use(&key_arn, "kms:Decrypt", conditions)?;
    call.check_usage(&key_arn, "ENCRYPT_DECRYPT", "Decrypt")?;
    let blob = blob.ok_or_else(ApiError::invalid_ciphertext)?;
    if blob.key_arn != key_arn {
        return Err(ApiError::client(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        ));
    }
    let plaintext = blob
        .open(&context)
        .ok_or_else(ApiError::invalid_ciphertext)?;
    end_of_dry_run(members)?;
    let mut answer = json!({ "KeyId": key_arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" });
    match recipient {
        Some(recipient) => {
            let sealed = call.seal_for(&recipient, &plaintext)?;
            answer["CiphertextForRecipient"] = wire::blob(&sealed);
        }
        None => answer["Plaintext"] = wire::blob(&plaintext),
    }
    Ok(Some(answer))
}

/// Keys here are symmetric.
pub(super) fn check_algorithm(members: &Members) -> Result<(), ApiError> {
    match members.text("EncryptionAlgorithm")? {
        None | Some("SYMMETRIC_DEFAULT") => Ok(()),
        Some(other) => Err(ApiError::client(
            "InvalidKeyUsageException",
            format!("Algorithm {other} is incompatible with key spec SYMMETRIC_DEFAULT."),
        )),
    }
}

fn not_accessible() -> ApiError {
    ApiError::access_denied(
        "The ciphertext refers to a customer master key that does not exist, does not exist in this region, \
         or you are not allowed to access.",
    )
}
