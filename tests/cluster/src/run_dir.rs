//! The folder of one cluster: its state while it runs, its logs after.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::network::Subnet;
use crate::{cgroups, paths};

/// What stays when a cluster ends.
const KEPT: [&str; 3] = ["logs", "audit.log", "pod-logs"];
/// From the kill of a process to its end.
const STOP: Duration = Duration::from_secs(20);

/// The processes that a cluster hangs on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Outside of the namespaces: cleans up when they end.
    Keeper,
    /// The first process inside: everything ends with it.
    Supervisor,
}

impl Role {
    fn file(self) -> &'static str {
        match self {
            Self::Keeper => "keeper.pid",
            Self::Supervisor => "pid",
        }
    }
}

/// The folder of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct RunDir(PathBuf);

impl RunDir {
    /// The folder of the cluster of this name.
    pub fn of(name: &str) -> Result<Self> {
        Ok(Self(paths::run_dir(name)?))
    }

    /// This folder.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Name of the cgroup that the pods are in.
    pub fn cgroup(&self) -> String {
        let name = self.0.file_name().unwrap_or_default().to_string_lossy();
        format!("chamber-cluster-{name}")
    }

    /// Held while a cluster of this name is started or ended.
    pub fn lock(&self) -> Result<File> {
        let file = self.0.with_extension("lock");
        fs::create_dir_all(self.0.parent().unwrap_or(&self.0))?;
        let lock = File::create(&file)?;
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => {
                eprintln!("waiting for another run that starts or ends this cluster ...");
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        lock.lock().with_context(|| file.display().to_string())?;
        Ok(lock)
    }

    /// Removes everything, logs too, and makes the folder anew.
    pub fn reset(&self) -> Result<()> {
        if self.0.exists() {
            fs::remove_dir_all(&self.0).with_context(|| self.0.display().to_string())?;
        }
        // The administrator's key is in it.
        let mut private = DirBuilder::new();
        private.mode(0o700).recursive(true).create(&self.0)?;
        fs::create_dir(self.join("logs"))?;
        fs::create_dir(self.join("pod-logs"))?;
        Ok(())
    }

    /// Remembers the id of a process.
    pub fn note(&self, role: Role, pid: i32) -> Result<()> {
        let file = self.join(role.file());
        fs::write(&file, pid.to_string()).with_context(|| file.display().to_string())
    }

    /// The process of this role, while it lives.
    pub fn process(&self, role: Role) -> Option<Pid> {
        let noted = fs::read_to_string(self.join(role.file())).ok()?;
        let pid = noted.trim().parse().ok().and_then(Pid::from_raw)?;
        self.owns(pid).then_some(pid)
    }

    /// A number that another process, of another cluster even, got since is not ours.
    fn owns(&self, pid: Pid) -> bool {
        let command = fs::read(proc(pid).join("cmdline")).unwrap_or_default();
        let folder = self.0.as_os_str().as_encoded_bytes();
        command.split(|byte| *byte == 0).any(|word| word == folder)
    }

    /// Kills the cluster, if it runs, and removes what it left, but for its logs.
    pub fn stop(&self) -> Result<()> {
        if let Some(pid) = self.process(Role::Supervisor) {
            kill_process(pid, Signal::KILL).ok();
            self.await_end(pid)?;
        }
        if let Some(pid) = self.process(Role::Keeper) {
            self.await_end(pid)?;
        }
        self.clean()
    }

    /// Waits until a process that was killed has ended; its namespaces are empty then.
    fn await_end(&self, pid: Pid) -> Result<()> {
        let started = Instant::now();
        while lives(pid) {
            if started.elapsed() > STOP {
                bail!("process {pid} of {} does not end", self.0.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Removes what a cluster that has ended left on this machine; logs and the audit log stay until the next start.
    pub fn clean(&self) -> Result<()> {
        if let Ok(number) = fs::read_to_string(self.join("subnet")) {
            Subnet(number.trim().parse().context("reading the subnet")?).release()?;
        }
        self.remove_state()
    }

    /// The same but for the network, which ends with its namespace.
    pub fn remove_state(&self) -> Result<()> {
        cgroups::remove(&self.cgroup())?;
        let Ok(entries) = fs::read_dir(&self.0) else {
            return Ok(());
        };
        for entry in entries {
            let entry = entry?;
            let kept = KEPT.iter().any(|name| entry.file_name() == *name);
            match (kept, entry.file_type()?.is_dir()) {
                (true, _) => {}
                (false, true) => fs::remove_dir_all(entry.path())?,
                (false, false) => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }
}

fn proc(pid: Pid) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// False once it is gone, or a zombie: by then the kernel has ended every process of its namespace.
fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(proc(pid).join("stat")).unwrap_or_default();
    // The state follows the name, which may itself hold parentheses.
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(name: &str) -> RunDir {
        let path = std::env::temp_dir().join(format!("run-{name}-{}", std::process::id()));
        let dir = RunDir::at(path);
        dir.reset().unwrap();
        dir
    }

    #[test]
    fn only_a_process_that_names_the_very_folder_is_the_clusters() {
        let (one, longer) = (folder("a"), folder("a2"));
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo; read line", "sh"])
            .arg(longer.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Only then does the kernel show its arguments.
        let mut said = child.stdout.take().unwrap();
        said.read_exact(&mut [0]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        one.note(Role::Supervisor, pid).unwrap();
        longer.note(Role::Supervisor, pid).unwrap();
        assert!(one.process(Role::Supervisor).is_none());
        assert_eq!(
            longer.process(Role::Supervisor).map(Pid::as_raw_pid),
            Some(pid)
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(longer.process(Role::Supervisor).is_none());
        for dir in [one, longer] {
            fs::remove_dir_all(dir.path()).unwrap();
        }
    }

    #[test]
    fn logs_outlive_the_state() {
        let dir = folder("logs");
        for file in ["audit.log", "logs/etcd.log", "pid", "admin.kubeconfig"] {
            fs::write(dir.join(file), "0").unwrap();
        }
        fs::create_dir(dir.join("etcd")).unwrap();
        let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "others can read the keys");
        dir.clean().unwrap();
        assert!(dir.join("audit.log").exists() && dir.join("logs/etcd.log").exists());
        for gone in ["pid", "admin.kubeconfig", "etcd"] {
            assert!(!dir.join(gone).exists(), "{gone} was left");
        }
        fs::remove_dir_all(dir.path()).unwrap();
    }
}
