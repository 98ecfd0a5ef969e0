//! One platform configuration register: the 48 bytes of a SHA-384 digest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Length of a register in bytes (SHA-384).
const BYTES: usize = 48;

/// A register's value: 48 bytes, written as 96 lower-case hex characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pcr([u8; BYTES]);

/// Why a text is not a register's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PcrError {
    /// Not 96 characters long.
    #[error("has {0} characters, expected 96 hex characters (SHA-384)")]
    Length(usize),
    /// Right length, but a character outside `0-9a-f`.
    #[error("has the character {0:?}, expected only 0-9 and a-f (lower case, without 0x)")]
    Character(char),
}

impl Pcr {
    /// 96 x `f`: stands in a key policy where no image is admitted, because what an empty list means is uncertain.
    ///
    /// No image has it: a register begins as zeros and is only ever extended, so its value is a SHA-384 digest,
    /// and nobody can find what hashes to a given one.
    pub const NOBODY: Self = Self([0xff; BYTES]);

    /// Parses 96 lower-case hex characters.
    pub fn parse(text: &str) -> Result<Self, PcrError> {
        if let Some(bad) = text.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(PcrError::Character(bad));
        }
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| PcrError::Length(text.len()))?;
        Ok(Self(bytes))
    }

    /// The register with these bytes.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The 48 bytes.
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// All zeros: what an enclave in debug mode attests, so it matches anybody's enclave.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// The reserved value [`Pcr::NOBODY`].
    pub fn is_nobody(&self) -> bool {
        *self == Self::NOBODY
    }
}

impl fmt::Display for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pcr({self})")
    }
}

impl FromStr for Pcr {
    type Err = PcrError;
    fn from_str(text: &str) -> Result<Self, PcrError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Pcr {
    type Error = PcrError;
    fn try_from(text: String) -> Result<Self, PcrError> {
        Self::parse(&text)
    }
}

impl From<Pcr> for String {
    fn from(pcr: Pcr) -> Self {
        pcr.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rejects_upper_case_prefix_and_wrong_length() {
        assert_eq!(Pcr::parse(&"A".repeat(96)), Err(PcrError::Character('A')));
        assert_eq!(
            Pcr::parse(&format!("0x{}", "a".repeat(94))),
            Err(PcrError::Character('x'))
        );
        assert_eq!(Pcr::parse("ab"), Err(PcrError::Length(2)));
        assert_eq!(Pcr::parse(&"a".repeat(95)), Err(PcrError::Length(95)));
        assert_eq!(Pcr::parse(""), Err(PcrError::Length(0)));
    }

    #[test]
    fn only_all_zeros_is_zero() {
        assert!(Pcr::from_bytes([0; 48]).is_zero());
        let mut bytes = [0; 48];
        bytes[47] = 1;
        assert!(!Pcr::from_bytes(bytes).is_zero());
    }

    #[test]
    fn nobody_is_96_times_f() {
        assert_eq!(Pcr::NOBODY.to_string(), "f".repeat(96));
        let mut bytes = [0xff; 48];
        assert!(Pcr::from_bytes(bytes).is_nobody());
        bytes[0] = 0xfe;
        assert!(!Pcr::from_bytes(bytes).is_nobody());
        assert!(!Pcr::from_bytes([0; 48]).is_nobody());
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_identity(bytes in prop::array::uniform32(any::<u8>()), tail in prop::array::uniform16(any::<u8>())) {
            let mut all = [0; 48];
            all[..32].copy_from_slice(&bytes);
            all[32..].copy_from_slice(&tail);
            let pcr = Pcr::from_bytes(all);
            prop_assert_eq!(Pcr::parse(&pcr.to_string()), Ok(pcr));
        }

        #[test]
        fn any_text_parses_or_is_refused_without_panic(text in ".{0,120}") {
            if let Ok(pcr) = Pcr::parse(&text) {
                prop_assert_eq!(pcr.to_string(), text);
            }
        }
    }
}
