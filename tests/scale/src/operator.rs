//! The operator as a process of this machine: a release build.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use demo::aws::REGION;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::aws::Kms;
use crate::control_plane::{ControlPlane, OPERATOR};
use crate::tally::Tally;

/// Clock ticks a second in /proc (Linux, `USER_HZ`).
const TICKS: u64 = 100;
/// From its start to leading, and from being told to end to its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running operator; it is killed when this is dropped.
pub struct Operator {
    child: Child,
    listen: SocketAddr,
    started: Instant,
}

impl Operator {
    /// Starts one, and waits until it answers.
    pub async fn start(plane: &ControlPlane, kms: &Kms, drift: &str) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("chamber-operator");
        let log = plane.folder.join("logs/operator.log");
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new(&program)
            .args(["run", "--identity", "scale", "--drift-interval", drift])
            .args(["--lease-namespace", OPERATOR, "--listen"])
            .arg(listen.to_string())
            .env_clear()
            .env("KUBECONFIG", &plane.kubeconfig)
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", &kms.url)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SSL_CERT_FILE", &kms.authority)
            .envs(kms.operator.environment())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let started = Instant::now();
        let this = Self {
            child,
            listen,
            started,
        };
        while this.tally().await.is_err() {
            ensure!(started.elapsed() < PATIENCE, "the operator does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(this)
    }

    /// Since when it runs.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Its calls so far, as it counts them.
    pub async fn tally(&self) -> Result<Tally> {
        let page = reqwest::get(format!("http://{}/metrics", self.listen)).await?;
        Ok(Tally::read(&page.error_for_status()?.text().await?))
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("the operator has ended")
    }

    /// Resident memory in MiB.
    pub fn rss_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line
            .context("VmRSS")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kib / 1024.0)
    }

    /// Time on a processor so far, in milliseconds.
    pub fn cpu_ms(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        // The name in parentheses may hold spaces; fields count from behind it.
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(f64::from(u32::try_from(ticks * 1000 / TICKS)?))
    }

    /// Sockets that it has open.
    pub fn sockets(&self) -> Result<usize> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid()?))?;
        let links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        Ok(links
            .filter(|link| link.to_string_lossy().starts_with("socket:"))
            .count())
    }

    /// Tells it to end, as a kubelet does, and waits until it has.
    pub async fn end(mut self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid()?)?).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("the operator does not end")??;
        Ok(())
    }
}
