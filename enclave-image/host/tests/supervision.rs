//! The host over enclaves that misbehave. Time is the test's: nothing here waits for real.
#![allow(clippy::unwrap_used, clippy::panic)] // Tests may.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use chamber_host::{Enclave, Host, Launcher, Outcome, run};
use chamber_link::{Link, Start, Task, ToAgent, ToHost};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// How one launch goes.
enum Script {
    DoesNotStart,
    /// Says this, closes its stream, and ends if `ends`.
    Says {
        message: ToHost,
        ends: bool,
    },
    /// Says this and lives on, deaf to everything.
    Deaf(ToHost),
}

struct Scripted {
    launches: VecDeque<Script>,
    kills: Arc<AtomicU32>,
}

impl Scripted {
    fn new(launches: impl Into<VecDeque<Script>>) -> Self {
        Self {
            launches: launches.into(),
            kills: Arc::default(),
        }
    }

    fn kills(&self) -> u32 {
        self.kills.load(Ordering::Relaxed)
    }
}

struct FakeEnclave {
    ended: watch::Receiver<bool>,
    kills: Arc<AtomicU32>,
}

impl Enclave for FakeEnclave {
    async fn ended(&mut self) -> String {
        self.ended.wait_for(|ended| *ended).await.unwrap();
        "it ended".into()
    }

    async fn kill(&mut self) {
        self.kills.fetch_add(1, Ordering::Relaxed);
    }
}

impl Launcher for Scripted {
    type Enclave = FakeEnclave;
    type Stream = DuplexStream;

    async fn launch(&mut self) -> io::Result<(FakeEnclave, DuplexStream)> {
        let script = self.launches.pop_front().unwrap_or(Script::DoesNotStart);
        if matches!(script, Script::DoesNotStart) {
            return Err(io::Error::other("no enclave device"));
        }
        let (host, agent) = tokio::io::duplex(4096);
        let (end, ended) = watch::channel(false);
        tokio::spawn(play(script, agent, end));
        let kills = Arc::clone(&self.kills);
        Ok((FakeEnclave { ended, kills }, host))
    }
}

async fn play(script: Script, stream: DuplexStream, end: watch::Sender<bool>) {
    let link: Link<ToAgent, ToHost> = chamber_link::connect(stream);
    match script {
        Script::DoesNotStart => {}
        Script::Says { message, ends } => {
            link.sender.send(message).await.unwrap();
            link.sender.close().await.unwrap();
            end.send_replace(ends);
        }
        Script::Deaf(message) => link.sender.send(message).await.unwrap(),
    }
    std::future::pending::<()>().await;
}

async fn host() -> (Host, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let credentials = Credentials::new("AKIA", "secret", None, None, "test");
    let host = Host {
        start: Start {
            region: "us-east-1".into(),
            task: Task::Unseal {
                blob: String::new(),
                cluster_id: None,
            },
        },
        credentials: SharedCredentialsProvider::new(credentials),
        listener,
    };
    (host, address)
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn unsealed() -> ToHost {
    ToHost::Unsealed { millis: 1500 }
}

#[tokio::test(start_paused = true)]
async fn an_enclave_that_does_not_start_is_tried_again_until_it_does() {
    let (host, address) = host().await;
    let mut launcher = Scripted::new([
        Script::DoesNotStart,
        Script::DoesNotStart,
        Script::Deaf(unsealed()),
    ]);
    let check = async {
        while !get(address, "/readyz").await.starts_with("HTTP/1.1 200") {
            // The test's time: a busy loop would keep it from passing.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        get(address, "/metrics").await
    };
    let page = tokio::select! {
        _ = run(host, &mut launcher, std::future::pending()) => panic!("it ended"),
        page = check => page,
    };
    assert!(
        page.contains("\nchamber_enclave_restarts_total 2\n"),
        "{page}"
    );
    assert!(
        page.contains("\nchamber_unseal_duration_seconds_sum 1.5\n"),
        "{page}"
    );
    assert!(
        page.contains("content-type: text/plain; version=0.0.4"),
        "{page}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_blob_said_with_the_last_breath_counts() {
    for _ in 0..20 {
        let (host, _) = host().await;
        let sealed = ToHost::Sealed {
            blob: "AAAA".into(),
            commitment: "00".into(),
        };
        let mut launcher = Scripted::new([Script::Says {
            message: sealed,
            ends: true,
        }]);
        let outcome = run(host, &mut launcher, std::future::pending()).await;
        assert!(matches!(outcome, Ok(Outcome::Sealed { .. })), "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_enclave_whose_agent_fell_silent_is_ended() {
    let (host, _) = host().await;
    let mut launcher = Scripted::new([Script::Says {
        message: unsealed(),
        ends: false,
    }]);
    let (stop, stopped) = oneshot::channel::<()>();
    let kills = Arc::clone(&launcher.kills);
    tokio::spawn(async move {
        while kills.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        stop.send(()).unwrap();
    });
    let outcome = run(host, &mut launcher, async { stopped.await.unwrap() }).await;
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert_eq!(launcher.kills(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_enclave_that_does_not_stop_is_ended_within_the_grace_of_a_pod() {
    let (host, _) = host().await;
    let mut launcher = Scripted::new([Script::Deaf(unsealed())]);
    let began = tokio::time::Instant::now();
    let outcome = run(host, &mut launcher, std::future::ready(())).await;
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert_eq!(launcher.kills(), 1);
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
}
