//! A cluster as seen from outside its namespaces: starting it, using it, ending it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Pid;

use crate::binaries::{self, Binaries};
use crate::command::{run, wait};
use crate::components::CTR;
use crate::network::Subnet;
use crate::run_dir::{Role, RunDir};
use crate::{cgroups, configs, control, images, pki, requirements};

/// From the start of the components to a Ready node.
const START: Duration = Duration::from_mins(4);

/// A cluster of this machine, or one that is there already.
#[derive(Clone, Debug)]
pub struct Cluster {
    kubeconfig: PathBuf,
    dir: Option<RunDir>,
    binaries: Binaries,
}

impl Cluster {
    /// The cluster that `KUBECONFIG` names (kind, EKS: its nodes must have the images already); else a new one of this name.
    pub fn from_env(name: &str) -> Result<Self> {
        match std::env::var_os("KUBECONFIG") {
            Some(file) => Self::existing(Path::new(&file)),
            None => Self::fresh(name),
        }
    }

    /// A new cluster of this name; one that ran under it is ended first.
    pub fn fresh(name: &str) -> Result<Self> {
        let (dir, binaries) = prepare(name)?;
        let _lock = dir.lock()?;
        dir.stop()?;
        start(&dir, &binaries)?;
        Ok(Self::local(dir, binaries))
    }

    /// The cluster of this name, started where it does not run; it lives on until `down`.
    pub fn up(name: &str) -> Result<Self> {
        let (dir, binaries) = prepare(name)?;
        let _lock = dir.lock()?;
        if dir.process(Role::Supervisor).is_none() {
            dir.stop()?;
            start(&dir, &binaries)?;
        }
        Ok(Self::local(dir, binaries))
    }

    /// The cluster that runs under this name.
    pub fn running(name: &str) -> Result<Self> {
        let dir = RunDir::of(name)?;
        if dir.process(Role::Supervisor).is_none() || !dir.join("ready").exists() {
            bail!("no cluster {name} runs: `cluster up --name {name}` starts one");
        }
        Ok(Self::local(dir, binaries::ensure()?))
    }

    /// A cluster that somebody else keeps: images must be in it already.
    fn existing(kubeconfig: &Path) -> Result<Self> {
        let kubeconfig = kubeconfig
            .canonicalize()
            .with_context(|| format!("KUBECONFIG names {}", kubeconfig.display()))?;
        Ok(Self {
            kubeconfig,
            dir: None,
            binaries: binaries::clients()?,
        })
    }

    fn local(dir: RunDir, binaries: Binaries) -> Self {
        Self {
            kubeconfig: dir.join("admin.kubeconfig"),
            dir: Some(dir),
            binaries,
        }
    }

    /// Access as administrator, from this machine.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl, helm and, for a cluster of ours, the components.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Logs and configuration; none of a cluster that somebody else keeps.
    pub fn run_dir(&self) -> Option<&Path> {
        self.dir.as_ref().map(RunDir::path)
    }

    /// The API server's audit log: one JSON object a line, in order.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join("audit.log"))
    }

    /// Brings images into the node. A cluster that somebody else keeps must have them already: that is said, once a call.
    pub fn load(&self, tars: &[PathBuf]) -> Result<()> {
        if self.dir.is_none() {
            let cluster = self.kubeconfig.display();
            eprintln!("images are not loaded into the cluster of {cluster}: it must have them");
            return Ok(());
        }
        for tar in tars {
            let file = tar
                .canonicalize()
                .with_context(|| format!("image {}", tar.display()))?;
            let mut import = self.on_node()?;
            import.args(CTR).args(["images", "import"]).arg(file);
            run(&mut import)?;
        }
        Ok(())
    }

    /// A command that runs in the namespaces of the node: append program and arguments.
    pub fn on_node(&self) -> Result<Command> {
        let pid = self.supervisor()?;
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid.to_string(), "-n", "-m", "-p", "--wdns=/", "--"]);
        Ok(command)
    }

    /// Kills one component (`etcd`, `kube-apiserver`, `kubelet` ...); the others go on without it.
    pub fn stop(&self, component: &str) -> Result<()> {
        control::order(self.supervisor()?.as_raw_pid(), "stop", component)
    }

    /// Starts a component that was stopped; returns before it answers.
    pub fn start(&self, component: &str) -> Result<()> {
        control::order(self.supervisor()?.as_raw_pid(), "start", component)
    }

    fn supervisor(&self) -> Result<Pid> {
        let dir = self.dir.as_ref().context("its node is not ours")?;
        dir.process(Role::Supervisor)
            .context("the cluster does not run")
    }

    /// Ends the cluster of this name and removes what it left, but for its logs.
    pub fn down(name: &str) -> Result<()> {
        let dir = RunDir::of(name)?;
        let _lock = dir.lock()?;
        dir.stop()
    }
}

