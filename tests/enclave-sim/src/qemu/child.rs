//! A program that runs no longer than the value that stands for it, nor than this process.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::output::{Output, Source, output};

/// A program that was started; dropping this kills it and waits for its end.
pub struct Child {
    /// Names this process and none that gets its number later.
    pidfd: OwnedFd,
    status: watch::Receiver<Option<ExitStatus>>,
    output: Output,
    keeper: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts a program without input.
    ///
    /// A thread of its own starts it and waits for it: a program can be told to end with the thread that started it, and
    /// threads of a pool come and go.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let (mut reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        let (source, output) = output();
        let (ended, status) = watch::channel(None);
        let (started, start) = mpsc::channel();
        let keeper = std::thread::spawn(move || {
            let spawned = command.spawn();
            // It holds the pipe's other end, which would never be closed.
            drop(command);
            let mut child = match spawned {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error))),
            };
            let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
            // The other side waits for this, and so does not go.
            let _received = started.send(pidfd.map_err(Into::into));
            copy(&mut reader, &source);
            // An error here is that nobody can know; `None` stays.
            ended.send_replace(child.wait().ok());
        });
        let pidfd = start
            .recv()?
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self {
            pidfd,
            status,
            output,
            keeper: Some(keeper),
        })
    }

    /// What it wrote to standard output and error.
    pub const fn output(&self) -> &Output {
        &self.output
    }

    /// Waits for its end; its output is complete then.
    pub async fn ended(&self) -> ExitStatus {
        match self.status.clone().wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ended = pidfd_send_signal(&self.pidfd, Signal::KILL);
        if let Some(keeper) = self.keeper.take() {
            let _panicked = keeper.join();
        }
    }
}

fn copy(reader: &mut impl Read, source: &Source) {
    let mut buffer = [0; 4096];
    loop {
        match reader.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(bytes) => source.push(&buffer[..bytes]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start(command).unwrap()
    }

    #[tokio::test]
    async fn a_child_ends_with_its_value_and_not_before() {
        let child = shell("echo $$; exec sleep 1000");
        assert!(child.output().says("\n").await);
        let process = format!("/proc/{}", child.output().text().trim());
        assert!(std::fs::exists(&process).unwrap());
        drop(child);
        assert!(!std::fs::exists(&process).unwrap());
    }

    #[tokio::test]
    async fn the_output_is_complete_when_the_end_is_seen() {
        let child = shell("echo one; echo two >&2; exit 3");
        assert_eq!(child.ended().await.code(), Some(3));
        assert_eq!(child.output().text(), "one\ntwo\n");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Child::start(Command::new("/no/qemu")).err().unwrap();
        assert!(error.to_string().contains("/no/qemu"), "{error}");
    }
}
