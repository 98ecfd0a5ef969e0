//! Process 1 of the container: orphans become its children, so it starts the host, reaps, and passes signals on.

use std::process::{Command, ExitCode};

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Whether this process is the first of its namespace.
pub fn is_needed() -> bool {
    std::process::id() == 1
}

/// Runs the host as a child and ends as it does.
pub async fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    // Before the child exists, so that no signal is missed.
    let mut ended = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut command = Command::new("/proc/self/exe");
    let child = command.arg("host").args(arguments).spawn();
    let child = child.context("starting the host as a child")?;
    let host = Pid::from_child(&child);
    loop {
        tokio::select! {
            _ = ended.recv() => {
                if let Some(status) = reap(host) {
                    return Ok(exit_code(status));
                }
            }
            _ = terminate.recv() => drop(kill_process(host, Signal::TERM)),
            _ = interrupt.recv() => drop(kill_process(host, Signal::INT)),
        }
    }
}

/// Reaps whatever has ended; one signal can stand for several children.
fn reap(host: Pid) -> Option<WaitStatus> {
    let mut found = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == host {
            found = Some(status);
        }
    }
    found
}

/// As shells do: 128 and the signal's number.
fn exit_code(status: WaitStatus) -> ExitCode {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(signal).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
