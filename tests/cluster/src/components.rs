//! How each component is started.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use crate::binaries::Binaries;
use crate::command::wait;
use crate::configs::CONTAINERD_SOCKET;
use crate::network::Subnet;

/// Lines of a component's log that go with the news of its end.
const LAST_WORDS: usize = 8;
/// From the kill of a component to its end.
const STOP: Duration = Duration::from_secs(20);

const ETCD: &str = "--data-dir $RUN/etcd --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380";

// The log is read in order by tests: written before the answer, and never rotated.
const APISERVER: &str = "--etcd-servers http://127.0.0.1:2379 \
    --bind-address 0.0.0.0 --advertise-address $NODE_IP --secure-port 6443 --service-cluster-ip-range 10.96.0.0/16 \
    --tls-cert-file $RUN/pki/apiserver.crt --tls-private-key-file $RUN/pki/apiserver.key --client-ca-file $RUN/pki/ca.crt \
    --service-account-key-file $RUN/pki/sa.pub --service-account-signing-key-file $RUN/pki/sa.key \
    --service-account-issuer https://kubernetes.default.svc \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction,OwnerReferencesPermissionEnforcement --allow-privileged \
    --kubelet-preferred-address-types InternalIP --kubelet-certificate-authority $RUN/pki/ca.crt \
    --kubelet-client-certificate $RUN/pki/admin.crt --kubelet-client-key $RUN/pki/admin.key \
    --audit-policy-file $RUN/audit-policy.yaml --audit-log-path $RUN/audit.log \
    --audit-log-mode blocking-strict --audit-log-maxsize 0";

const CONTROLLER_MANAGER: &str = "--kubeconfig $RUN/kcm.kubeconfig \
    --service-account-private-key-file $RUN/pki/sa.key --root-ca-file $RUN/pki/ca.crt \
    --use-service-account-credentials --leader-elect=false --bind-address 127.0.0.1 \
    --flex-volume-plugin-dir $RUN/volume-plugins";

const SCHEDULER: &str =
    "--kubeconfig $RUN/scheduler.kubeconfig --leader-elect=false --bind-address 127.0.0.1";

const KUBELET: &str = "--config $RUN/kubelet.yaml --kubeconfig $RUN/kubelet.kubeconfig \
    --hostname-override node-1 --node-ip $NODE_IP --root-dir $RUN/kubelet --cert-dir $RUN/pki";

// Writing conntrack settings is refused in a namespace and would end it.
const PROXY: &str = "--kubeconfig $RUN/admin.kubeconfig --proxy-mode nftables --cluster-cidr $PODS \
    --hostname-override node-1 --bind-address 127.0.0.1 --metrics-bind-address 127.0.0.1:10249 \
    --conntrack-max-per-core 0 --conntrack-min 0 \
    --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s";

/// A component, and what it is called with: `$RUN` is the cluster's folder, `$NODE_IP` the node's address, `$PODS` the pods'.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    name: &'static str,
    arguments: &'static str,
}

/// In the order in which they are started.
pub(crate) const BASE: [Component; 3] = [
    component("etcd", ETCD),
    component("containerd", "--config $RUN/containerd.toml"),
    component("kube-apiserver", APISERVER),
];

/// What needs the API server to answer, and containerd.
pub(crate) const CLIENTS: [Component; 5] = [
    component("kube-controller-manager", CONTROLLER_MANAGER),
    component("kube-scheduler", SCHEDULER),
    component("kubelet", KUBELET),
    component("kube-proxy", PROXY),
    component("coredns", "-conf $RUN/Corefile"),
];

const fn component(name: &'static str, arguments: &'static str) -> Component {
    Component { name, arguments }
}

impl Component {
    fn words(self, dir: &Path, subnet: Subnet) -> Vec<String> {
        let run = dir.to_string_lossy();
        let fill = |word: &str| {
            let word = word.replace("$RUN", &run);
            let word = word.replace("$NODE_IP", &subnet.node_ip());
            word.replace("$PODS", &subnet.pods())
        };
        self.arguments.split_whitespace().map(fill).collect()
    }
}

/// One that runs.
struct Running {
    name: &'static str,
    child: Child,
    /// Its end was asked for.
    stopped: bool,
}

/// The components of one cluster, as they run.
pub(crate) struct Components {
    dir: PathBuf,
    binaries: Binaries,
    subnet: Subnet,
    running: Mutex<Vec<Running>>,
}

