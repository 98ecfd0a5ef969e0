//! `CiphertextForRecipient`: CMS `EnvelopedData` (RFC 5652) in the BER that KMS sends.
//!
//! Its content is AES-CBC, without authentication: what it is worth comes from TLS ending inside the enclave, and in
//! the end from the commitment. So every failure past the structure gives one error that tells nothing.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use rasn::types::{Any, Integer, ObjectIdentifier, Oid};
use rasn::{AsnType, Decode, Decoder};
use rasn_cms::algorithms::AES256_CBC;
use rasn_cms::{
    AlgorithmIdentifier, CONTENT_DATA, CONTENT_ENVELOPED_DATA, ContentInfo, EncryptedContentInfo,
    EnvelopedData, KeyTransRecipientInfo, RecipientInfo,
};
use zeroize::Zeroizing;

use crate::{EnvelopeError, RecipientKey};

/// KMS's limit of `CiphertextForRecipient`.
const MAX_BYTES: usize = 6144;
const KEY_BYTES: usize = 32;
const BLOCK_BYTES: usize = 16;
/// PKCS #1: id-RSAES-OAEP, id-mgf1; NIST: id-sha256.
const RSAES_OAEP: &Oid = Oid::const_new(&[1, 2, 840, 113_549, 1, 1, 7]);
const MGF1: &Oid = Oid::const_new(&[1, 2, 840, 113_549, 1, 1, 8]);
const SHA256: &Oid = Oid::const_new(&[2, 16, 840, 1, 101, 3, 4, 2, 1]);

/// RSAES-OAEP-params (RFC 8017, A.2.1); absent members mean SHA-1, which is refused.
#[derive(AsnType, Decode)]
struct OaepParameters {
    #[rasn(tag(explicit(0)))]
    hash: Option<AlgorithmIdentifier>,
    #[rasn(tag(explicit(1)))]
    mask: Option<AlgorithmIdentifier>,
    #[rasn(tag(explicit(2)))]
    label: Option<AlgorithmIdentifier>,
}

