//! A KMS and STS stand-in that enforces key policies and attestation.
