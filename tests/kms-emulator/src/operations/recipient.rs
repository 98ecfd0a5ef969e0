//! The `Recipient` member: attestation turned into condition keys, answers encrypted to the enclave.

use attestation::Verified;
use measurement::Pcr;

use crate::authorize::Context;
use crate::envelope::{self, EnvelopeError, Form};
use crate::error::ApiError;
use crate::wire::Members;

use super::Call;

/// The greatest length of `AttestationDocument`.
const MAX_DOCUMENT: usize = 262_144;
/// The only algorithm that KMS knows.
const ALGORITHM: &str = "RSAES_OAEP_SHA_256";

/// A verified recipient with the key that its answer is encrypted to.
pub(super) struct Recipient {
    attested: Verified,
    public_key: Vec<u8>,
}

impl Call<'_> {
    /// Verifies the request's attestation document, if it has one.
    pub(super) fn recipient(&mut self, members: &Members) -> Result<Option<Recipient>, ApiError> {
        let Some(recipient) = members.structure("Recipient")? else {
            return Ok(None);
        };
        if let Some(algorithm) = recipient.text("KeyEncryptionAlgorithm")?
            && algorithm != ALGORITHM
        {
            return Err(ApiError::constraint(
                &format!("'{algorithm}'"),
                "recipient.keyEncryptionAlgorithm",
                &format!("satisfy enum value set: [{ALGORITHM}]"),
            ));
        }
        let document = recipient.required_blob("AttestationDocument", MAX_DOCUMENT)?;
        let attested = self
            .emulator
            .verifier
            .verify(&document, self.now)
            .map_err(|rejected| ApiError::validation(rejected.to_string()))?;
        self.note.measurement = attested.pcrs.get(&0).map(Pcr::to_string);
        self.note.module_id = Some(attested.module_id.clone());
        let public_key = attested.public_key.clone().ok_or_else(|| {
            ApiError::validation("the attestation document has no public_key to encrypt to")
        })?;
        Ok(Some(Recipient {
            attested,
            public_key,
        }))
    }

    /// `CiphertextForRecipient`, in the next of the forms that KMS sends.
    pub(super) fn seal_for(
        &mut self,
        recipient: &Recipient,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ApiError> {
        let form = Form::alternating(self.world.envelopes);
        self.world.envelopes = self.world.envelopes.wrapping_add(1);
        envelope::seal(&recipient.public_key, plaintext, form).map_err(|error| match error {
            EnvelopeError::PublicKey => ApiError::validation(error.to_string()),
            EnvelopeError::Crypto => ApiError::internal("encrypting to the recipient failed"),
        })
    }
}

/// `kms:RecipientAttestation:*`: one scalar key for each register, and `ImageSha384` for the first.
pub(super) fn context(recipient: Option<&Recipient>) -> Context {
    let Some(recipient) = recipient else {
        return Context::new();
    };
    let mut context = Context::new();
    for (index, value) in &recipient.attested.pcrs {
        let value = value.to_string();
        if *index == 0 {
            let name = "kms:recipientattestation:imagesha384".to_owned();
            context.insert(name, vec![value.clone()]);
        }
        context.insert(format!("kms:recipientattestation:pcr{index}"), vec![value]);
    }
    context
}
