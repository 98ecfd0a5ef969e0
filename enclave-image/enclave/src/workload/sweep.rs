//! The end of everything that ran as the workload's user.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Kills every process of this user, also those that the workload left behind in sessions of their own.
///
/// It is a child of that user that signals: the kernel lets it reach its own kind only, all of them at once, so that none
/// can slip away by starting others.
pub fn sweep(uid: u32) {
    let mut killer = Command::new("/");
    killer.uid(uid).gid(uid);
    killer
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[expect(
        unsafe_code,
        reason = "a signal to all of a user's processes has to come from that user"
    )]
    // SAFETY: kill is async-signal-safe, and nothing else is called between fork and exec.
    unsafe {
        killer.pre_exec(|| {
            libc::kill(-1, libc::SIGKILL);
            // There is nothing to execute.
            Err(std::io::ErrorKind::Unsupported.into())
        });
    }
    let _ = killer.spawn();
}
