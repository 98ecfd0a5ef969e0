//! The API server's audit log: one JSON object a line, in order.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use demo::emulator::AuditEntry;
use jiff::Timestamp;
use serde_json::Value;

/// One request that was answered.
pub struct Entry(Value);

/// Every request that the audit policy names.
pub fn read(file: &Path) -> Result<Vec<Entry>> {
    read_from(file, &mut 0)
}

/// What was written since `offset` (bytes), which moves on to the end of the last whole line.
pub fn read_from(file: &Path, offset: &mut u64) -> Result<Vec<Entry>> {
    let context = || format!("reading {}", file.display());
    let mut log = File::open(file).with_context(context)?;
    log.seek(SeekFrom::Start(*offset)).with_context(context)?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes).with_context(context)?;
    // The last line may be half written.
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    *offset += u64::try_from(whole)?;
    let entries = bytes[..whole].split(|byte| *byte == b'\n');
    let entries = entries.filter_map(|line| serde_json::from_slice(line).ok());
    let entries = entries
        .map(Entry)
        .filter(|entry| entry.text("/stage") == "ResponseComplete");
    Ok(entries.collect())
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

    /// `status`, `binding` and so on; empty for the object itself.
    pub fn subresource(&self) -> &str {
        self.text("/objectRef/subresource")
    }

    /// Name of the object; of one whose name the server made, as it was answered.
    pub fn name(&self) -> &str {
        match self.text("/responseObject/metadata/name") {
            "" => self.text("/objectRef/name"),
            name => name,
        }
    }

    /// A part of the answered object, where the audit policy keeps answers.
    pub fn answered(&self, pointer: &str) -> Option<&Value> {
        self.0.get("responseObject")?.pointer(pointer)
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

/// The policies that were written for one key, in order.
pub fn policy_writes(calls: &[AuditEntry], arn: &str) -> Vec<(Timestamp, Vec<String>)> {
    calls
        .iter()
        .filter(|call| {
            call.operation == "PutKeyPolicy"
                && call.outcome == "ok"
                && call.key.as_deref() == Some(arn)
        })
        .map(|call| (call.time, call.admitted.clone().unwrap_or_default()))
        .collect()
}
