//! `blob`: copies of a cluster's sealed blob.

mod backup;
mod export;
mod import;
mod keys;
mod manifest;
mod verify;

use crate::arguments::BlobVerb;
use crate::output::{Answer, Failure};

/// Does what was asked.
pub fn run(verb: &BlobVerb) -> Result<Answer, Failure> {
    match verb {
        BlobVerb::Export(asked) => export::run(asked),
        BlobVerb::Import(asked) => import::run(asked),
        BlobVerb::Verify(asked) => verify::run(asked),
        BlobVerb::Manifest(asked) => manifest::run(asked),
    }
}
