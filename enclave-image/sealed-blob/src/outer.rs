//! The outer layer: AES-256-GCM under a key made of PCR values.
//!
//! PCR values are public, so this layer gives integrity and detection of drift, not confidentiality.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA256};
use aws_lc_rs::{constant_time, hmac};
use measurement::{MANIFEST_REGISTER, Measurement, Pcr};

use wire_format::{FormatError, MAX_CLUSTER_ID, MAX_KEY_ARN, MAX_SHARES, Reader};

use crate::inner::{DIGEST_BYTES, MAX_CIPHERTEXT, MAX_DOCUMENT};
use crate::{InnerBlob, OpenError};

const DOCUMENT: &str = "sealed blob, outer layer";
const MAGIC: [u8; 4] = *b"CHSB";
const VERSION: u8 = 1;
/// Length of [`Measurement::id`].
const ID_BYTES: usize = 10;
const CRYPTO: FormatError = FormatError::Crypto { document: DOCUMENT };
const TAG_BYTES: usize = 16;
/// KMS knows the registers 0 to 31.
const REGISTERS: u8 = 32;
/// All of them but the manifest's, which is no part of an image's identity.
const MOST_REGISTERS: usize = REGISTERS as usize - 1;
const SALT: &[u8] = b"chamber sealed blob, outer layer, version 1";

const MAX_SHARE: usize = 2 + MAX_KEY_ARN + 2 + MAX_CIPHERTEXT;
const MAX_INNER: usize = 1
    + 1
    + MAX_CLUSTER_ID
    + 4
    + 1
    + 1
    + 32
    + DIGEST_BYTES
    + MAX_SHARES as usize * MAX_SHARE
    + 2
    + MAX_DOCUMENT;
/// The longest blob there is: as base64 it still fits one environment variable of Linux (128 KiB).
pub const MAX_BYTES: usize =
    4 + 1 + ID_BYTES + 1 + MOST_REGISTERS + NONCE_LEN + MAX_INNER + TAG_BYTES;

/// Binds an inner layer to the registers of an image. The same input always gives the same bytes.
pub fn bind(inner: &InnerBlob, measurement: &Measurement) -> Result<Vec<u8>, FormatError> {
    let plain = inner.encode()?;
    let registers: Vec<u8> = measurement.of_image().map(|(index, _)| index).collect();
    check_registers(&registers)?;
    let header = header(measurement, &registers)?;
    let keys = Keys::derive(measurement, &header)?;
    let nonce = keys.nonce(&plain);
    let mut sealed = plain;
    keys.seal
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&header),
            &mut sealed,
        )
        .map_err(|_| CRYPTO)?;
    Ok([header.as_slice(), &nonce, &sealed].concat())
}

/// Opens a blob with the PCR values that `pcr_of` gives for the registers that the blob names.
pub fn open(bytes: &[u8], pcr_of: impl Fn(u8) -> Option<Pcr>) -> Result<InnerBlob, OpenError> {
    let parts = Parts::parse(bytes)?;
    let own = own_measurement(&parts.registers, pcr_of)?;
    if own.id().as_bytes() != parts.bound_to {
        return Err(OpenError::OtherMeasurement {
            bound: String::from_utf8_lossy(parts.bound_to).into_owned(),
            own: own.id(),
            registers: parts.registers,
        });
    }
    let keys = Keys::derive(&own, parts.header)?;
    let mut sealed = parts.sealed.to_vec();
    let plain = keys
        .seal
        .open_in_place(
            Nonce::assume_unique_for_key(parts.nonce),
            Aad::from(parts.header),
            &mut sealed,
        )
        .map_err(|_| OpenError::Altered)?;
    // Anybody can make the key; the derived nonce keeps one blob to one encoding.
    constant_time::verify_slices_are_equal(&keys.nonce(plain), &parts.nonce)
        .map_err(|_| OpenError::Altered)?;
    Ok(InnerBlob::decode(plain)?)
}

/// A blob taken apart; nothing in it is believed yet.
struct Parts<'a> {
    header: &'a [u8],
    bound_to: &'a [u8],
    registers: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(DOCUMENT, bytes);
        if reader.array("magic")? != MAGIC {
            return Err(field("magic", "other bytes", "\"CHSB\""));
        }
        match reader.byte("outer version")? {
            VERSION => {}
            found => {
                return Err(FormatError::Version {
                    document: DOCUMENT,
                    found,
                    known: "1",
                });
            }
        }
        if bytes.len() > MAX_BYTES {
            let found = format!("{} bytes", bytes.len());
            return Err(field("length", &found, "at most 80634 bytes"));
        }
        let bound_to = reader.take(ID_BYTES, "measurement id")?;
        let count = reader.byte("register count")?;
        let registers = reader.take(count.into(), "registers")?.to_vec();
        check_registers(&registers)?;
        let nonce = reader.array("nonce")?;
        let sealed = reader.rest();
        let header = &bytes[..bytes.len() - sealed.len() - NONCE_LEN];
        Ok(Self {
            header,
            bound_to,
            registers,
            nonce,
            sealed,
        })
    }
}

