//! `describe-eif`.

use std::fmt::Write;

use measurement::eif::{self, Description};

use crate::arguments::Output;
use crate::input;
use crate::output::{self, Answer, Exit, Failure};

/// Describes an image file. A wrong checksum is something to look at.
pub fn run(file: &str, output: Output) -> Result<Answer, Failure> {
    let found = eif::read(input::open(file)?).map_err(|why| Failure::read(file, &why))?;
    let human = || {
        let mut text = String::new();
        let registers = [
            ("PCR0", Some(found.pcr0)),
            ("PCR1", Some(found.pcr1)),
            ("PCR2", Some(found.pcr2)),
            ("PCR8", found.pcr8),
        ];
        for (name, pcr) in registers {
            if let Some(pcr) = pcr {
                let _ = writeln!(text, "{name:<10}{pcr}");
            }
        }
        let _ = writeln!(text, "{:<10}{}", "signed", found.pcr8.is_some());
        let _ = writeln!(
            text,
            "{:<10}{}",
            "checksum",
            if found.crc_matches { "right" } else { "wrong" }
        );
        text.push_str(&measured_files(&found));
        text
    };
    Ok(Answer {
        text: output::form(&found.to_json(), output, human)?,
        exit: Exit::of(found.crc_matches),
    })
}

/// What the measured ramdisks say: which agent it is, and whose manifests it believes.
fn measured_files(found: &Description) -> String {
    let files = match &found.files {
        Ok(files) => files,
        Err(why) => return format!("{:<10}unknown: {why}\n", "files"),
    };
    let mut text = String::new();
    if let Some(hash) = &files.init_sha256 {
        let _ = writeln!(text, "{:<10}SHA-256 {}", "/init", hex::encode(hash));
    }
    for authority in &files.authorities {
        let _ = writeln!(text, "{:<10}{}", "authority", hex::encode(authority));
    }
    if files.authorities.is_empty() {
        let none = "none: without one, the agent believes its host which keys are the cluster's";
        let _ = writeln!(text, "{:<10}{none}", "authority");
    }
    text
}
