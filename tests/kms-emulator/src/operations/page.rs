//! Lists in pages: `Limit` and `Marker` in, `Truncated` and `NextMarker` out.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::wire::Members;

/// How many entries a page has.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub default: usize,
    pub max: usize,
}

/// What of a list is asked for.
pub(super) struct Page {
    limit: usize,
    from: usize,
}

/// A marker is opaque to its user: here the number of the first entry.
const MARKER: &str = "marker-";

/// The page that a request names.
pub(super) fn asked(members: &Members, sizes: Sizes) -> Result<Page, ApiError> {
    let limit = match members.number("Limit")? {
        None => sizes.default,
        Some(asked) => usize::try_from(asked)
            .ok()
            .filter(|limit| (1..=sizes.max).contains(limit))
            .ok_or_else(|| {
                let must = format!("have value between 1 and {}", sizes.max);
                ApiError::constraint(&format!("'{asked}'"), "limit", &must)
            })?,
    };
    let from = match members.text("Marker")? {
        None => 0,
        Some(marker) => {
            let number = marker.strip_prefix(MARKER).and_then(|n| n.parse().ok());
            number.ok_or_else(invalid)?
        }
    };
    Ok(Page { limit, from })
}

impl Page {
    /// The answer with this page of a list.
    pub fn of(&self, member: &str, all: &[Value]) -> Result<Value, ApiError> {
        let rest = all.get(self.from..).ok_or_else(invalid)?;
        let shown = &rest[..self.limit.min(rest.len())];
        let truncated = shown.len() < rest.len();
        let mut answer = json!({ member: shown, "Truncated": truncated });
        if truncated {
            answer["NextMarker"] = json!(format!("{MARKER}{}", self.from + shown.len()));
        }
        Ok(answer)
    }
}

fn invalid() -> ApiError {
    ApiError::client(
        "InvalidMarkerException",
        "The marker is not one of this list.",
    )
}
