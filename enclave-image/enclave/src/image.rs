//! What the user's part of the image says: whose manifests count, and how the workload is started.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use cluster_manifest::Authority;
use unseal_agent::TrustError;

use crate::workload::Config;

/// The user's program.
pub const WORKLOAD: &str = "/workload";
const CONFIG: &str = "/etc/chamber/workload.json";
const AUTHORITIES: &str = "/etc/chamber/authorities.pem";
/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// How the workload is started.
pub fn config() -> Result<Config, TrustError> {
    match read(Path::new(CONFIG))? {
        Some(json) => Config::parse(&json).map_err(|error| fault(CONFIG, error)),
        None => Ok(Config::default()),
    }
}

/// The authorities that the image measures; without the file there are none.
pub fn authorities() -> Result<Vec<Authority>, TrustError> {
    match read(Path::new(AUTHORITIES))? {
        Some(text) => parse_authorities(&text),
        None => Ok(Vec::new()),
    }
}

fn parse_authorities(text: &[u8]) -> Result<Vec<Authority>, TrustError> {
    let blocks = pem::parse_many(text).map_err(|error| fault(AUTHORITIES, error))?;
    // A file that was meant to have keys and has none would switch the protection off in silence.
    if blocks.is_empty() && !text.trim_ascii().is_empty() {
        return Err(fault(AUTHORITIES, "text without a block of PEM"));
    }
    let authority = |block: &pem::Pem| {
        if block.tag() != PUBLIC_KEY {
            let what = format!("a block {:?}, expected {PUBLIC_KEY}", block.tag());
            return Err(fault(AUTHORITIES, what));
        }
        Authority::from_der(block.contents()).map_err(|error| fault(AUTHORITIES, error))
    };
    blocks.iter().map(authority).collect()
}

/// A file's bytes; `None` where it is missing.
fn read(path: &Path) -> Result<Option<Vec<u8>>, TrustError> {
    let failed = |error| fault(&path.display().to_string(), error);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    let read = file
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(fault(
            &path.display().to_string(),
            format!("longer than {MAX_FILE} bytes"),
        ));
    }
    Ok(Some(bytes))
}

fn fault(path: &str, what: impl std::fmt::Display) -> TrustError {
    TrustError::Image(format!("{path}: {what}"))
}
