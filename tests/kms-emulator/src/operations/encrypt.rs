//! `Encrypt`: the one data operation that can carry no attestation.

use serde_json::json;

use crate::ciphertext;
use crate::error::ApiError;
use crate::wire::{self, Members};

use super::decrypt::check_algorithm;
use super::{Answer, Call, encryption_context, end_of_dry_run};

/// The greatest length of `Plaintext`.
const MAX_PLAINTEXT: usize = 4096;

pub(super) fn run(call: &mut Call<'_>, members: &Members) -> Answer {
    let plaintext = members.required_blob("Plaintext", MAX_PLAINTEXT)?;
    let plaintext = zeroize::Zeroizing::new(plaintext);
    check_algorithm(members)?;
    let context = members.text_map("EncryptionContext")?;
    let key_arn = call.named_key(members)?;
    call.authorize_use(&key_arn, "kms:Encrypt", encryption_context(&context))?;
    call.check_usage(&key_arn, "ENCRYPT_DECRYPT", "Encrypt")?;
    end_of_dry_run(members)?;
    let sealed = ciphertext::seal(&key_arn, &context, &plaintext)
        .ok_or_else(|| ApiError::internal("encryption failed"))?;
    Ok(Some(json!({
        "CiphertextBlob": wire::blob(&sealed),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyId": key_arn,
    })))
}
