//! The audit log: one entry for each call, in the order in which the calls took effect.

use serde::Serialize;

/// Entries kept; the oldest go first, so that a long run stays small.
const KEPT: usize = 100_000;

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Counts from 1 and is never used twice, also after the log was emptied.
    pub seq: u64,
    /// RFC 3339.
    pub time: String,
    /// ARN of the caller, or `unauthenticated`.
    pub principal: String,
    /// Such as `Decrypt` or `AssumeRole`.
    pub operation: String,
    #[serde(flatten)]
    pub note: Note,
    /// `ok`, or the error's code.
    pub outcome: String,
}

/// What an operation adds to its entry while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    /// ARN of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// ARN of the role, for `AssumeRole`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `ImageSha384` of a verified attestation document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement: Option<String>,
    /// Id of the attesting security module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// For `PutKeyPolicy`: the `ImageSha384` values that the new policy's Allow statements name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted: Option<Vec<String>>,
    /// The answer was dropped on purpose.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub answer_lost: bool,
}

/// The log.
#[derive(Default)]
pub(crate) struct Audit {
    entries: std::collections::VecDeque<Entry>,
    last: u64,
}

impl Audit {
    /// Adds an entry under the next number.
    pub fn push(&mut self, mut entry: Entry) {
        self.last += 1;
        entry.seq = self.last;
        tracing::info!(
            seq = entry.seq,
            principal = entry.principal,
            operation = entry.operation,
            key = entry.note.key,
            outcome = entry.outcome,
            "call"
        );
        self.entries.push_back(entry);
        if self.entries.len() > KEPT {
            self.entries.pop_front();
        }
    }

    /// The entries after a number, in order.
    pub fn since(&self, seq: u64) -> Vec<Entry> {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// Forgets the entries; numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
