//! Prometheus' text exposition format 0.0.4.
//!
//! Written by hand, because client libraries append `_total` to `kms_attestation_rejected`, whose name is given.

use std::fmt::Write;

/// One line a sample, with HELP and TYPE.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// The page.
    pub fn text(self) -> String {
        self.0
    }

    /// Begins a family: its samples follow.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A whole number.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.line(name, labels, &value.to_string());
    }

    /// Any number.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escape(text));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

/// Label values come from the enclave, whom nobody has to trust for the shape of this page.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}