/// What every start needs, before the lock: it may take long.
fn prepare(name: &str) -> Result<(RunDir, Binaries)> {
    let dir = RunDir::of(name)?;
    requirements::check()?;
    requirements::install()?;
    Ok((dir, binaries::ensure()?))
}

fn start(dir: &RunDir, binaries: &Binaries) -> Result<()> {
    let started = write_state(dir)
        .and_then(|subnet| launch(dir, binaries, subnet))
        .and_then(|()| await_ready(dir));
    let Err(error) = started else {
        return Ok(());
    };
    let logs = dir.join("logs");
    let error = error.context(format!(
        "the cluster did not start; logs are in {}",
        logs.display()
    ));
    // The first error says more than one of the cleaning.
    dir.stop().ok();
    Err(error)
}

fn write_state(dir: &RunDir) -> Result<Subnet> {
    dir.reset()?;
    requirements::disk(dir.path())?;
    images::pause(&dir.join("pause.tar"))?;
    let subnet = Subnet::take()?;
    fs::write(dir.join("subnet"), subnet.0.to_string())?;
    pki::write(&dir.join("pki"), &subnet.node_ip())?;
    configs::write(dir.path(), subnet, &dir.cgroup())?;
    cgroups::make(&dir.cgroup())?;
    Ok(subnet)
}

/// In a session of its own: neither an interrupt nor the end of this terminal ends the cluster.
fn launch(dir: &RunDir, binaries: &Binaries, subnet: Subnet) -> Result<()> {
    let log = File::create(dir.join("logs/supervisor.log"))?;
    let status = Command::new("setsid")
        .arg("--fork")
        .arg(program()?)
        .arg("keep")
        .arg(dir.path())
        .arg(&binaries.dir)
        .arg(subnet.0.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("starting setsid")?;
    if !status.success() {
        bail!("setsid ended with {status}");
    }
    let keeper = || Ok(dir.process(Role::Keeper).map(drop));
    wait("the keeper", Duration::from_secs(10), keeper)
}

/// The `cluster` program: this one, or the one beside the test or demo that runs.
fn program() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let name = this
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if name == "cluster" {
        return Ok(this);
    }
    let mut folders = this.ancestors().skip(1).take(2);
    let found = folders.find_map(|dir| Some(dir.join("cluster")).filter(|path| path.is_file()));
    found.context("the program `cluster` is not built: run `cargo build -p cluster`")
}

fn await_ready(dir: &RunDir) -> Result<()> {
    wait("the cluster", START, || {
        if dir.join("ready").exists() {
            return Ok(Some(()));
        }
        if dir.process(Role::Keeper).is_none() {
            let said = fs::read_to_string(dir.join("logs/supervisor.log")).unwrap_or_default();
            bail!("the supervisor said: {said}");
        }
        Ok(None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_that_is_not_there_is_named() {
        let error = Cluster::existing(Path::new("/no/such/file")).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("KUBECONFIG names /no/such/file"), "{said}");
    }

    #[test]
    fn a_name_is_checked_before_anything_is_ended() {
        assert!(Cluster::down("../bin").is_err());
        assert!(Cluster::running("").is_err());
    }
}
