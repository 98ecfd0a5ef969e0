//! Files, standard input, and values on the command line.

use std::fs::File;
use std::io::{self, Read};

use key_policy::Policy;
use measurement::{Measurement, Pcr};
use serde::Deserialize;
use serde_json::Value;

use crate::output::Failure;
use crate::text;

/// Bytes that are read of a policy: four times what KMS takes, as it may be indented.
const MOST: u64 = 4 * 32_768;
/// Bytes that are read of a manifest: what the API server takes.
pub const MANIFEST: u64 = 3 * 1024 * 1024;

/// Opens a file, or standard input for `-`.
pub fn open(name: &str) -> Result<Box<dyn Read>, Failure> {
    if name == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(name).map_err(|why| Failure::read(name, &why))?;
    Ok(Box::new(file))
}

/// Reads a policy.
pub fn policy(name: &str) -> Result<Policy, Failure> {
    Policy::parse(&policy_text(name)?).map_err(|why| Failure::read(name, &why))
}

/// Reads the text of a policy: of a document, or of what `aws kms get-key-policy` prints around one.
pub fn policy_text(name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    open(name)?
        .take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|why| Failure::read(name, &why))?;
    if bytes.len() as u64 > MOST {
        let why = format!(
            "has more than {MOST} bytes, KMS takes {}",
            key_policy::MAX_SIZE
        );
        return Err(Failure::read(name, &why));
    }
    let text = text::decoded(&bytes).map_err(|why| Failure::read(name, &why))?;
    Ok(text::unwrapped(text))
}

/// Reads a text of at most so many bytes.
pub fn text(name: &str, most: u64) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    open(name)?
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|why| Failure::read(name, &why))?;
    if bytes.len() as u64 > most {
        return Err(Failure::read(name, &format!("has more than {most} bytes")));
    }
    text::decoded(&bytes).map_err(|why| Failure::read(name, &why))
}

/// Reads a manifest: JSON, or YAML with any number of documents.
pub fn manifest(name: &str) -> Result<Vec<Value>, Failure> {
    let mut bytes = Vec::new();
    open(name)?
        .take(MANIFEST)
        .read_to_end(&mut bytes)
        .map_err(|why| Failure::read(name, &why))?;
    let text = text::decoded(&bytes).map_err(|why| Failure::read(name, &why))?;
    let documents = serde_yaml_ng::Deserializer::from_str(&text).map(Value::deserialize);
    documents
        .collect::<Result<_, _>>()
        .map_err(|why| Failure::read(name, &why))
}

/// `<96 hex>`, or `PCR0=<96 hex>,PCR8=<96 hex>`; case does not matter.
pub fn measurement(text: &str) -> Result<Measurement, Failure> {
    let pcr = |value: &str| {
        let wrong = |why: &dyn std::fmt::Display| {
            Failure::Usage(format!("--measurement {text}: {value} {why}"))
        };
        let pcr = Pcr::parse(&value.to_ascii_lowercase()).map_err(|why| wrong(&why))?;
        if pcr.is_nobody() {
            return Err(wrong(
                &"is 96 x f, which no image has: it stands in policies that admit nobody",
            ));
        }
        Ok(pcr)
    };
    if !text.contains('=') {
        return Ok(Measurement::image(pcr(text)?));
    }
    let wrong = |part: &str| {
        Failure::Usage(format!(
            "--measurement {text}: {part} is not PCR<n>=<96 hex characters>"
        ))
    };
    let mut image = None;
    let mut registers = std::collections::BTreeMap::new();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
        let index = name.to_ascii_uppercase();
        let index: u8 = index
            .strip_prefix("PCR")
            .and_then(|index| index.parse().ok())
            .filter(|index| *index <= 31)
            .ok_or_else(|| wrong(part))?;
        let before = match index {
            0 => image.replace(pcr(value)?),
            _ => registers.insert(index, pcr(value)?),
        };
        if before.is_some() {
            return Err(Failure::Usage(format!(
                "--measurement {text}: PCR{index} is there twice"
            )));
        }
    }
    let image_sha384 =
        image.ok_or_else(|| Failure::Usage(format!("--measurement {text}: has no PCR0")))?;
    Ok(Measurement {
        image_sha384,
        registers,
    })
}
