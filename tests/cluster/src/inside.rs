//! The first process of a cluster's namespaces: starts the components and stays until it is killed.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::binaries::Binaries;
use crate::command::{run, sh};
use crate::network::Subnet;

/// How long a component may take to answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs the cluster in this folder until the process is killed.
pub fn supervise(dir: &Path, binaries: &Binaries, subnet: Subnet) -> Result<()> {
    let cluster = Inside {
        dir,
        binaries,
        subnet,
    };
    cluster.network()?;
    let mut children = cluster.control_plane()?;
    children.extend(cluster.node()?);
    cluster.settled()?;
    fs::write(dir.join("ready"), "")?;
    loop {
        for (name, child) in &mut children {
            if let Some(status) = child.try_wait()? {
                bail!("{name} ended with {status}; see logs/{name}.log");
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

type Children = Vec<(&'static str, Child)>;

struct Inside<'a> {
    dir: &'a Path,
    binaries: &'a Binaries,
    subnet: Subnet,
}

impl Inside<'_> {
    fn network(&self) -> Result<()> {
        sh("mount --make-rslave /")?;
        sh("ip link set lo up")?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("enabling forwarding")?;
        // Not /sys/class/net: that still shows the host's links here.
        wait("the inner end of the veth pair", || sh("ip link show eth0").is_ok())?;
        sh(&format!("ip addr add {} dev eth0", self.subnet.address(2)))?;
        sh("ip link set eth0 up")?;
        sh(&format!(
            "ip route add default via {}",
            self.subnet.host_ip()
        ))?;
        Ok(())
    }

    fn start(
        &self,
        name: &'static str,
        program: &Path,
        arguments: &str,
    ) -> Result<(&'static str, Child)> {
        let log = File::create(self.dir.join(format!("logs/{name}.log")))?;
        let arguments = arguments.replace("$RUN", &self.dir.display().to_string());
        let child = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(self.dir)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok((name, child))
    }

    fn own(&self, name: &'static str, arguments: &str) -> Result<(&'static str, Child)> {
        self.start(name, &self.binaries.path(name), arguments)
    }

    fn control_plane(&self) -> Result<Children> {
        let node_ip = self.subnet.node_ip();
        let etcd = self.own(
            "etcd",
            "--data-dir $RUN/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
             --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
             --initial-cluster default=http://127.0.0.1:2380 --unsafe-no-fsync --log-level warn",
        )?;
        let apiserver = self.own(
            "kube-apiserver",
            &format!(
                "--etcd-servers http://127.0.0.1:2379 --bind-address 0.0.0.0 --advertise-address {node_ip} --secure-port 6443 \
                 --service-cluster-ip-range 10.96.0.0/16 --tls-cert-file $RUN/pki/apiserver.crt --tls-private-key-file $RUN/pki/apiserver.key \
                 --client-ca-file $RUN/pki/ca.crt --service-account-key-file $RUN/pki/sa.pub --service-account-signing-key-file $RUN/pki/sa.key \
                 --service-account-issuer https://kubernetes.default.svc --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
                 --allow-privileged --kubelet-preferred-address-types InternalIP --kubelet-client-certificate $RUN/pki/admin.crt \
                 --kubelet-client-key $RUN/pki/admin.key --kubelet-certificate-authority $RUN/pki/ca.crt \
                 --audit-policy-file $RUN/audit-policy.yaml --audit-log-path $RUN/audit.log --audit-log-mode blocking-strict"
            ),
        )?;
        wait("kube-apiserver", || {
            self.kubectl("get --raw /readyz").is_ok()
        })?;
        let manager = self.own(
            "kube-controller-manager",
            "--kubeconfig $RUN/kcm.kubeconfig --service-account-private-key-file $RUN/pki/sa.key --root-ca-file $RUN/pki/ca.crt \
             --use-service-account-credentials --leader-elect=false --bind-address 127.0.0.1",
        )?;
        let scheduler = self.own(
            "kube-scheduler",
            "--kubeconfig $RUN/scheduler.kubeconfig --leader-elect=false --bind-address 127.0.0.1",
        )?;
        Ok(vec![etcd, apiserver, manager, scheduler])
    }

    fn node(&self) -> Result<Children> {
        let node_ip = self.subnet.node_ip();
        let containerd = self.start(
            "containerd",
            Path::new("/usr/bin/containerd"),
            "--config $RUN/containerd.toml",
        )?;
        wait("containerd", || self.ctr("version").is_ok())?;
        self.ctr(&format!(
            "-n k8s.io images import {}/pause.tar",
            self.dir.display()
        ))?;
        let kubelet = self.own(
            "kubelet",
            &format!(
                "--config $RUN/kubelet.yaml --kubeconfig $RUN/kubelet.kubeconfig --hostname-override node-1 --root-dir $RUN/kubelet \
                 --node-ip {node_ip} --cert-dir $RUN/pki"
            ),
        )?;
        let proxy = self.own(
            "kube-proxy",
            "--kubeconfig $RUN/admin.kubeconfig --proxy-mode nftables --cluster-cidr 10.244.0.0/24 --hostname-override node-1 \
             --bind-address 127.0.0.1 --metrics-bind-address 127.0.0.1:10249 --conntrack-max-per-core 0 --conntrack-min 0 \
             --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s",
        )?;
        let dns = self.own("coredns", "-conf $RUN/Corefile")?;
        Ok(vec![containerd, kubelet, proxy, dns])
    }

    /// Everything that a pod needs answers.
    fn settled(&self) -> Result<()> {
        wait("the node to be Ready", || {
            let ready = r"-o jsonpath={.status.conditions[?(@.type=='Ready')].status}";
            self.kubectl(&format!("get node node-1 {ready}"))
                .is_ok_and(|status| status.trim() == "True")
        })?;
        wait("CoreDNS", || {
            TcpStream::connect("127.0.0.1:8181").is_ok() && http_ok("127.0.0.1:8181", "/ready")
        })?;
        wait("kube-proxy", || http_ok("127.0.0.1:10249", "/healthz"))?;
        wait("the default service account", || {
            self.kubectl("-n default get serviceaccount default")
                .is_ok()
        })?;
        Ok(())
    }

    fn kubectl(&self, arguments: &str) -> Result<String> {
        let mut command = Command::new(self.binaries.kubectl());
        command
            .arg("--kubeconfig")
            .arg(self.dir.join("admin.kubeconfig"));
        run(command.args(arguments.split_whitespace()))
    }

    fn ctr(&self, arguments: &str) -> Result<String> {
        let mut command = Command::new("ctr");
        command.arg("-a").arg(self.dir.join("containerd.sock"));
        run(command.args(arguments.split_whitespace()))
    }
}

/// Asks for a page; any answer with status 200 will do.
fn http_ok(address: &str, path: &str) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer
            .lines()
            .next()
            .is_some_and(|status| status.contains(" 200"))
}

fn wait(what: &str, ready: impl Fn() -> bool) -> Result<()> {
    let started = Instant::now();
    while !ready() {
        if started.elapsed() > PATIENCE {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
