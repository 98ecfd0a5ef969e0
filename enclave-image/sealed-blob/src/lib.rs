//! The sealed blob: Shamir shares wrapped by KMS keys, bound to a measurement.
//!
//! Two layers, byte for byte in `docs/sealed-blob.md`. The inner one ([`InnerBlob`]) holds each share of the master
//! key as a KMS ciphertext and a commitment to the master key: it alone is confidential, and only because of the KMS
//! key policies. The outer one ([`bind`], [`open`]) is AES-256-GCM under a key made of PCR values, which are public:
//! it detects alteration and an image that the blob was not meant for, and hides nothing.

mod commitment;
mod error;
mod inner;
mod outer;
mod recover;
mod shamir;

pub use commitment::{commitment, commitment_of_format_1, encryption_context};
pub use error::{OpenError, RecoverError, ShamirError};
pub use inner::{InnerBlob, Origin, SealedShare};
pub use outer::{MAX_BYTES, bind, open};
pub use recover::{Recovered, recover};
pub use shamir::{KEY_BYTES, MasterKey, SHARE_BYTES, Share, combine, split};
pub use wire_format::{FormatError, MAX_SHARES};