impl Components {
    /// None runs yet.
    pub fn new(dir: &Path, binaries: &Binaries, subnet: Subnet) -> Self {
        Self {
            dir: dir.to_owned(),
            binaries: binaries.clone(),
            subnet,
            running: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one more.
    pub fn start(&self, component: Component) -> Result<()> {
        let log = self.log(component.name);
        // What it said before it was stopped stays.
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let program = match component.name {
            "containerd" => PathBuf::from("/usr/bin/containerd"),
            name => self.binaries.path(name),
        };
        // Held until the child is noted: whoever reaps it must know it.
        let mut running = self.running();
        let child = Command::new(&program)
            .args(component.words(&self.dir, self.subnet))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        running.push(Running {
            name: component.name,
            child,
            stopped: false,
        });
        Ok(())
    }

    /// Starts a component that was stopped.
    pub fn start_again(&self, name: &str) -> Result<()> {
        let mut all = BASE.into_iter().chain(CLIENTS);
        let component = all.find(|component| component.name == name);
        let component = component.with_context(|| format!("there is no component {name:?}"))?;
        if self.runs(name) {
            bail!("{name} runs");
        }
        self.start(component)
    }

    /// Kills a component, and nothing else ends with it. Returns when it has ended, which `attend` notices.
    pub fn stop(&self, name: &str) -> Result<()> {
        match self.running().iter_mut().find(|one| one.name == name) {
            None => bail!("no component {name:?} runs"),
            Some(found) => {
                found.stopped = true;
                found.child.kill()?;
            }
        }
        wait(name, STOP, || Ok((!self.runs(name)).then_some(())))
    }

    fn runs(&self, name: &str) -> bool {
        self.running().iter().any(|one| one.name == name)
    }

    /// An error as soon as one of them has ended.
    pub fn check(&self) -> Result<()> {
        let mut ended = None;
        for one in self.running().iter_mut() {
            if let Some(status) = one.child.try_wait()? {
                ended = Some((one.name, status));
            }
        }
        ended.map_or(Ok(()), |(name, status)| Err(self.obituary(name, status)))
    }

    /// Stays until one of them ends unasked, and tells its last words; whatever pods leave is reaped on the way.
    pub fn attend(&self) -> Result<Infallible> {
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => {
                    let status = ExitStatus::from_raw(status.as_raw());
                    match self.one_of_us(pid) {
                        Some(ended) if !ended.stopped => {
                            return Err(self.obituary(ended.name, status));
                        }
                        _ => {}
                    }
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The component that had this id; it runs no more.
    fn one_of_us(&self, pid: Pid) -> Option<Running> {
        let is =
            |one: &Running| i32::try_from(one.child.id()).is_ok_and(|id| id == pid.as_raw_pid());
        let mut running = self.running();
        let place = running.iter().position(is)?;
        Some(running.swap_remove(place))
    }

    fn obituary(&self, name: &str, status: ExitStatus) -> anyhow::Error {
        let log = fs::read_to_string(self.log(name)).unwrap_or_default();
        let said = last_lines(&log);
        anyhow!("{name} ended with {status}; its log ends with:\n{said}")
    }

    /// kubectl as administrator.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.binaries.kubectl());
        command.arg("--kubeconfig");
        command.arg(self.dir.join("admin.kubeconfig"));
        command
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("logs/{name}.log"))
    }
}

/// containerd's client and its arguments; works inside the namespaces only.
pub(crate) const CTR: [&str; 5] = ["ctr", "-a", CONTAINERD_SOCKET, "-n", "k8s.io"];

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let from = lines.len().saturating_sub(LAST_WORDS);
    lines[from..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_also_with_a_space() {
        let dir = Path::new("/home/a b/run");
        for component in BASE.into_iter().chain(CLIENTS) {
            let words = component.words(dir, Subnet(7));
            assert!(!words.iter().any(|word| word.contains('$')), "{words:?}");
        }
        let words = BASE[2].words(dir, Subnet(7));
        assert!(words.contains(&"/home/a b/run/audit.log".to_owned()));
        assert!(words.contains(&"10.200.7.2".to_owned()));
    }

    #[test]
    fn the_end_of_a_component_is_told_with_its_last_words() {
        let dir = std::env::temp_dir().join(format!("components-{}", std::process::id()));
        fs::create_dir_all(dir.join("logs")).unwrap();
        let script = dir.join("kube-scheduler");
        fs::write(&script, "#!/bin/sh\nexit 7\n").unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&script, permissions).unwrap();
        let binaries = Binaries { dir: dir.clone() };
        let components = Components::new(&dir, &binaries, Subnet(0));
        components.start(CLIENTS[1]).unwrap();
        fs::write(components.log("kube-scheduler"), "first\nlast\n").unwrap();
        let error = loop {
            if let Err(error) = components.check() {
                break error.to_string();
            }
            std::thread::yield_now();
        };
        fs::remove_dir_all(&dir).unwrap();
        assert!(
            error.contains("kube-scheduler ended with exit status: 7"),
            "{error}"
        );
        assert!(error.ends_with("last"), "{error}");
    }
}