/// PCR0 first, then ascending, none above 31, and not the manifest's: one measurement has one list.
fn check_registers(registers: &[u8]) -> Result<(), FormatError> {
    let ascending = registers.windows(2).all(|pair| pair[0] < pair[1]);
    let of_image = |index: &u8| *index < REGISTERS && *index != MANIFEST_REGISTER;
    if registers.first() == Some(&0) && ascending && registers.iter().all(of_image) {
        return Ok(());
    }
    let found = format!("{registers:?}");
    Err(field(
        "registers",
        &found,
        "0, then others up to 31 but 16 in ascending order",
    ))
}

fn header(measurement: &Measurement, registers: &[u8]) -> Result<Vec<u8>, FormatError> {
    let count = u8::try_from(registers.len()).map_err(|_| CRYPTO)?;
    let id = measurement.id();
    Ok([&MAGIC[..], &[VERSION], id.as_bytes(), &[count], registers].concat())
}

fn own_measurement(
    registers: &[u8],
    pcr_of: impl Fn(u8) -> Option<Pcr>,
) -> Result<Measurement, OpenError> {
    let mut values = registers
        .iter()
        .map(|index| match pcr_of(*index) {
            Some(pcr) => Ok((*index, pcr)),
            None => Err(OpenError::MissingRegister { index: *index }),
        })
        .collect::<Result<BTreeMap<u8, Pcr>, _>>()?;
    let image_sha384 = values
        .remove(&0)
        .ok_or(OpenError::MissingRegister { index: 0 })?;
    Ok(Measurement {
        image_sha384,
        registers: values,
    })
}

/// The two keys that a measurement and a header give.
struct Keys {
    seal: LessSafeKey,
    nonce: hmac::Key,
}

impl Keys {
    fn derive(measurement: &Measurement, header: &[u8]) -> Result<Self, FormatError> {
        let mut values = Vec::new();
        for (index, pcr) in measurement.of_image() {
            values.push(index);
            values.extend_from_slice(pcr.as_bytes());
        }
        let root = hkdf::Salt::new(HKDF_SHA256, SALT).extract(&values);
        let seal =
            UnboundKey::new(&AES_256_GCM, &expand(&root, b"seal", header)?).map_err(|_| CRYPTO)?;
        let nonce = hmac::Key::new(hmac::HMAC_SHA256, &expand(&root, b"nonce", header)?);
        Ok(Self {
            seal: LessSafeKey::new(seal),
            nonce,
        })
    }

    /// From the content: different contents under one key never share a nonce, equal ones give equal bytes.
    fn nonce(&self, plain: &[u8]) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        let tag = hmac::sign(&self.nonce, plain);
        nonce.copy_from_slice(&tag.as_ref()[..NONCE_LEN]);
        nonce
    }
}

fn expand(root: &hkdf::Prk, label: &[u8], header: &[u8]) -> Result<[u8; 32], FormatError> {
    let mut out = [0; 32];
    root.expand(&[label, header], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .map_err(|_| CRYPTO)?;
    Ok(out)
}

fn field(field: &'static str, found: &str, allowed: &'static str) -> FormatError {
    FormatError::field(DOCUMENT, field, found, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_encoding_of_one_blob_is_refused() {
        let inner = InnerBlob {
            cluster_id: "c".into(),
            generation: 1,
            threshold: 1,
            shares: vec![crate::SealedShare {
                key_arn: "arn".into(),
                ciphertext: vec![1],
            }],
            commitment: [0; 32],
            origin: None,
        };
        let image = Pcr::from_bytes([1; 48]);
        let measurement = Measurement::image(image);
        let header = header(&measurement, &[0]).unwrap();
        let keys = Keys::derive(&measurement, &header).unwrap();
        let seal = |nonce: [u8; NONCE_LEN]| {
            let mut sealed = inner.encode().unwrap();
            let once = Nonce::assume_unique_for_key(nonce);
            let done = keys
                .seal
                .seal_in_place_append_tag(once, Aad::from(&header), &mut sealed);
            done.unwrap();
            open(&[header.as_slice(), &nonce, &sealed].concat(), |_| {
                Some(image)
            })
        };
        assert_eq!(
            seal(keys.nonce(&inner.encode().unwrap())),
            Ok(inner.clone())
        );
        assert_eq!(seal([7; NONCE_LEN]), Err(OpenError::Altered));
    }
}
