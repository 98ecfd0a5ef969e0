//! Running programs, with errors that say what was run and what it said.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a condition is looked at that nothing tells of.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Runs a program to its end; its output is only shown when it fails.
pub(crate) fn run(command: &mut Command) -> Result<String> {
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
pub(crate) fn sh(words: &str) -> Result<String> {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("true"));
    run(command.args(words))
}

/// Looks until the condition gives a value; an error of the condition ends it at once.
pub(crate) fn wait<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > patience {
            bail!("waited {} s for {what}", patience.as_secs());
        }
        std::thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_the_command_and_what_it_said() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("why"),
            "{error}"
        );
        let error = format!("{:#}", sh("no-such-program a b").unwrap_err());
        assert!(error.contains("no-such-program"), "{error}");
    }

    #[test]
    fn waiting_ends_with_a_value_an_error_or_the_time() {
        let mut looks = 0;
        let found = wait("it", Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 2).then_some(looks))
        });
        assert_eq!(found.unwrap(), 2);
        assert!(wait::<()>("it", Duration::from_secs(5), || bail!("broken")).is_err());
        let error = wait::<()>("it", Duration::ZERO, || Ok(None)).unwrap_err();
        assert!(error.to_string().contains("for it"), "{error}");
    }
}
