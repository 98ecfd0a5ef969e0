//! The first process: prepares the system, starts the second, reaps, and ends the enclave.
//!
//! It holds no secret and opens no device, so nothing that goes wrong in the second one can keep the enclave up.

mod boot;
mod devices;
mod lo;
mod reap;

use std::process::{Command, Stdio};

use rustix::process::{Pid, WaitStatus};
use rustix::system::RebootCommand;

use crate::console;
use crate::error::Fatal;

pub use reap::until_end_of;

/// Never returns: the end of the second process, and any fault, is the end of the enclave.
pub(crate) fn run() -> ! {
    console::hush_panics(|| end());
    match boot::prepare().and_then(|()| start_and_reap()) {
        Ok(status) if status.exit_status() == Some(0) => {}
        Ok(status) => console::say(&format!("the agent ended: {}", told(status))),
        Err(fatal) => console::say(&fatal.to_string()),
    }
    end()
}

/// Starts this program again as the second process, and waits for its end; orphans are reaped meanwhile.
fn start_and_reap() -> Result<WaitStatus, Fatal> {
    let child = Command::new("/proc/self/exe")
        .env_clear()
        .stdin(Stdio::null())
        .spawn()
        .map_err(Fatal::system("starting /proc/self/exe"))?;
    until_end_of(Pid::from_child(&child)).map_err(Fatal::system("waiting for children"))
}

fn told(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown status".to_owned(),
    }
}

/// Reboots, which ends an enclave. If even that is refused, the first process's exit makes the kernel panic, and reboot.
fn end() -> ! {
    rustix::fs::sync();
    if let Err(error) = rustix::system::reboot(RebootCommand::Restart) {
        console::say(&format!("reboot: {error}"));
    }
    std::process::exit(1)
}
