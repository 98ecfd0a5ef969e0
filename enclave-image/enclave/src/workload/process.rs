//! The workload's process: started with nothing but its key's pipe, ended with all that it started.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit};
use sealed_blob::MasterKey;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use unseal_agent::Workload;

use super::config::Config;
use super::sweep::sweep;

/// The descriptor that brings the master key: 32 bytes, and then its end as the wish to end.
const KEY_FD: RawFd = 3;
/// Descriptors from here on are the agent's.
const FIRST_OTHER: libc::c_uint = 4;
/// How long requests in flight may take at the end; below the host's patience.
const DRAIN: Duration = Duration::from_secs(20);

/// Where the workload's own words go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nowhere: the parent may read the console.
    Nowhere,
    /// To the console. Only for debug enclaves, which never have a key.
    Console,
}

/// The workload, running or not.
pub struct Process {
    program: PathBuf,
    config: Config,
    output: Output,
    drain: Duration,
    running: Option<Running>,
}

struct Running {
    child: Child,
    key: Option<pipe::Sender>,
}

impl Process {
    /// This program, started when the agent says so.
    pub fn new(program: PathBuf, config: Config, output: Output) -> Self {
        Self {
            program,
            config,
            output,
            drain: DRAIN,
            running: None,
        }
    }

    /// The same with another time for requests in flight.
    #[must_use]
    pub fn draining_for(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    fn spawn(&self, key: &OwnedFd) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        let config = &self.config;
        command.args(&config.args).env_clear().envs(&config.env);
        command.current_dir("/").uid(config.uid).gid(config.uid);
        command.stdin(Stdio::null()).kill_on_drop(true);
        if self.output == Output::Nowhere {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let from = key.as_raw_fd();
        #[expect(
            unsafe_code,
            reason = "descriptor 3 and a session of its own are set between fork and exec only"
        )]
        // SAFETY: what runs there makes system calls and nothing else; the descriptor outlives the spawn.
        unsafe {
            command.pre_exec(move || settle(from));
        }
        let spawned = command.spawn();
        spawned.map_err(|error| {
            let program = self.program.display();
            io::Error::new(error.kind(), format!("{program}: {error}"))
        })
    }

    /// Leaves nothing of an ended workload behind.
    fn sweep(&self) {
        // Without root nobody has another user's rights, and there is no user of the workload's own to sweep.
        if rustix::process::geteuid().is_root() {
            sweep(self.config.uid);
        }
    }
}

/// Takes back the mark that spares the agent when memory is short, and that its children inherit.
fn unspare(child: &Child) {
    let id = child.id().unwrap_or_default();
    if let Err(error) = std::fs::write(format!("/proc/{id}/oom_score_adj"), "0") {
        // It may have ended already.
        tracing::warn!(%error, "the workload's oom_score_adj was not set");
    }
}

/// In the child: a session of its own, no more rights, no core dump, the key's pipe as descriptor 3, and no other one.
#[expect(
    unsafe_code,
    reason = "the standard library neither moves descriptors nor closes a range of them"
)]
fn settle(key: RawFd) -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setsid()?;
    rustix::process::setrlimit(Resource::Core, none)?;
    rustix::thread::set_no_new_privs(true)?;
    let flags = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    // SAFETY: both calls change this process's descriptors only, of which nothing in it is used any more.
    let failed = unsafe {
        libc::dup2(key, KEY_FD) < 0 || libc::close_range(FIRST_OTHER, libc::c_uint::MAX, flags) < 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

impl Workload for Process {
    async fn start(&mut self) -> io::Result<()> {
        if let Some(running) = &mut self.running
            && running.child.try_wait()?.is_none()
        {
            return Ok(());
        }
        self.running = None;
        let (sender, receiver) = pipe::pipe()?;
        let receiver = receiver.into_blocking_fd()?;
        // Descriptor 3 is in use while the child is made: otherwise the standard library could put its own pipe there.
        let reserved = fcntl_dupfd_cloexec(&receiver, KEY_FD)?;
        let key = fcntl_dupfd_cloexec(&receiver, KEY_FD + 1)?;
        let child = self.spawn(&key)?;
        unspare(&child);
        drop((reserved, key, receiver));
        self.running = Some(Running {
            child,
            key: Some(sender),
        });
        Ok(())
    }

    async fn hand_over(&mut self, key: &MasterKey) -> io::Result<()> {
        let running = self.running.as_mut();
        // The pipe stays open: its end is the wish to end.
        let pipe = running.and_then(|running| running.key.as_mut());
        let pipe = pipe.ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(key.expose()).await
    }

    async fn ended(&mut self) -> String {
        let Some(running) = &mut self.running else {
            return "the workload was not started".to_owned();
        };
        let status = running.child.wait().await;
        self.running = None;
        self.sweep();
        match status {
            Ok(status) => format!("the workload ended with {status}"),
            Err(error) => format!("the workload cannot be waited for: {error}"),
        }
    }

    async fn stop(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        drop(running.key.take());
        if tokio::time::timeout(self.drain, running.child.wait())
            .await
            .is_err()
        {
            tracing::warn!("the workload did not end in time");
            if let Err(error) = running.child.kill().await {
                tracing::warn!(%error, "the workload was not there to be killed");
            }
        }
        self.sweep();
    }
}
