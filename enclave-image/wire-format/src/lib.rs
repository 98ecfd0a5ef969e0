//! Reading and checking the fields that sealed blobs, cluster manifests and claims have in common.
//!
//! Every format here has one encoding for one value: what does not encode to the same bytes again is refused.

mod error;
mod fields;
mod reader;

pub use error::FormatError;
pub use fields::{
    MAX_CLUSTER_ID, MAX_KEY_ARN, MAX_SHARES, check_cluster_id, check_key_arn, check_scheme,
    put_long, put_short,
};
pub use reader::Reader;
