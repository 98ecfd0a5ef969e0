//! `CiphertextForRecipient`: CMS `EnvelopedData` in the BER that KMS sends
//! (decoded from the captures in aws-nitro-enclaves-sdk-c's `cms_test.c`).

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use zeroize::Zeroizing;

use crate::ber;

/// How the encrypted content is written; KMS sends both, so clients meet both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A constructed `[0]` of indefinite length with this many OCTET STRING segments (at least one).
    Constructed { segments: usize },
    /// A primitive `[0]` of definite length.
    Primitive,
}

impl Form {
    /// The form of the n-th answer: one segment, primitive, several segments, primitive, and so on.
    pub fn alternating(n: u64) -> Self {
        match n % 4 {
            0 => Self::Constructed { segments: 1 },
            2 => Self::Constructed { segments: 3 },
            _ => Self::Primitive,
        }
    }
}

/// Why nothing could be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    /// The document's key cannot be used.
    #[error("the attestation document's public key is not an RSA key of 2048 to 4096 bits")]
    PublicKey,
    /// The cryptographic library failed.
    #[error("encryption failed")]
    Crypto,
}

const ENVELOPED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03];
const DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
const RSAES_OAEP: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x07];
const MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A];
/// Both structures are version 2, because the recipient is named by a subject key identifier.
const VERSION_2: &[u8] = &[2];

/// Encrypts `plaintext` to the enclave's RSA key (DER `SubjectPublicKeyInfo`).
pub(crate) fn seal(
    public_key: &[u8],
    plaintext: &[u8],
    form: Form,
) -> Result<Vec<u8>, EnvelopeError> {
    let mut content_key = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *content_key).map_err(|_| EnvelopeError::Crypto)?;
    let encrypted_key = wrap(public_key, &*content_key)?;
    let (iv, content) = encrypt(&*content_key, plaintext)?;
    let identifier = digest::digest(&digest::SHA256, public_key);
    let recipient = recipient(identifier.as_ref(), &encrypted_key);
    let enveloped = ber::indefinite(
        ber::SEQUENCE,
        &[
            &ber::tlv(ber::INTEGER, VERSION_2),
            &ber::tlv(ber::SET, &recipient),
            &encrypted_content(&iv, &content, form),
        ],
    );
    Ok(ber::indefinite(
        ber::SEQUENCE,
        &[
            &ber::tlv(ber::OID, ENVELOPED_DATA),
            &ber::indefinite(ber::CONTEXT_0 | ber::CONSTRUCTED, &[&enveloped]),
        ],
    ))
}

fn wrap(public_key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let key = PublicEncryptingKey::from_der(public_key).map_err(|_| EnvelopeError::PublicKey)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| EnvelopeError::PublicKey)?;
    if key.key_size_bits() > 4096 {
        return Err(EnvelopeError::PublicKey);
    }
    let mut out = vec![0; key.ciphertext_size()];
    let length = key
        .encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut out, None)
        .map_err(|_| EnvelopeError::Crypto)?
        .len();
    out.truncate(length);
    Ok(out)
}

/// AES-256-CBC with PKCS #7 padding under a fresh initialisation vector.
fn encrypt(content_key: &[u8], plaintext: &[u8]) -> Result<([u8; 16], Vec<u8>), EnvelopeError> {
    let mut iv = [0; 16];
    aws_lc_rs::rand::fill(&mut iv).map_err(|_| EnvelopeError::Crypto)?;
    let key = UnboundCipherKey::new(&AES_256, content_key)
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(|_| EnvelopeError::Crypto)?;
    let mut content = plaintext.to_vec();
    let vector = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut content, vector)
        .map_err(|_| EnvelopeError::Crypto)?;
    Ok((iv, content))
}

/// The `KeyTransRecipientInfo`, definite lengths throughout.
fn recipient(identifier: &[u8], encrypted_key: &[u8]) -> Vec<u8> {
    let null = ber::tlv(ber::NULL, &[]);
    let sha256 = ber::sequence(&[&ber::tlv(ber::OID, SHA256), &null]);
    let mgf1 = ber::sequence(&[&ber::tlv(ber::OID, MGF1), &sha256]);
    let parameters = ber::sequence(&[
        &ber::tlv(ber::CONTEXT_0 | ber::CONSTRUCTED, &sha256),
        &ber::tlv(ber::CONTEXT_1 | ber::CONSTRUCTED, &mgf1),
    ]);
    ber::sequence(&[
        &ber::tlv(ber::INTEGER, VERSION_2),
        &ber::tlv(ber::CONTEXT_0, identifier),
        &ber::sequence(&[&ber::tlv(ber::OID, RSAES_OAEP), &parameters]),
        &ber::tlv(ber::OCTET_STRING, encrypted_key),
    ])
}

fn encrypted_content(iv: &[u8], content: &[u8], form: Form) -> Vec<u8> {
    let algorithm = ber::sequence(&[
        &ber::tlv(ber::OID, AES256_CBC),
        &ber::tlv(ber::OCTET_STRING, iv),
    ]);
    let content = match form {
        Form::Primitive => ber::tlv(ber::CONTEXT_0, content),
        Form::Constructed { segments } => {
            let length = content.len().div_ceil(segments.max(1)).max(1);
            let octets: Vec<u8> = content
                .chunks(length)
                .flat_map(|chunk| ber::tlv(ber::OCTET_STRING, chunk))
                .collect();
            ber::indefinite(ber::CONTEXT_0 | ber::CONSTRUCTED, &[&octets])
        }
    };
    ber::indefinite(
        ber::SEQUENCE,
        &[&ber::tlv(ber::OID, DATA), &algorithm, &content],
    )
}
