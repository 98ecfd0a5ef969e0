//! What comes before every step: a person's word, a revocation, a deletion, another target, a failure.

pub mod deletion;
pub mod failure;
pub mod retarget;
pub mod revoke;
pub mod transfer;
pub mod verbs;
