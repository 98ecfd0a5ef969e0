//! The workloads of enclave-image/examples keep the contract: key, requests, end.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

const MASTER: [u8; 32] = [7; 32];
const PATIENCE: Duration = Duration::from_mins(1);
/// The agent's part: descriptor 3 and nothing on standard input.
const START: &str = "exec 3<&0 </dev/null; exec \"$@\"";

/// Cargo builds examples for a package's tests, beside them.
fn rust() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/signer");
    assert!(
        built.exists(),
        "{} is built by a whole cargo test",
        built.display()
    );
    built
}

fn go(folder: &Path) -> PathBuf {
    let program = folder.join("signer");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/signer.go");
    let built = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&program)
        .arg(source)
        .env("CGO_ENABLED", "0")
        .status();
    assert!(built.unwrap().success());
    program
}

fn start(program: &Path) -> (Child, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let child = Command::new("sh")
        .args(["-c", START, "sh"])
        .arg(program)
        .arg(address.to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn();
    (child.unwrap(), address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::yield_now();
    }
}

fn keeps_the_contract(program: &Path) {
    let (mut child, address) = start(program);
    let mut pipe = child.stdin.take().unwrap();
    // In two pieces: a pipe gives what is there.
    pipe.write_all(&MASTER[..5]).unwrap();
    pipe.write_all(&MASTER[5..]).unwrap();
    let idle = connect(address);
    let mut client = connect(address);
    let mut answers = BufReader::new(client.try_clone().unwrap()).lines();
    for line in ["a request", ""] {
        writeln!(client, "{line}").unwrap();
        let expected = sign(&Key::new(HMAC_SHA256, &MASTER), line.as_bytes());
        assert_eq!(answers.next().unwrap().unwrap(), hex::encode(expected));
    }
    assert!(
        child.try_wait().unwrap().is_none(),
        "it ended before the pipe did"
    );
    drop(pipe);
    assert!(child.wait().unwrap().success(), "{}", program.display());
    drop(idle);
    // Without a key there is nothing to serve.
    let (mut child, _) = start(program);
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
}

#[test]
fn the_one_in_rust() {
    keeps_the_contract(&rust());
}

#[test]
fn the_one_in_go() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_contract(&go(folder.path()));
}
