//! `CiphertextBlob`s: AES-256-GCM under material derived from the key's id, bound to key and encryption context.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::arn::Arn;

/// The first bytes of every blob; the last is the format's version.
const MAGIC: &[u8] = b"\x01\x02\x02\x01";

/// A blob whose outer form is right.
pub(crate) struct Blob<'a> {
    /// ARN of the key that made it.
    pub key_arn: &'a str,
    nonce: &'a [u8],
    sealed: &'a [u8],
}

/// Encrypts under the key with this ARN; `None` if the cryptographic library fails.
pub(crate) fn seal(
    key_arn: &str,
    context: &BTreeMap<String, String>,
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let mut sealed = plaintext.to_vec();
    let nonce = material(key_arn)?
        .seal_in_place_append_tag(Aad::from(bound(key_arn, context)), &mut sealed)
        .ok()?;
    let length = u8::try_from(key_arn.len()).ok()?;
    Some(
        [
            MAGIC,
            &[length],
            key_arn.as_bytes(),
            nonce.as_ref(),
            &sealed,
        ]
        .concat(),
    )
}

impl<'a> Blob<'a> {
    /// Reads the outer form; `None` for bytes that no key here made.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
        let (arn, rest) = rest.split_at_checked(usize::from(*length))?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        Some(Self {
            key_arn: std::str::from_utf8(arn).ok()?,
            nonce,
            sealed,
        })
    }

    /// The plaintext, if nothing was changed and the encryption context is the same.
    pub fn open(&self, context: &BTreeMap<String, String>) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = Nonce::try_assume_unique_for_key(self.nonce).ok()?;
        let mut bytes = Zeroizing::new(self.sealed.to_vec());
        let plain = material(self.key_arn)?
            .open_in_place(nonce, Aad::from(bound(self.key_arn, context)), &mut bytes)
            .ok()?;
        Some(Zeroizing::new(plain.to_vec()))
    }
}

/// From the key's id alone, so that a restarted emulator opens old blobs.
fn material(key_arn: &str) -> Option<RandomizedNonceKey> {
    let id = Arn::parse(key_arn)?.resource.strip_prefix("key/")?;
    let root = hmac::Key::new(hmac::HMAC_SHA256, b"kms-emulator key material, version 1");
    let key = hmac::sign(&root, id.as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).ok()
}

/// What a blob is bound to: the ARN and every pair of the context, each with its length before it.
fn bound(key_arn: &str, context: &BTreeMap<String, String>) -> Vec<u8> {
    let pairs = context.iter().flat_map(|(name, value)| [name, value]);
    let mut bytes = Vec::new();
    for text in std::iter::once(key_arn).chain(pairs.map(String::as_str)) {
        bytes.extend_from_slice(&text.len().to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/one";

    fn context(value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("purpose".to_owned(), value.to_owned())])
    }

    #[test]
    fn opens_only_under_its_context() {
        let bytes = seal(KEY, &context("a"), b"share").unwrap();
        let blob = Blob::parse(&bytes).unwrap();
        assert_eq!(blob.key_arn, KEY);
        assert_eq!(blob.open(&context("a")).unwrap().as_slice(), b"share");
        assert!(blob.open(&context("b")).is_none());
        assert!(blob.open(&BTreeMap::new()).is_none());
    }

    #[test]
    fn contexts_that_only_differ_in_where_a_name_ends_are_different() {
        let one = BTreeMap::from([("ab".to_owned(), "c".to_owned())]);
        let other = BTreeMap::from([("a".to_owned(), "bc".to_owned())]);
        let bytes = seal(KEY, &one, b"share").unwrap();
        assert!(Blob::parse(&bytes).unwrap().open(&other).is_none());
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_opens(at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = seal(KEY, &context("a"), b"share").unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let opened = Blob::parse(&bytes).and_then(|blob| blob.open(&context("a")));
            prop_assert!(opened.is_none());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(blob) = Blob::parse(&bytes) {
                prop_assert!(blob.open(&BTreeMap::new()).is_none());
            }
        }
    }
}
