//! Clusters side by side, and what is left when each of the processes they hang on is killed: nothing.
//!
//! Needs root and starts two clusters: `make e2e` runs it.

#![allow(clippy::unwrap_used, reason = "a helper of a test may end the test")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cluster::Cluster;

/// The end of a cluster with pods takes a second or two; more when the machine is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster that is ended also when its test fails.
struct Guarded {
    name: &'static str,
    cluster: Cluster,
}

impl Guarded {
    fn start(name: &'static str) -> Self {
        let cluster = Cluster::fresh(name).unwrap();
        Self { name, cluster }
    }

    fn dir(&self) -> &Path {
        self.cluster.run_dir().unwrap()
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.cluster.binaries().kubectl())
            .arg("--kubeconfig")
            .arg(self.cluster.kubeconfig())
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "kubectl {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A pod of the pause image: that one is on every node.
    fn run_pod(&self) {
        let image = "--image=cluster.local/pause:1";
        self.kubectl(&["run", "sleeper", image, "--image-pull-policy=Never"]);
        let ready = ["wait", "--for=condition=Ready", "pod/sleeper"];
        self.kubectl(&[&ready[..], &["--timeout=60s"]].concat());
    }

    fn pid(&self, file: &str) -> u32 {
        let text = fs::read_to_string(self.dir().join(file)).unwrap();
        text.trim().parse().unwrap()
    }

    /// Everything of this cluster that the machine can see, but for the logs.
    fn traces(&self) -> Vec<String> {
        let dir = self.dir().to_str().unwrap();
        let group = format!("chamber-cluster-{}", self.name);
        let mut traces = groups(&group);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        for process in entries.map(|entry| entry.path()) {
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if command.contains(dir) || mounts.contains(dir) {
                traces.push(format!("{} {command}", process.display()));
            }
        }
        let kept = ["logs", "audit.log", "pod-logs"];
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !kept.contains(&name.as_str()) {
                traces.push(name);
            }
        }
        traces
    }

    /// Kills a process of the cluster and waits until nothing is left.
    fn assert_ends_with(&self, pid: u32) {
        let link = PathBuf::from("/sys/class/net").join(format!("chc{}", self.pid("subnet")));
        assert!(link.exists() && !self.traces().is_empty());
        let mut kill = Command::new("kill");
        assert!(
            kill.args(["-KILL", &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
        let started = Instant::now();
        loop {
            let left = self.traces();
            if left.is_empty() && !link.exists() {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "left of {}: {left:#?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Err(error) = Cluster::down(self.name) {
            eprintln!("ending cluster {}: {error:#}", self.name);
        }
    }
}

/// The cgroups of this name, in whichever hierarchies there are.
fn groups(name: &str) -> Vec<String> {
    let root = Path::new("/sys/fs/cgroup");
    let parents = fs::read_dir(root).unwrap().flatten().map(|e| e.path());
    let found = parents.chain([root.to_owned()]).map(|dir| dir.join(name));
    let found = found.filter(|group| group.exists());
    found.map(|group| group.display().to_string()).collect()
}

/// The parent of a process.
fn parent(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("PPid:"));
    line.unwrap()[5..].trim().parse().unwrap()
}

// Ignored where there is no root: `make e2e`, and so `make test`, runs it with --ignored.
#[test]
#[ignore = "needs root, the built components and a minute: make e2e runs it"]
fn clusters_run_side_by_side_and_leave_nothing_whichever_process_is_killed() {
    let one = Guarded::start("live-a");
    let two = Guarded::start("live-b");
    one.run_pod();
    two.run_pod();
    assert_ne!(one.pid("subnet"), two.pid("subnet"));

    one.assert_ends_with(one.pid("keeper.pid"));
    // The other did not notice.
    assert!(two.kubectl(&["get", "pods"]).contains("Running"));
    assert!(Cluster::running("live-b").is_ok() && Cluster::running("live-a").is_err());
    two.assert_ends_with(two.pid("pid"));

    let again = Guarded::start("live-a");
    again.run_pod();
    let audit = fs::read_to_string(again.cluster.audit_log().unwrap()).unwrap();
    assert!(audit.contains("sleeper"), "the audit log knows no pod");
    again.assert_ends_with(parent(again.pid("pid")));
}

// Ignored where there is no root: `make e2e`, and so `make test`, runs it with --ignored.
#[test]
#[ignore = "needs root and the built components: make e2e runs it"]
fn a_component_that_ends_is_named_with_its_last_words() {
    let one = Guarded::start("live-c");
    let children = one
        .cluster
        .on_node()
        .unwrap()
        .args(["pidof", "etcd"])
        .output();
    let etcd = String::from_utf8(children.unwrap().stdout).unwrap();
    let mut kill = one.cluster.on_node().unwrap();
    let killed = kill.args(["kill", "-KILL", etcd.trim()]).output().unwrap();
    // The namespace ends with etcd, and may take the one that killed it along.
    assert!(
        killed.status.success() || killed.status.signal() == Some(9),
        "pidof said {etcd:?}, kill ended with {}",
        killed.status
    );
    let log = one.dir().join("logs/supervisor.log");
    let started = Instant::now();
    while !fs::read_to_string(&log)
        .unwrap()
        .contains("etcd ended with signal: 9")
    {
        assert!(
            started.elapsed() < PATIENCE,
            "the supervisor did not say it"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

// Ignored where there is no root: `make e2e`, and so `make test`, runs it with --ignored.
#[test]
#[ignore = "needs root and the built components: make e2e runs it"]
fn a_component_can_be_stopped_and_started_and_the_rest_goes_on() {
    let one = Guarded::start("live-d");
    one.run_pod();
    for component in ["kubelet", "kube-apiserver", "etcd"] {
        one.cluster.stop(component).unwrap();
        let twice = one.cluster.stop(component).unwrap_err().to_string();
        assert!(twice.contains("no component"), "{twice}");
    }
    for component in ["etcd", "kube-apiserver", "kubelet"] {
        one.cluster.start(component).unwrap();
    }
    let wrong = one.cluster.start("kubelet").unwrap_err().to_string();
    assert!(wrong.contains("kubelet runs"), "{wrong}");
    let started = Instant::now();
    while !answers(&one) {
        assert!(started.elapsed() < PATIENCE, "the API server stays away");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What was there before is there still, and nobody ended the cluster.
    assert!(one.kubectl(&["get", "pods"]).contains("sleeper"));
}

fn answers(one: &Guarded) -> bool {
    Command::new(one.cluster.binaries().kubectl())
        .arg("--kubeconfig")
        .arg(one.cluster.kubeconfig())
        .args(["get", "--raw", "/readyz"])
        .output()
        .unwrap()
        .status
        .success()
}
