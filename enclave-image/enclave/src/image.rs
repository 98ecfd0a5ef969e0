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

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";

    fn refused(text: &str) -> String {
        parse_authorities(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_key_of_the_file_counts_and_an_empty_file_is_an_image_without_any() {
        assert_eq!(parse_authorities(KEYS.as_bytes()).unwrap().len(), 2);
        assert_eq!(parse_authorities(b" \n").unwrap(), []);
    }

    #[test]
    fn what_was_meant_to_be_a_key_never_switches_the_protection_off() {
        let path = "this image was built with a fault: /etc/chamber/authorities.pem: ";
        assert_eq!(
            refused("ssh-ed25519 AAAA"),
            format!("{path}text without a block of PEM")
        );
        let certificate = KEYS.replacen("PUBLIC KEY", "CERTIFICATE", 2);
        assert_eq!(
            refused(&certificate),
            format!("{path}a block \"CERTIFICATE\", expected PUBLIC KEY")
        );
        let short = KEYS.replacen("GAb9", "", 1).replacen("MCow", "", 1);
        assert!(refused(&short).starts_with(path), "{}", refused(&short));
    }

    #[test]
    fn a_file_that_is_missing_is_none_and_one_that_is_too_long_is_a_fault() {
        assert_eq!(read(Path::new("/no/such/file")).unwrap(), None);
        let path = std::env::temp_dir().join(format!("chamber-image-{}", std::process::id()));
        std::fs::write(&path, vec![b' '; 64 * 1024]).unwrap();
        assert_eq!(read(&path).unwrap().map(|bytes| bytes.len()), Some(65_536));
        std::fs::write(&path, vec![b' '; 64 * 1024 + 1]).unwrap();
        let fault = read(&path).unwrap_err().to_string();
        assert!(fault.ends_with(": longer than 65536 bytes"), "{fault}");
        std::fs::remove_file(&path).unwrap();
    }
}
