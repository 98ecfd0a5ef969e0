//! `describe-eif`.

use std::fmt::Write;

use measurement::eif;

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
        text
    };
    Ok(Answer {
        text: output::form(&found.to_json(), output, human)?,
        exit: Exit::of(found.crc_matches),
    })
}
