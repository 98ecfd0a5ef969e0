//! Where things are kept: `~/.cache/chamber-operator`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Everything that may be deleted at any time between two runs.
pub fn cache() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/chamber-operator"))
}

/// State of one cluster: certificates, configuration, logs.
pub fn run_dir(name: &str) -> Result<PathBuf> {
    Ok(cache()?.join("run").join(name))
}

/// The root of the project's sources.
pub fn project() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).unwrap_or(crate_dir).to_owned()
}
