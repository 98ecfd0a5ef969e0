//! `emulated-agent`: the production agent under test roots, which its image measures.

use std::path::Path;

use attestation::Root;
use enclave::{Fatal, Roots};

/// Root of the emulated security module, PEM.
const NSM: &str = "/etc/chamber/nsm-root.pem";
/// Root of the KMS emulator's TLS, PEM.
const KMS: &str = "/etc/chamber/kms-root.pem";

fn main() {
    enclave::run(roots)
}

fn roots() -> Result<Roots, Fatal> {
    let root = |path, why: String| Fatal::Root(format!("{path}: {why}"));
    let nsm = Root::from_pem(&read(NSM)?).map_err(|error| root(NSM, error.to_string()))?;
    let kms = pem::parse(read(KMS)?).map_err(|error| root(KMS, error.to_string()))?;
    Ok(Roots {
        nsm,
        kms_tls: Roots::tls([kms.contents()])?,
    })
}

fn read(path: &str) -> Result<String, Fatal> {
    let read = std::fs::read_to_string(Path::new(path));
    read.map_err(|error| Fatal::Root(format!("{path}: {error}")))
}
