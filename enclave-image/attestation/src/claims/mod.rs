//! What our enclaves say in `user_data`, so that a document of one purpose is never taken for one of another.
//!
//! One value has one encoding, byte for byte in `docs/attestation.md`.

mod error;
mod gate;

pub use error::ClaimsError;
pub use gate::GateClaims;

use wire_format::{FormatError, Reader};

const DOCUMENT: &str = "claims";
/// Begins every claim: no other use of `user_data` does.
const DOMAIN: &[u8] = b"chamber.dev/attestation\0";
const VERSION: u8 = 1;

const SEAL: u8 = 1;
const REWRAP: u8 = 2;
const GATE: u8 = 3;
const PROBE: u8 = 4;

/// SHA-384.
pub(crate) type Digest = [u8; 48];

/// What an enclave says of itself, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claims {
    /// This enclave made a sealed blob.
    Seal {
        /// SHA-384 of the inner blob's core.
        core: Digest,
    },
    /// This enclave wrapped the shares of a sealed blob anew.
    Rewrap {
        /// SHA-384 of the inner blob's core.
        core: Digest,
    },
    /// This enclave tells its state to whoever gates a rollover.
    Gate(GateClaims),
    /// Reserved for the retirement of keys.
    Probe {
        /// What is probed.
        subject: Digest,
    },
}

impl Claims {
    /// The bytes for `user_data`, at most 512; an error where a field has a value that no encoding stands for.
    pub fn encode(&self) -> Result<Vec<u8>, ClaimsError> {
        let (purpose, body) = match self {
            Self::Seal { core } => (SEAL, core.to_vec()),
            Self::Rewrap { core } => (REWRAP, core.to_vec()),
            Self::Gate(gate) => (GATE, gate.encode()?),
            Self::Probe { subject } => (PROBE, subject.to_vec()),
        };
        Ok([DOMAIN, &[VERSION, purpose], &body].concat())
    }

    /// Reads the bytes of `user_data`; whatever `encode` does not write is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, ClaimsError> {
        let rest = bytes.strip_prefix(DOMAIN).ok_or(ClaimsError::NotOurs)?;
        let mut reader = Reader::new(DOCUMENT, rest);
        match reader.byte("version")? {
            VERSION => {}
            found => {
                let (document, known) = (DOCUMENT, "1");
                return Err(FormatError::Version {
                    document,
                    found,
                    known,
                }
                .into());
            }
        }
        let claims = match reader.byte("purpose")? {
            SEAL => Self::Seal {
                core: reader.array("core")?,
            },
            REWRAP => Self::Rewrap {
                core: reader.array("core")?,
            },
            GATE => Self::Gate(GateClaims::read(&mut reader)?),
            PROBE => Self::Probe {
                subject: reader.array("subject")?,
            },
            found => {
                let allowed = "1 (seal), 2 (rewrap), 3 (gate), 4 (probe)";
                return Err(FormatError::field(DOCUMENT, "purpose", found, allowed).into());
            }
        };
        reader.end()?;
        Ok(claims)
    }
}
