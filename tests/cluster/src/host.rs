//! A cluster as seen from outside its namespaces: starting it, using it, ending it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::binaries::{self, Binaries};
use crate::command::run;
use crate::network::Subnet;
use crate::{cgroups, configs, images, paths, pki, requirements};

/// From the start of the components to a Ready node.
const START: Duration = Duration::from_mins(3);
/// From the kill of the first process to the end of the last.
const STOP: Duration = Duration::from_secs(20);

/// A cluster of this machine, or one that is there already.
#[derive(Clone, Debug)]
pub struct Cluster {
    kubeconfig: PathBuf,
    dir: Option<PathBuf>,
    binaries: Binaries,
}

impl Cluster {
    /// A new cluster of this name; one that ran under it is ended first.
    pub fn fresh(name: &str) -> Result<Self> {
        Self::down(name)?;
        Self::up(name)
    }

    /// Starts a cluster; it lives on until `down`.
    pub fn up(name: &str) -> Result<Self> {
        requirements::check()?;
        requirements::install()?;
        let binaries = binaries::ensure()?;
        let dir = paths::run_dir(name)?;
        if pid(&dir).is_some() {
            bail!("cluster {name} runs already: `cluster down --name {name}` ends it");
        }
        Self::clean(&dir)?;
        fs::create_dir_all(dir.join("logs"))?;
        fs::create_dir_all(dir.join("pod-logs"))?;
        images::pause(&dir.join("pause.tar"))?;
        let subnet = Subnet::take()?;
        fs::write(dir.join("subnet"), subnet.0.to_string())?;
        let cgroup = cgroup(name);
        pki::write(&dir.join("pki"), &subnet.node_ip())?;
        configs::write(&dir, &subnet.node_ip(), &cgroup)?;
        cgroups::make(&cgroup)?;
        let started = launch(&dir, &binaries, subnet).and_then(|()| await_ready(&dir));
        if let Err(error) = started {
            Self::down(name)?;
            return Err(error.context(format!(
                "cluster {name} did not start; logs are in {}",
                dir.join("logs").display()
            )));
        }
        Ok(Self {
            kubeconfig: dir.join("admin.kubeconfig"),
            dir: Some(dir),
            binaries,
        })
    }

    /// The cluster that runs under this name.
    pub fn running(name: &str) -> Result<Self> {
        let dir = paths::run_dir(name)?;
        if pid(&dir).is_none() {
            bail!("no cluster {name} runs: `cluster up --name {name}` starts one");
        }
        Ok(Self {
            kubeconfig: dir.join("admin.kubeconfig"),
            dir: Some(dir),
            binaries: binaries::ensure()?,
        })
    }

    /// A cluster that somebody else keeps (kind, EKS): images must be in it already.
    pub fn existing(kubeconfig: &Path) -> Result<Self> {
        Ok(Self {
            kubeconfig: kubeconfig.to_owned(),
            dir: None,
            binaries: binaries::ensure()?,
        })
    }

    /// Access as administrator, from this machine.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl, helm and the components.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Logs and configuration; none of a cluster that somebody else keeps.
    pub fn run_dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// The API server's audit log: one JSON object a line, in order.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join("audit.log"))
    }

    /// Brings images into the node. A cluster that somebody else keeps has them already.
    pub fn load(&self, tars: &[PathBuf]) -> Result<()> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        for tar in tars {
            let socket = dir.join("containerd.sock");
            let mut import = self.inside(dir)?;
            import
                .arg("ctr")
                .arg("-a")
                .arg(socket)
                .args(["-n", "k8s.io", "images", "import"])
                .arg(tar);
            run(&mut import)?;
        }
        Ok(())
    }

    /// A command that will run in the cluster's namespaces: append program and arguments.
    pub fn inside(&self, dir: &Path) -> Result<Command> {
        let pid = pid(dir).context("the cluster does not run")?;
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid.to_string(), "-n", "-m", "-p", "--wdns=/", "--"]);
        Ok(command)
    }

    /// Ends the cluster of this name and removes what it left, but for its logs.
    pub fn down(name: &str) -> Result<()> {
        let dir = paths::run_dir(name)?;
        if let Some(pid) = pid(&dir) {
            run(Command::new("kill").args(["-KILL", &pid.to_string()]))?;
            let started = Instant::now();
            while Path::new(&format!("/proc/{pid}")).exists() {
                if started.elapsed() > STOP {
                    bail!("process {pid} of cluster {name} does not end");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        if let Ok(number) = fs::read_to_string(dir.join("subnet")) {
            Subnet(number.trim().parse().context("reading the subnet")?).release()?;
        }
        cgroups::remove(&cgroup(name))?;
        Self::clean(&dir)
    }

    /// Removes the state of a cluster that does not run; logs and the audit log stay until the next start.
    fn clean(dir: &Path) -> Result<()> {
        let Ok(entries) = fs::read_dir(dir) else {
            return Ok(());
        };
        for entry in entries {
            let path = entry?.path();
            let kept = ["logs", "audit.log", "pod-logs"]
                .iter()
                .any(|name| path.ends_with(name));
            match (kept, path.is_dir()) {
                (true, _) => {}
                (false, true) => fs::remove_dir_all(&path)?,
                (false, false) => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }
}

fn cgroup(name: &str) -> String {
    format!("chamber-cluster-{name}")
}

/// The first process inside the namespaces, while it lives.
fn pid(dir: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(dir.join("pid"))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    // A number that another process got since is not ours.
    let ours = String::from_utf8_lossy(&command).contains(&*dir.to_string_lossy());
    ours.then_some(pid)
}

fn launch(dir: &Path, binaries: &Binaries, subnet: Subnet) -> Result<()> {
    fs::remove_file(dir.join("audit.log")).ok();
    let log = File::create(dir.join("logs/supervisor.log"))?;
    let mut unshare = Command::new("unshare");
    unshare
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .arg(program()?)
        .arg("inside")
        .arg(dir)
        .arg(&binaries.dir)
        .arg(subnet.0.to_string())
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Its own group: an interrupt of this terminal does not end the cluster.
        .process_group(0);
    let outer = unshare.spawn().context("starting unshare")?.id();
    let children = format!("/proc/{outer}/task/{outer}/children");
    let started = Instant::now();
    let inner: u32 = loop {
        let found = fs::read_to_string(&children)
            .context("unshare ended at once; see logs/supervisor.log")?;
        if let Some(pid) = found.split_whitespace().next() {
            break pid.parse()?;
        }
        if started.elapsed() > STOP {
            bail!("unshare started no process");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    fs::write(dir.join("pid"), inner.to_string())?;
    subnet.give(inner)
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

fn await_ready(dir: &Path) -> Result<()> {
    let started = Instant::now();
    while !dir.join("ready").exists() {
        if pid(dir).is_none() || started.elapsed() > START {
            let said = fs::read_to_string(dir.join("logs/supervisor.log")).unwrap_or_default();
            bail!("the supervisor said: {said}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