/// Opens an answer with the key that its document carried.
pub fn open(bytes: &[u8], key: &RecipientKey) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let parsed = parse(bytes)?;
    let content_key = key.unwrap_key(&parsed.wrapped_key)?;
    if content_key.len() != KEY_BYTES {
        return Err(EnvelopeError::Open);
    }
    let cipher = UnboundCipherKey::new(&AES_256, &content_key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .map_err(|_| EnvelopeError::Open)?;
    let context = DecryptionContext::Iv128(FixedLength::from(parsed.iv));
    let mut buffer = Zeroizing::new(parsed.content);
    let length = cipher
        .decrypt(&mut buffer, context)
        .map_err(|_| EnvelopeError::Open)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// The parts that matter, after every identifier was checked.
struct Parsed {
    wrapped_key: Vec<u8>,
    iv: [u8; BLOCK_BYTES],
    content: Vec<u8>,
}

fn parse(bytes: &[u8]) -> Result<Parsed, EnvelopeError> {
    if bytes.len() > MAX_BYTES {
        return Err(EnvelopeError::Structure("its length"));
    }
    let info: ContentInfo = decode(bytes, "the outer structure")?;
    expect(
        &info.content_type,
        CONTENT_ENVELOPED_DATA,
        "the content type",
    )?;
    let data: EnvelopedData = decode(info.content.as_bytes(), "the enveloped data")?;
    expect_version(&data.version)?;
    if data.originator_info.is_some() || data.unprotected_attrs.is_some() {
        return Err(EnvelopeError::Structure("an optional member"));
    }
    let recipients = data.recipient_infos.to_vec();
    let [RecipientInfo::KeyTransRecipientInfo(recipient)] = recipients.as_slice() else {
        return Err(EnvelopeError::Structure("the list of recipients"));
    };
    let wrapped_key = wrapped_key(recipient)?;
    let (iv, content) = content(data.encrypted_content_info)?;
    Ok(Parsed {
        wrapped_key,
        iv,
        content,
    })
}

/// Which key it is for is not compared: how KMS makes the identifier is not documented, and no other key opens it.
fn wrapped_key(recipient: &KeyTransRecipientInfo) -> Result<Vec<u8>, EnvelopeError> {
    expect_version(&recipient.version)?;
    let algorithm = &recipient.key_encryption_algorithm;
    expect(&algorithm.algorithm, RSAES_OAEP, "the key encryption")?;
    let parameters: OaepParameters = parameters(algorithm, "the OAEP parameters")?;
    if parameters.label.is_some() {
        return Err(EnvelopeError::Structure("the OAEP label"));
    }
    let hash = parameters.hash.map(|hash| hash.algorithm);
    expect_some(hash.as_ref(), SHA256, "the OAEP hash")?;
    let mask = parameters
        .mask
        .ok_or(EnvelopeError::Structure("the OAEP mask"))?;
    expect(&mask.algorithm, MGF1, "the OAEP mask")?;
    let hash: AlgorithmIdentifier = self::parameters(&mask, "the OAEP mask's hash")?;
    expect(&hash.algorithm, SHA256, "the OAEP mask's hash")?;
    Ok(recipient.encrypted_key.to_vec())
}

fn content(info: EncryptedContentInfo) -> Result<([u8; BLOCK_BYTES], Vec<u8>), EnvelopeError> {
    expect(&info.content_type, CONTENT_DATA, "the inner content type")?;
    let algorithm = &info.content_encryption_algorithm;
    expect(&algorithm.algorithm, AES256_CBC, "the content encryption")?;
    let iv: rasn::types::OctetString = parameters(algorithm, "the initialisation vector")?;
    let iv = <[u8; BLOCK_BYTES]>::try_from(iv.as_ref())
        .map_err(|_| EnvelopeError::Structure("the initialisation vector"))?;
    let content = info
        .encrypted_content
        .ok_or(EnvelopeError::Structure("the absent content"))?;
    Ok((iv, content.to_vec()))
}

fn decode<T: Decode>(bytes: &[u8], what: &'static str) -> Result<T, EnvelopeError> {
    rasn::ber::decode(bytes).map_err(|_| EnvelopeError::Structure(what))
}

fn parameters<T: Decode>(
    algorithm: &AlgorithmIdentifier,
    what: &'static str,
) -> Result<T, EnvelopeError> {
    let bytes = algorithm.parameters.as_ref().map(Any::as_bytes);
    decode(bytes.ok_or(EnvelopeError::Structure(what))?, what)
}

fn expect(found: &ObjectIdentifier, wanted: &Oid, what: &'static str) -> Result<(), EnvelopeError> {
    expect_some(Some(found), wanted, what)
}

fn expect_some(
    found: Option<&ObjectIdentifier>,
    wanted: &Oid,
    what: &'static str,
) -> Result<(), EnvelopeError> {
    let same = found.is_some_and(|found| **found == *wanted);
    same.then_some(()).ok_or(EnvelopeError::Structure(what))
}

/// Both structures are version 2, as the recipient is named by a subject key identifier.
fn expect_version(version: &Integer) -> Result<(), EnvelopeError> {
    let same = *version == Integer::from(2);
    same.then_some(())
        .ok_or(EnvelopeError::Structure("the version"))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};
    use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    use super::*;

    static KEY: LazyLock<RecipientKey> = LazyLock::new(|| RecipientKey::generate().unwrap());
    const SHARE: &[u8] = b"\x01 thirty-two bytes of one share..";

    const ENVELOPED: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3];
    const DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    const OAEP: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7];
    const MASK: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    const SHA_256: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    const SHA_1: &[u8] = &[6, 5, 0x2b, 0x0e, 3, 2, 0x1a];
    const AES_256_CBC: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a];
    const AES_128_CBC: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
    const NULL: &[u8] = &[5, 0];

    /// The parts of an envelope that a test may bend; the defaults are what KMS sends.
    struct Envelope {
        segments: Option<usize>,
        version: u8,
        recipients: usize,
        key_algorithm: &'static [u8],
        hash: &'static [u8],
        mask_hash: &'static [u8],
        cipher: &'static [u8],
        content_key: usize,
        indefinite: bool,
    }

    impl Default for Envelope {
        fn default() -> Self {
            Self {
                segments: Some(1),
                version: 2,
                recipients: 1,
                key_algorithm: OAEP,
                hash: SHA_256,
                mask_hash: SHA_256,
                cipher: AES_256_CBC,
                content_key: 32,
                indefinite: true,
            }
        }
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = match content.len() {
            0..=127 => vec![tag, length[1]],
            128..=255 => vec![tag, 0x81, length[1]],
            _ => vec![tag, 0x82, length[0], length[1]],
        };
        [&head, content].concat()
    }

    fn open_ended(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], content, &[0, 0]].concat()
    }

    impl Envelope {
        fn seal(&self, plain: &[u8]) -> Vec<u8> {
            let outer = if self.indefinite { open_ended } else { tlv };
            let content_key = vec![7; self.content_key];
            let hash = tlv(0x30, &[self.hash, NULL].concat());
            let mask_hash = tlv(0x30, &[self.mask_hash, NULL].concat());
            let mask = tlv(0x30, &[MASK, &mask_hash].concat());
            let parameters = [tlv(0xa0, &hash), tlv(0xa1, &mask)].concat();
            let recipient = tlv(
                0x30,
                &[
                    &[2, 1, self.version][..],
                    &tlv(0x80, &[9; 32]),
                    &tlv(
                        0x30,
                        &[self.key_algorithm, &tlv(0x30, &parameters)].concat(),
                    ),
                    &tlv(4, &wrap(&content_key)),
                ]
                .concat(),
            );
            let algorithm = tlv(0x30, &[self.cipher, &tlv(4, &[5; 16])].concat());
            let info = [DATA, &algorithm, &self.content(&encrypt(plain))].concat();
            let data = [
                &[2, 1, self.version][..],
                &tlv(0x31, &recipient.repeat(self.recipients)),
                &outer(0x30, &info),
            ]
            .concat();
            outer(
                0x30,
                &[ENVELOPED, &outer(0xa0, &outer(0x30, &data))].concat(),
            )
        }

        fn content(&self, sealed: &[u8]) -> Vec<u8> {
            let Some(segments) = self.segments else {
                return tlv(0x80, sealed);
            };
            let chunks = sealed.chunks(sealed.len().div_ceil(segments));
            open_ended(
                0xa0,
                &chunks.flat_map(|chunk| tlv(4, chunk)).collect::<Vec<_>>(),
            )
        }
    }

    fn wrap(content_key: &[u8]) -> Vec<u8> {
        let public = PublicEncryptingKey::from_der(KEY.public_der()).unwrap();
        let public = OaepPublicEncryptingKey::new(public).unwrap();
        let mut out = vec![0; public.ciphertext_size()];
        let made = public.encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut out, None);
        made.unwrap().to_vec()
    }

    fn encrypt(plain: &[u8]) -> Vec<u8> {
        let key = UnboundCipherKey::new(&AES_256, &[7; 32]).unwrap();
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).unwrap();
        let mut out = plain.to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from([5; 16]));
        key.less_safe_encrypt(&mut out, context).unwrap();
        out
    }

    fn opened(envelope: &Envelope) -> Result<Vec<u8>, EnvelopeError> {
        open(&envelope.seal(SHARE), &KEY).map(|plain| plain.to_vec())
    }

    #[test]
    fn both_forms_of_kms_open_in_any_number_of_segments() {
        for segments in [None, Some(1), Some(2), Some(3), Some(48)] {
            let envelope = Envelope {
                segments,
                ..Envelope::default()
            };
            assert_eq!(opened(&envelope).as_deref(), Ok(SHARE), "{segments:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_captured_answers() {
        // 493 bytes for 48 bytes of content in form A, 457 for 16 bytes in form B.
        assert_eq!(Envelope::default().seal(&[1; 32]).len(), 493);
        let primitive = Envelope {
            segments: None,
            ..Envelope::default()
        };
        assert_eq!(primitive.seal(&[1; 15]).len(), 457);
    }

    #[test]
    fn definite_lengths_open_too() {
        let der = Envelope {
            indefinite: false,
            segments: None,
            ..Envelope::default()
        };
        assert_eq!(opened(&der).as_deref(), Ok(SHARE));
    }

    #[test]
    fn any_other_algorithm_or_shape_is_refused_before_any_key_is_used() {
        let refused = |bend: fn(&mut Envelope)| {
            let mut envelope = Envelope::default();
            bend(&mut envelope);
            match opened(&envelope) {
                Err(EnvelopeError::Structure(what)) => what,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|e| e.version = 0), "the version");
        assert_eq!(refused(|e| e.recipients = 2), "the list of recipients");
        assert_eq!(refused(|e| e.recipients = 0), "the list of recipients");
        assert_eq!(refused(|e| e.key_algorithm = MASK), "the key encryption");
        assert_eq!(refused(|e| e.hash = SHA_1), "the OAEP hash");
        assert_eq!(refused(|e| e.mask_hash = SHA_1), "the OAEP mask's hash");
        assert_eq!(
            refused(|e| e.cipher = AES_128_CBC),
            "the content encryption"
        );
    }

    #[test]
    fn every_failure_of_cryptography_is_one_error() {
        let short_key = Envelope {
            content_key: 16,
            ..Envelope::default()
        };
        assert_eq!(opened(&short_key), Err(EnvelopeError::Open));
        let whole = Envelope::default().seal(SHARE);
        let content_key_at = whole.len() - 48 - 64 - 8;
        let padding_at = whole.len() - 10 - 1 - 16;
        for at in [content_key_at, padding_at] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x80;
            assert_eq!(
                open(&bytes, &KEY).err(),
                Some(EnvelopeError::Open),
                "byte {at}"
            );
        }
        let other = RecipientKey::generate().unwrap();
        assert_eq!(open(&whole, &other).err(), Some(EnvelopeError::Open));
    }

    #[test]
    fn longer_than_kms_ever_sends_is_not_even_parsed() {
        let bytes = vec![0x30; MAX_BYTES + 1];
        assert_eq!(
            open(&bytes, &KEY).err(),
            Some(EnvelopeError::Structure("its length"))
        );
    }

    proptest! {
        #[test]
        fn a_changed_byte_or_a_cut_never_panics_and_never_gives_the_share_longer(
            at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut bytes = Envelope::default().seal(SHARE);
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = value }
            if let Ok(plain) = open(&bytes, &KEY) {
                prop_assert!(plain.len() <= 48);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&bytes, &KEY).is_err());
        }
    }
}
