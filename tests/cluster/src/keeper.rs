//! The process outside of the namespaces: makes them, and cleans up when they end, however they end.
//!
//! Keeper and supervisor watch each other. The supervisor's standard input is a pipe that only the
//! keeper can write to: when the keeper dies, the supervisor reads its end and cleans up in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::binaries::Binaries;
use crate::command::wait;
use crate::network::Subnet;
use crate::run_dir::{Role, RunDir};

/// From `unshare` to the first process inside.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the cluster in this folder until its namespaces end, then removes what is left of it.
pub fn keep(dir: PathBuf, binaries: &Binaries, subnet: Subnet) -> Result<()> {
    let dir = RunDir::at(dir);
    dir.note(Role::Keeper, i32::try_from(std::process::id())?)?;
    let ended = watch(&dir, binaries, subnet);
    dir.clean()?;
    ended
}

fn watch(dir: &RunDir, binaries: &Binaries, subnet: Subnet) -> Result<()> {
    let mut unshare = unshare(dir.path(), binaries, subnet)?;
    // Waiting for a child closes its input: the supervisor would take that for our death.
    let lifeline = unshare.stdin.take();
    let pid = wait("the first process inside", PATIENCE, || first(&mut unshare))?;
    dir.note(Role::Supervisor, pid)?;
    subnet.give(pid)?;
    // Killed or failed: what went wrong the supervisor has said itself.
    unshare.wait()?;
    drop(lifeline);
    Ok(())
}

fn unshare(dir: &Path, binaries: &Binaries, subnet: Subnet) -> Result<Child> {
    Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--mount-proc"])
        .arg("--kill-child")
        .arg(std::env::current_exe()?)
        .arg("inside")
        .arg(dir)
        .arg(&binaries.dir)
        .arg(subnet.0.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .context("starting unshare")
}

/// The child of `unshare`: the supervisor, as this side counts processes.
fn first(unshare: &mut Child) -> Result<Option<i32>> {
    if let Some(status) = unshare.try_wait()? {
        bail!("unshare ended with {status}");
    }
    let id = unshare.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let first = children.split_whitespace().next();
    Ok(first.map(str::parse).transpose()?)
}
