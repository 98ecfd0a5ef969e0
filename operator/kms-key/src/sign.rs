//! Signatures of a key that signs cluster manifests.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};

use crate::{Error, Key};

impl Key<'_> {
    /// Its public half, DER `SubjectPublicKeyInfo`.
    pub async fn public_key(&self) -> Result<Vec<u8>, Error> {
        let answer = self.client.get_public_key().key_id(self.arn).send().await;
        let answer = answer.map_err(|error| Error::new("kms:GetPublicKey", &error))?;
        Ok(answer.public_key.map(Blob::into_inner).unwrap_or_default())
    }

    /// A signature over a message: 64 bytes.
    pub async fn sign_ed25519(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let algorithm = SigningAlgorithmSpec::Ed25519Sha512;
        self.sign(message, MessageType::Raw, algorithm).await
    }

    /// A signature over a message of which this is the SHA-384: DER.
    pub async fn sign_p384(&self, digest: &[u8; 48]) -> Result<Vec<u8>, Error> {
        let algorithm = SigningAlgorithmSpec::EcdsaSha384;
        self.sign(digest, MessageType::Digest, algorithm).await
    }

    async fn sign(
        &self,
        message: &[u8],
        kind: MessageType,
        algorithm: SigningAlgorithmSpec,
    ) -> Result<Vec<u8>, Error> {
        let message = Blob::new(message);
        let sign = self.client.sign().key_id(self.arn).message(message);
        let sign = sign.message_type(kind).signing_algorithm(algorithm);
        let answer = sign.send().await;
        let answer = answer.map_err(|error| Error::new("kms:Sign", &error))?;
        Ok(answer.signature.map(Blob::into_inner).unwrap_or_default())
    }
}
