//! A running chamber, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::World;

/// Far above what anything here takes; a hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs to the end; it has to succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// One request over a connection of its own: status and body; status 0 without an answer.
fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    exchange(address, method, path, body).unwrap_or((0, String::new()))
}

fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub struct Chamber {
    child: Child,
    metrics: SocketAddr,
    workload: SocketAddr,
}

impl Drop for Chamber {
    fn drop(&mut self) {
        // Agent and signer end with it: each watches its end of a pipe.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Chamber {
    pub fn start(world: &World, release: &str, blob: &str) -> Self {
        Self::with(world, release, ("TEE_AUTO_UNSEAL_BLOB", blob))
    }

    /// Seals, offers its blob, and ends when it is told to.
    pub fn seal(world: &World, release: &str) -> Value {
        let request = World::seal_request();
        let mut chamber = Self::with(world, release, ("CHAMBER_SEAL_REQUEST", &request));
        wait_for("the sealed blob", || chamber.host("/sealed-blob").0 == 200);
        let (_, offer) = chamber.host("/sealed-blob");
        chamber.terminate();
        let ended = chamber.exit();
        assert!(ended.success(), "{ended}");
        serde_json::from_str(&offer).unwrap()
    }

    fn with(world: &World, release: &str, (name, value): (&str, &str)) -> Self {
        let (metrics, workload) = (free_address(), free_address());
        let child = world
            .command(release, &["host"])
            .env(name, value)
            .env("CHAMBER_DEV_METRICS", metrics.to_string())
            .env("CHAMBER_DEV_WORKLOAD", workload.to_string())
            .spawn();
        Self {
            child: child.unwrap(),
            metrics,
            workload,
        }
    }

    pub fn host(&self, path: &str) -> (u16, String) {
        request(self.metrics, "GET", path, "")
    }

    pub fn metrics(&self) -> String {
        self.host("/metrics").1
    }

    pub fn workload(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        request(self.workload, method, path, body)
    }

    pub fn workload_is_closed(&self) -> bool {
        TcpStream::connect(self.workload).is_err()
    }

    pub fn public_key(&self) -> String {
        let (status, body) = self.workload("GET", "/public-key", "");
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        body["publicKey"].as_str().unwrap().to_owned()
    }

    pub fn wait_for(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        wait_for(what, || holds(self));
    }

    pub fn wait_until_ready(&self) {
        self.wait_for("readiness", |chamber| chamber.host("/readyz").0 == 200);
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    pub fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub fn kill_agent(&self) {
        let pid = self.pid().as_raw_nonzero();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap();
        let agent: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(agent).unwrap(), Signal::KILL).unwrap();
    }

    /// Sends the head of a request to sign `length` bytes, and waits until the signer has taken the connection.
    pub fn begin_request(&self, length: usize) -> SlowRequest {
        let mut stream = TcpStream::connect(self.workload).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /sign HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        SlowRequest(stream)
    }

    /// A client that signs all the time.
    pub fn client(&self, world: &World) -> Client {
        let stats = free_address();
        let child = world
            .command("v1", &["client", "--url"])
            .arg(format!("http://{}", self.workload))
            .args(["--rate", "50", "--listen", &stats.to_string()])
            .stdout(Stdio::null())
            .spawn();
        Client {
            child: child.unwrap(),
            stats,
        }
    }
}

pub struct SlowRequest(TcpStream);

impl SlowRequest {
    pub fn finish(mut self, body: &str) -> String {
        self.0.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }
}

pub struct Client {
    child: Child,
    stats: SocketAddr,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    pub fn get(&self, path: &str) -> (u16, String) {
        request(self.stats, "GET", path, "")
    }

    pub fn wait_for(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        wait_for(what, || holds(self));
    }
}
