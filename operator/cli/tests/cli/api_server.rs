//! A stand-in for an API server, and for an HTTP proxy on the way to one: it records what it is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::Run;

/// It answers every GET with one `ChamberCluster`, and every CONNECT as if it were the server beyond. A refusal is an
/// object with its `code`.
pub struct ApiServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl ApiServer {
    /// Listens until the tests are over.
    pub fn start() -> Self {
        Self::start_with(|_| Some(signer()))
    }

    /// As `start`, with what is there by the path of a request.
    pub fn start_with(object: impl Fn(&str) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self::start_asked(move |path, _| object(path))
    }

    /// As `start_with`, by the path and the body.
    pub fn start_asked(
        object: impl Fn(&str, &[u8]) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let object = Arc::new(object);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let record = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (record, object) = (record.clone(), object.clone());
                // A client that leaves in the middle is no fault of the server's.
                std::thread::spawn(move || drop(serve(&stream.unwrap(), &record, &*object)));
            }
        });
        Self { address, seen }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of all requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    stream: &TcpStream,
    record: &Mutex<Vec<String>>,
    object: &dyn Fn(&str, &[u8]) -> Option<Value>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let is_tunnel = head.starts_with("CONNECT ");
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut question = vec![0; length(&head)];
        reader.read_exact(&mut question)?;
        record.lock().unwrap().push(head);
        if is_tunnel {
            writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            continue;
        }
        let body = object(&path, &question).unwrap_or_else(absent);
        let status = match body["code"].as_u64() {
            Some(403) => "403 Forbidden",
            Some(404) => "404 Not Found",
            Some(409) => "409 Conflict",
            _ => "200 OK",
        };
        // Logs and metrics are text.
        let body = match body {
            Value::String(text) => text,
            object => object.to_string(),
        };
        write!(
            writer,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

/// Of the body.
fn length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |length| length.trim().parse().unwrap())
}

fn absent() -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404,
        "message": "not found"})
}

/// A resource that nothing is wrong with.
fn signer() -> Value {
    json!({
        "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": "signer", "namespace": "chambers"},
        "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "a"}},
            "keys": {"threshold": 1, "shares": []},
            "verification": {"prometheus": {"url": "http://p"}}},
    })
}

/// A kubeconfig in a folder of its own, which goes with it.
pub struct Kubeconfig {
    folder: PathBuf,
}

impl Kubeconfig {
    /// Of these contexts (name and members of the cluster); the first is the current one, in the namespace `chambers`.
    pub fn of(name: &str, contexts: &[(&str, Value)]) -> Self {
        let folder = format!("kubectl-chamber-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let each = contexts.iter();
        let clusters = each
            .clone()
            .map(|(name, cluster)| json!({"name": name, "cluster": cluster}));
        let named = each.clone().map(|(name, _)| {
            json!({"name": name, "context": {"cluster": name, "user": "person", "namespace": "chambers"}})
        });
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": contexts.first().map(|(name, _)| name),
            "clusters": clusters.collect::<Vec<_>>(), "contexts": named.collect::<Vec<_>>(),
            "users": [{"name": "person", "user": {"token": "t"}}],
        });
        std::fs::write(folder.join("config"), config.to_string()).unwrap();
        Self { folder }
    }

    pub fn file(&self) -> String {
        self.folder.join("config").to_str().unwrap().to_owned()
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Runs the program with these variables and no others.
pub fn with_variables(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-chamber"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Run {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
