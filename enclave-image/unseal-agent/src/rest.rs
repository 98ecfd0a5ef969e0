//! Shares that are asked for again after the chamber unsealed without them.

use std::collections::BTreeSet;
use std::sync::Arc;

use chamber_link::ShareResult;
use sealed_blob::InnerBlob;

use crate::ShareReport;

/// Shares that KMS neither opened nor refused while the others were enough.
pub struct Rest {
    /// The blob's shares.
    pub inner: Arc<InnerBlob>,
    /// ARNs of their keys.
    pub keys: BTreeSet<String>,
}

impl Rest {
    /// None yet.
    pub fn none(inner: Arc<InnerBlob>) -> Self {
        Self {
            inner,
            keys: BTreeSet::new(),
        }
    }

    /// Takes in what became of one share.
    pub fn note(&mut self, report: &ShareReport) {
        if asks_again(report.result) {
            self.keys.insert(report.key_arn.clone());
        }
    }
}

/// A refusal is an answer, and is not asked for again: each would count as a rejection.
fn asks_again(result: ShareResult) -> bool {
    matches!(result, ShareResult::Throttled | ShareResult::Transient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_was_refused_is_not_asked_for_again() {
        let answers = [
            ShareResult::Opened,
            ShareResult::Denied,
            ShareResult::KeyUnusable,
            ShareResult::Invalid,
        ];
        assert!(!answers.into_iter().any(asks_again));
        assert!(asks_again(ShareResult::Throttled) && asks_again(ShareResult::Transient));
    }
}
