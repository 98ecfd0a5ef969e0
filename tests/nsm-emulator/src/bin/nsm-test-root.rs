//! `nsm-test-root OUT_DIR`: writes `root.pem` (for the verifier) and `nsm-signer.json` (for chambers).

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nsm_emulator::TestRoot;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(out), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        eprintln!("usage: nsm-test-root OUT_DIR");
        return ExitCode::from(2);
    };
    match write(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nsm-test-root: {}: {error}", out.display());
            ExitCode::FAILURE
        }
    }
}

fn write(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = TestRoot::generate()?;
    let signer = root.issue_signer()?;
    fs::create_dir_all(out)?;
    fs::write(out.join("root.pem"), root.certificate_pem())?;
    let path = out.join("nsm-signer.json");
    // Replaced, not written over: an old file's mode would stay.
    if path.exists() {
        fs::remove_file(&path)?;
    }
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(signer.to_json().as_bytes())?;
    Ok(())
}
