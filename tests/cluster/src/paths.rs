//! Where things are kept: `~/.cache/chamber-operator`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Longest name of a cluster: names of cgroups and logs hold it.
const LONGEST: usize = 24;

/// Everything that may be deleted at any time between two runs.
pub fn cache() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/chamber-operator"))
}

/// State of one cluster: certificates, configuration, logs. The name is checked: it becomes a folder that is deleted.
pub fn run_dir(name: &str) -> Result<PathBuf> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        (1..=LONGEST).contains(&name.len()) && name.bytes().all(known) && !name.starts_with('-'),
        "cluster name {name:?}: use 1 to {LONGEST} of a-z, 0-9 and -, not beginning with -"
    );
    Ok(cache()?.join("run").join(name))
}

/// The root of the project's sources.
pub fn project() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).unwrap_or(crate_dir).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_the_folder_of_runs() {
        let runs = cache().unwrap().join("run");
        assert_eq!(run_dir("dev-2").unwrap(), runs.join("dev-2"));
        for wrong in ["", ".", "..", "a/b", "../run", "-x", "Dev", &"a".repeat(25)] {
            assert!(run_dir(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
