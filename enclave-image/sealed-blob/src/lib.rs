//! The sealed blob: Shamir shares wrapped by KMS keys, bound to a measurement.
