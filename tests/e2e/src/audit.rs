//! The API server's audit log: one JSON object a line, in order.

use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

/// One request that was answered.
pub struct Entry(Value);

/// Every request that the audit policy names.
pub fn read(file: &Path) -> Result<Vec<Entry>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let entries = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let entries: Vec<_> = entries
        .map(Entry)
        .filter(|entry| entry.text("/stage") == "ResponseComplete")
        .collect();
    Ok(entries)
}

impl Entry {
    fn text(&self, pointer: &str) -> &str {
        self.0
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// When the request came in.
    pub fn at(&self) -> Option<Timestamp> {
        self.text("/requestReceivedTimestamp").parse().ok()
    }

    /// Who asked.
    pub fn user(&self) -> &str {
        self.text("/user/username")
    }

    /// create, patch, delete ...
    pub fn verb(&self) -> &str {
        self.text("/verb")
    }

    /// Plural of the kind.
    pub fn resource(&self) -> &str {
        self.text("/objectRef/resource")
    }

    /// Namespace of the object.
    pub fn namespace(&self) -> &str {
        self.text("/objectRef/namespace")
    }

    /// Whether it was done.
    pub fn done(&self) -> bool {
        self.0
            .pointer("/responseStatus/code")
            .and_then(Value::as_u64)
            .is_some_and(|code| code < 300)
    }

    /// A label of the object that was sent or, failing that, answered.
    pub fn label(&self, name: &str) -> Option<&str> {
        ["requestObject", "responseObject"]
            .iter()
            .find_map(|object| {
                self.0
                    .get(object)?
                    .pointer("/metadata/labels")?
                    .get(name)?
                    .as_str()
            })
    }

    /// For messages.
    pub fn line(&self) -> String {
        format!(
            "{} {} {} {}",
            self.user(),
            self.verb(),
            self.resource(),
            self.text("/objectRef/name")
        )
    }
}
