//! What can be wrong with a blob or with shares.

use wire_format::FormatError;

/// Why a blob does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a sealed blob of a version that this build reads.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The blob is bound to a register whose value is not known here.
    #[error(
        "sealed blob is bound to PCR{index}, whose value is not known here: name it in the measurement"
    )]
    MissingRegister {
        /// Index of the register.
        index: u8,
    },
    /// Bound to other PCR values than these.
    #[error(
        "sealed blob is bound to measurement {bound}, this is measurement {own} (ids over PCRs {registers:?}): use the blob of this release"
    )]
    OtherMeasurement {
        /// Id of the measurement that the blob says it is for.
        bound: String,
        /// Id of the measurement that it was opened with.
        own: String,
        /// The registers that both ids are made of.
        registers: Vec<u8>,
    },
    /// Bound to these PCR values, but changed since.
    #[error("sealed blob was altered: its seal does not fit; restore it from a copy")]
    Altered,
}

/// Why a key is not split, or shares do not combine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShamirError {
    /// Threshold and number of shares that make no scheme.
    #[error("threshold {threshold} of {count} shares: needs 1 <= threshold <= shares <= {MAX}", MAX = crate::MAX_SHARES)]
    Scheme {
        /// Shares that open the key.
        threshold: u8,
        /// Shares in all.
        count: u8,
    },
    /// A share of wrong length or with index 0.
    #[error("share {0:?}: a share is its index (1 to {MAX}) and 32 bytes", MAX = crate::MAX_SHARES)]
    Share(Option<u8>),
    /// Two shares with one index.
    #[error("two shares have the index {0}")]
    Duplicate(u8),
    /// Fewer shares than the threshold.
    #[error("{found} shares of the {needed} that are needed")]
    TooFew {
        /// Shares given.
        found: usize,
        /// The threshold.
        needed: u8,
    },
    /// The source of random bytes failed.
    #[error("no random bytes")]
    Random,
}

/// Why the master key did not come back from opened shares.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Not enough shares, or shares that are none.
    #[error(transparent)]
    Shares(#[from] ShamirError),
    /// No subset of the shares gives the committed key.
    #[error(
        "the shares {indices:?} do not give the committed master key in any combination of {threshold}: at least one of each was tampered with"
    )]
    Commitment {
        /// Indices of the shares that were tried.
        indices: Vec<u8>,
        /// Shares that open the key.
        threshold: u8,
    },
}
