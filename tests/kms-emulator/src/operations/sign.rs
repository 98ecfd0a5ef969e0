//! `GetPublicKey` and `Sign`: keys of the usage `SIGN_VERIFY`.

use serde_json::json;

use crate::authorize::Context;
use crate::error::ApiError;
use crate::wire::{self, Members};
use crate::world::signing::{KeySpec, Subject};

use super::{Answer, Call, end_of_dry_run};

/// The greatest length of `Message`.
const MAX_MESSAGE: usize = 4096;
const SHA384_BYTES: usize = 48;
/// `SigningAlgorithmSpec`, all of the model.
const ALGORITHMS: [&str; 13] = [
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "ECDSA_SHA_256",
    "ECDSA_SHA_384",
    "ECDSA_SHA_512",
    "SM2DSA",
    "ML_DSA_SHAKE_256",
    "ED25519_SHA_512",
    "ED25519_PH_SHA_512",
];

pub(super) fn public_key(call: &mut Call<'_>, members: &Members) -> Answer {
    let key_arn = call.named_key(members)?;
    call.authorize_use(&key_arn, "kms:GetPublicKey", Context::new())?;
    let key = call.key(&key_arn)?;
    if key.spec == KeySpec::Symmetric {
        return Err(ApiError::client(
            "UnsupportedOperationException",
            format!("{key_arn} is a symmetric key, which has no public key."),
        ));
    }
    let public_key = key.spec.public_key(&key.id);
    let public_key = public_key.ok_or_else(|| ApiError::internal("the key could not be made"))?;
    Ok(Some(json!({
        "CustomerMasterKeySpec": key.spec.name(),
        "KeyId": key_arn,
        "KeySpec": key.spec.name(),
        "KeyUsage": key.spec.usage(),
        "PublicKey": wire::blob(&public_key),
        "SigningAlgorithms": key.spec.algorithms(),
    })))
}

pub(super) fn run(call: &mut Call<'_>, members: &Members) -> Answer {
    let message = members.required_blob("Message", MAX_MESSAGE)?;
    let algorithm = one_of(
        "signingAlgorithm",
        members.required_text("SigningAlgorithm")?,
        &ALGORITHMS,
    )?;
    let kind = members.text("MessageType")?.unwrap_or("RAW");
    let kind = one_of("messageType", kind, &["RAW", "DIGEST", "EXTERNAL_MU"])?;
    let key_arn = call.named_key(members)?;
    let conditions = [
        ("kms:signingalgorithm", algorithm),
        ("kms:messagetype", kind),
    ];
    let conditions = conditions.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
    call.authorize_use(&key_arn, "kms:Sign", conditions.into())?;
    call.check_usage(&key_arn, "SIGN_VERIFY", "Sign")?;
    let key = call.key(&key_arn)?;
    let subject = subject(key.spec, algorithm, kind, &message)?;
    end_of_dry_run(members)?;
    let signature = key.spec.sign(&key.id, &subject);
    let signature = signature.ok_or_else(|| ApiError::internal("signing failed"))?;
    Ok(Some(json!({
        "KeyId": key_arn,
        "Signature": wire::blob(&signature),
        "SigningAlgorithm": algorithm,
    })))
}

/// What the key shall sign, by the rules of its algorithm.
fn subject<'a>(
    spec: KeySpec,
    algorithm: &str,
    kind: &str,
    message: &'a [u8],
) -> Result<Subject<'a>, ApiError> {
    if !spec.algorithms().contains(&algorithm) {
        return Err(ApiError::client(
            "InvalidKeyUsageException",
            format!(
                "Algorithm {algorithm} is incompatible with key spec {}.",
                spec.name()
            ),
        ));
    }
    match (algorithm, kind) {
        ("ECDSA_SHA_384" | "ED25519_SHA_512", "RAW") => Ok(Subject::Message(message)),
        ("ECDSA_SHA_384", "DIGEST") if message.len() == SHA384_BYTES => {
            Ok(Subject::Digest(message))
        }
        ("ECDSA_SHA_384", "DIGEST") => Err(ApiError::validation(format!(
            "Digest is invalid length for algorithm {algorithm}."
        ))),
        ("ED25519_PH_SHA_512", "DIGEST") => Err(ApiError::client(
            "UnsupportedOperationException",
            "This emulator does not carry out ED25519_PH_SHA_512.",
        )),
        // Which exception AWS answers here is not documented.
        _ => Err(ApiError::validation(format!(
            "MessageType {kind} is not valid for algorithm {algorithm}."
        ))),
    }
}

/// Refuses values that the model's enumeration does not have.
fn one_of<'a>(member: &str, found: &'a str, known: &[&str]) -> Result<&'a str, ApiError> {
    if known.contains(&found) {
        return Ok(found);
    }
    Err(ApiError::constraint(
        &format!("'{found}'"),
        member,
        &format!("satisfy enum value set: [{}]", known.join(", ")),
    ))
}

impl Call<'_> {
    /// Refuses an operation that keys of another usage have.
    pub(super) fn check_usage(
        &self,
        key_arn: &str,
        usage: &str,
        operation: &str,
    ) -> Result<(), ApiError> {
        let found = self.key(key_arn)?.spec.usage();
        if found == usage {
            return Ok(());
        }
        Err(ApiError::client(
            "InvalidKeyUsageException",
            format!("{key_arn} key usage is {found} which is not valid for {operation}."),
        ))
    }
}
