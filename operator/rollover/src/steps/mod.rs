//! The five steps of a rollover, and the rest between two: each says what it still needs, and `None` when it is done.

pub mod admit;
pub mod attested;
pub mod measure;
pub mod retire;
pub mod roll;
pub mod settled;
pub mod verify;
