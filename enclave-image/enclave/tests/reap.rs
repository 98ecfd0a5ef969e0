//! Reaping, in a process of its own: it waits for whatever child ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, set_child_subreaper};

fn shell(folder: &Path, script: &str) -> Pid {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(folder);
    Pid::from_child(&command.spawn().unwrap())
}

#[test]
fn orphans_are_reaped_and_the_childs_end_is_told() {
    // Orphans come to this process, as they come to the first one.
    set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let folder = std::env::temp_dir().join(format!("chamber-reap-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let leaves = "mkfifo end; (cat end & echo $! > orphan); exit 42";
    let child = shell(&folder, leaves);
    let status = enclave::init::until_end_of(child).unwrap();
    assert_eq!(status.exit_status(), Some(42));
    // Ends when the orphan is gone, which it is only once it was reaped.
    let waits = "echo > end; n=0
        while [ -e /proc/$(cat orphan) ]; do n=$((n+1)); [ $n = 3000 ] && exit 99; sleep 0.01; done";
    let child = shell(&folder, waits);
    let status = enclave::init::until_end_of(child).unwrap();
    assert_eq!(status.exit_status(), Some(0), "the orphan was not reaped");
    std::fs::remove_dir_all(&folder).unwrap();
}
