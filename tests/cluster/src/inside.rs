//! The first process of a cluster's namespaces: starts the components, and everything ends with it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use crate::binaries::Binaries;
use crate::command::{TICK, run, sh, wait};
use crate::components::{self, CTR, Components};
use crate::control;
use crate::mounts;
use crate::network::Subnet;
use crate::run_dir::RunDir;

/// How long a component may take to answer.
const PATIENCE: Duration = Duration::from_secs(90);
/// The API server's Service: answers when kube-proxy has done its work.
const KUBERNETES_SERVICE: &str = "10.96.0.1:443";

/// Runs the cluster in this folder until a component ends, this process is killed, or its keeper is.
pub fn supervise(dir: PathBuf, binaries: &Binaries, subnet: Subnet) -> Result<()> {
    let dir = RunDir::at(dir);
    let orphaned = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&orphaned);
    std::thread::spawn(move || await_orphanage(&lost));
    let inside = Inside {
        components: Arc::new(Components::new(dir.path(), binaries, subnet)),
        dir: &dir,
        subnet,
        orphaned: &orphaned,
    };
    let ended = inside.start().and_then(|()| {
        control::serve(Arc::clone(&inside.components))?;
        fs::write(dir.join("ready"), "")?;
        inside.components.attend()
    });
    if orphaned.load(Ordering::SeqCst) {
        // Nobody outside does it any more.
        reap_all()?;
        mounts::release(dir.path())?;
        return dir.remove_state();
    }
    ended.map(|never| match never {})
}

struct Inside<'a> {
    components: Arc<Components>,
    dir: &'a RunDir,
    subnet: Subnet,
    orphaned: &'a AtomicBool,
}

impl Inside<'_> {
    fn start(&self) -> Result<()> {
        mounts::shadow(self.dir.path())?;
        self.network()?;
        for component in components::BASE {
            self.components.start(component)?;
        }
        self.wait("containerd", |_| ctr(&["version"]).is_ok())?;
        let pause = self.dir.join("pause.tar");
        ctr(&["images", "import", &pause.to_string_lossy()])?;
        self.wait("kube-apiserver", |all| {
            run(all.kubectl().args(["get", "--raw", "/readyz"])).is_ok()
        })?;
        for component in components::CLIENTS {
            self.components.start(component)?;
        }
        self.settle()
    }

    fn network(&self) -> Result<()> {
        sh("ip link set lo up")?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("enabling forwarding")?;
        // Not /sys/class/net: that still shows the host's links here.
        self.wait("the inner end of the veth pair", |_| {
            sh("ip link show eth0").is_ok()
        })?;
        sh(&format!("ip addr add {} dev eth0", self.subnet.address(2)))?;
        sh("ip link set eth0 up")?;
        let gateway = self.subnet.host_ip();
        sh(&format!("ip route add default via {gateway}")).map(drop)
    }

    /// Everything that a pod needs answers.
    fn settle(&self) -> Result<()> {
        self.wait("the node to be Ready", |all| {
            let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
            run(all.kubectl().args(["get", "node", "node-1", "-o", ready]))
                .is_ok_and(|status| status == "True")
        })?;
        self.wait("CoreDNS", |_| http_ok("127.0.0.1:8181", "/ready"))?;
        self.wait("kube-proxy", |_| connects(KUBERNETES_SERVICE))?;
        self.wait("the default service account", |all| {
            run(all.kubectl().args(["get", "serviceaccount", "default"])).is_ok()
        })
    }

    fn wait(&self, what: &str, ready: impl Fn(&Components) -> bool) -> Result<()> {
        wait(what, PATIENCE, || {
            if self.orphaned.load(Ordering::SeqCst) {
                bail!("the keeper has died");
            }
            self.components.check()?;
            Ok(ready(&self.components).then_some(()))
        })
    }
}

/// Returns never; once the keeper is gone, nothing else may live on in here.
fn await_orphanage(orphaned: &AtomicBool) {
    // The keeper writes nothing: the end of the input means that it has died.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
    orphaned.store(true, Ordering::SeqCst);
    loop {
        for pid in others() {
            // Gone already is as good.
            kill_process(pid, Signal::KILL).ok();
        }
        std::thread::sleep(TICK);
    }
}

/// Every process of the namespace but this one.
fn others() -> Vec<Pid> {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(number).filter(|pid| *pid > 1);
    pids.filter_map(Pid::from_raw).collect()
}

/// Until no process is left: here every orphan ends up as our child.
fn reap_all() -> Result<()> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn ctr(arguments: &[&str]) -> Result<String> {
    run(Command::new(CTR[0]).args(&CTR[1..]).args(arguments))
}

fn connects(address: &str) -> bool {
    let address = address.parse();
    address.is_ok_and(|address| TcpStream::connect_timeout(&address, TICK).is_ok())
}

/// Asks for a page; any answer with status 200 will do.
fn http_ok(address: &str, path: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().unwrap_or_default();
    let status = answer.lines().next().unwrap_or_default();
    status.contains(" 200")
}
