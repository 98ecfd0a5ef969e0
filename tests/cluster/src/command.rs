//! Running programs, with errors that say what was run and what it said.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs a program to its end; its output is only shown when it fails.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!(
            "{shown} ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same from words separated by spaces.
pub fn sh(words: &str) -> Result<String> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("true"));
    run(command.args(words))
}
