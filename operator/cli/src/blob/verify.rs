//! `blob verify`.

use std::fmt::Write;

use attestation::Root;
use cluster_manifest::{Kind, check_blob, check_document, check_sealed};
use serde_json::{Value, json};

use super::backup::Backup;
use super::keys::{self, Found};
use crate::arguments::VerifyBlob;
use crate::input;
use crate::output::{self, Answer, Colour, Exit, Failure, paint, printable};
use crate::sealed;

/// What a copy is worth.
struct Judged {
    backup: Backup,
    /// What shows who sealed it, or why that does not verify.
    sealing: Result<&'static str, String>,
    /// What was found of each key; none where no key was asked.
    keys: Option<Vec<Found>>,
}

/// Whose the copy is, who sealed it, whether today's keys open it.
pub fn run(asked: &VerifyBlob) -> Result<Answer, Failure> {
    let backup = Backup::read(&asked.file, asked.measurement.as_deref())?;
    let root = sealed::root(asked.root.as_deref())?;
    let release = asked.measurement.as_deref().map(input::measurement);
    let release = release
        .transpose()?
        .unwrap_or_else(|| backup.bound_to.clone());
    let ask = || keys::of(&backup.inner, &release, asked.role_account.as_deref());
    let keys = (!asked.offline).then(ask).transpose()?;
    let judged = Judged {
        sealing: sealing(&backup, &root),
        backup,
        keys,
    };
    Ok(Answer {
        text: output::form(&judged.value(), asked.output, || judged.text())?,
        exit: Exit::of(judged.sealing.is_ok() && judged.opens().unwrap_or(true)),
    })
}

/// What the sealing document shows, together with the manifest where the copy has one.
fn sealing(backup: &Backup, root: &Root) -> Result<&'static str, String> {
    let inner = &backup.inner;
    let Some(signed) = &backup.manifest else {
        let found = check_document(inner, root).map_err(|why| why.to_string())?;
        return Ok(match found {
            Some(_) => "an enclave sealed it; the copy has no cluster manifest that says which may",
            None => "it has no sealing document (format 1): nothing shows who made it",
        });
    };
    let manifest = signed.unverified();
    let checked = match manifest.kind {
        Kind::Run { .. } => check_blob(manifest, inner, root).map(|_| ()),
        Kind::SealPermit => check_sealed(manifest, inner, root),
    };
    checked.map_err(|why| why.to_string())?;
    Ok("sealed as the cluster manifest beside it says; who signed that is for `manifest verify`")
}

impl Judged {
    /// Whether enough keys open it; none where no key was asked.
    fn opens(&self) -> Option<bool> {
        let keys = self.keys.as_ref()?;
        let open = keys.iter().filter(|found| found.closed.is_none()).count();
        Some(open >= usize::from(self.backup.inner.threshold))
    }

    fn value(&self) -> Value {
        let inner = &self.backup.inner;
        let asked = |arn: &str| {
            let keys = self.keys.as_ref()?;
            keys.iter().find(|found| found.arn == arn)
        };
        let keys = inner.shares.iter().map(|share| {
            let found = asked(&share.key_arn);
            json!({"arn": share.key_arn, "open": found.map(|found| found.closed.is_none()),
                "why": found.and_then(|found| found.closed.as_ref())})
        });
        json!({
            "clusterId": inner.cluster_id,
            "generation": inner.generation,
            "threshold": inner.threshold,
            "commitment": hex::encode(inner.commitment),
            "boundTo": self.backup.bound_to.image_sha384.to_string(),
            "manifest": self.backup.manifest.as_ref().map(|signed| signed.digest().to_string()),
            "sealing": { "verified": self.sealing.is_ok(), "told": self.sealing.as_ref().ok(), "why": self.sealing.as_ref().err() },
            "keys": keys.collect::<Vec<_>>(),
            "opens": self.opens(),
        })
    }

    fn text(&self) -> String {
        let inner = &self.backup.inner;
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<12}{value}");
        };
        line("cluster", &printable(&inner.cluster_id));
        line("generation", &inner.generation.to_string());
        line("commitment", &hex::encode(inner.commitment));
        line("bound to", &self.backup.bound_to.image_sha384.to_string());
        match &self.sealing {
            Ok(told) => line("sealing", told),
            Err(why) => line("sealing", &paint(Colour::Red, printable(why))),
        }
        for found in self.keys.iter().flatten() {
            match &found.closed {
                None => line("key", &format!("{} open", printable(&found.arn))),
                Some(why) => {
                    let told = format!("{}: {}", printable(&found.arn), printable(why));
                    line("key", &paint(Colour::Yellow, told));
                }
            }
        }
        let (needs, shares) = (inner.threshold, inner.shares.len());
        match self.opens() {
            None => line(
                "opens",
                &format!("not asked: it needs {needs} of {shares} keys"),
            ),
            Some(true) => line("opens", &format!("yes: it needs {needs} of {shares} keys")),
            Some(false) => {
                let told = format!("no: it needs {needs} of {shares} keys");
                line("opens", &paint(Colour::Red, told));
            }
        }
        text
    }
}
