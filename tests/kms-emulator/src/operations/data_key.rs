//! `GenerateDataKey`, with and without a recipient.

use serde_json::json;
use zeroize::Zeroizing;

use crate::ciphertext;
use crate::error::ApiError;
use crate::wire::{self, Members};

use super::{Answer, Call, encryption_context, end_of_dry_run, recipient};

/// The greatest `NumberOfBytes`.
const MAX_BYTES: i64 = 1024;

pub(super) fn run(call: &mut Call<'_>, members: &Members) -> Answer {
    let length = length(members)?;
    let context = members.text_map("EncryptionContext")?;
    let recipient = call.recipient(members)?;
    let key_arn = call.named_key(members)?;
    let mut conditions = encryption_context(&context);
    conditions.extend(recipient::context(recipient.as_ref()));
    call.authorize_use(&key_arn, "kms:GenerateDataKey", conditions)?;
    call.check_usage(&key_arn, "ENCRYPT_DECRYPT", "GenerateDataKey")?;
    end_of_dry_run(members)?;
    let mut plaintext = Zeroizing::new(vec![0; length]);
    aws_lc_rs::rand::fill(&mut plaintext).map_err(|_| ApiError::internal("no random bytes"))?;
    let sealed = ciphertext::seal(&key_arn, &context, &plaintext)
        .ok_or_else(|| ApiError::internal("encryption failed"))?;
    let mut answer = json!({ "KeyId": key_arn, "CiphertextBlob": wire::blob(&sealed) });
    match recipient {
        Some(recipient) => {
            let sealed = call.seal_for(&recipient, &plaintext)?;
            answer["CiphertextForRecipient"] = wire::blob(&sealed);
        }
        None => answer["Plaintext"] = wire::blob(&plaintext),
    }
    Ok(Some(answer))
}

/// Exactly one of `KeySpec` and `NumberOfBytes` says how many bytes.
fn length(members: &Members) -> Result<usize, ApiError> {
    match (members.text("KeySpec")?, members.number("NumberOfBytes")?) {
        (Some("AES_256"), None) => Ok(32),
        (Some("AES_128"), None) => Ok(16),
        (Some(other), None) => Err(ApiError::constraint(
            &format!("'{other}'"),
            "keySpec",
            "satisfy enum value set: [AES_256, AES_128]",
        )),
        (None, Some(bytes)) => usize::try_from(bytes)
            .ok()
            .filter(|_| (1..=MAX_BYTES).contains(&bytes))
            .ok_or_else(|| {
                ApiError::constraint(
                    &format!("'{bytes}'"),
                    "numberOfBytes",
                    "have value between 1 and 1024",
                )
            }),
        _ => Err(ApiError::validation(
            "Please specify either number of bytes or key spec.",
        )),
    }
}
