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
use measurement::Pcr;
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
    /// Ends when it is told what to do, as an agent does that does not know it.
    Leaves,
    /// Answers each nonce with this document.
    Proves(String),
    /// Says this and lives on, deaf to everything.
    Deaf(ToHost),
    /// Greets, and reads nothing.
    Stuck,
    /// Begins with this in place of a greeting, and listens to what it is told.
    Greets(ToHost),
}

struct Scripted {
    launches: VecDeque<Script>,
    kills: Arc<AtomicU32>,
    expected: Option<Pcr>,
    /// Messages that came after a greeting of [`Script::Greets`].
    told: Arc<AtomicU32>,
}

impl Scripted {
    fn new(launches: impl Into<VecDeque<Script>>) -> Self {
        Self {
            launches: launches.into(),
            kills: Arc::default(),
            expected: None,
            told: Arc::default(),
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

    fn measurement(&self) -> Option<Pcr> {
        self.expected
    }

    async fn launch(&mut self) -> io::Result<(FakeEnclave, DuplexStream)> {
        let script = self.launches.pop_front().unwrap_or(Script::DoesNotStart);
        if matches!(script, Script::DoesNotStart) {
            return Err(io::Error::other("no enclave device"));
        }
        let (host, agent) = tokio::io::duplex(4096);
        let (end, ended) = watch::channel(false);
        tokio::spawn(play(script, agent, end, Arc::clone(&self.told)));
        let kills = Arc::clone(&self.kills);
        Ok((FakeEnclave { ended, kills }, host))
    }
}

async fn play(
    script: Script,
    stream: DuplexStream,
    end: watch::Sender<bool>,
    told: Arc<AtomicU32>,
) {
    if matches!(script, Script::Stuck) {
        let (_unread, writer) = tokio::io::split(stream);
        let deaf = tokio::io::join(tokio::io::empty(), writer);
        let link: Link<ToAgent, ToHost> = chamber_link::connect(deaf);
        link.sender.send(hello("ab")).await.unwrap();
        return std::future::pending().await;
    }
    let link: Link<ToAgent, ToHost> = chamber_link::connect(stream);
    let mut receiver = link.receiver;
    if let Script::Greets(first) = script {
        link.sender.send(first).await.unwrap();
        while receiver.receive().await.is_ok() {
            told.fetch_add(1, Ordering::Relaxed);
        }
        return std::future::pending().await;
    }
    link.sender.send(hello("ab")).await.unwrap();
    let first = receiver.receive().await.unwrap();
    assert!(matches!(first, ToAgent::Start(_)), "{first:?}");
    match script {
        Script::DoesNotStart | Script::Stuck | Script::Greets(_) => {}
        Script::Says { message, ends } => {
            link.sender.send(message).await.unwrap();
            link.sender.close().await.unwrap();
            end.send_replace(ends);
        }
        Script::Leaves => {
            link.sender.close().await.unwrap();
            end.send_replace(true);
        }
        Script::Proves(document) => {
            while let Ok(message) = receiver.receive().await {
                if let ToAgent::Attest { nonce } = message {
                    let document = document.clone();
                    let answer = ToHost::Attestation { nonce, document };
                    link.sender.send(answer).await.unwrap();
                }
            }
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
            manifest: None,
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

/// A greeting of the image whose PCR0 has this byte 48 times.
fn hello(byte: &str) -> ToHost {
    ToHost::Hello {
        image_sha384: byte.repeat(48),
        attests: true,
    }
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
async fn a_blob_said_with_the_last_breath_is_offered_until_the_pod_ends() {
    for _ in 0..20 {
        let (host, address) = host().await;
        let sealed = ToHost::Sealed {
            blob: "AAAA".into(),
            commitment: "00".into(),
        };
        let mut launcher = Scripted::new([Script::Says {
            message: sealed,
            ends: true,
        }]);
        let (stop, stopped) = oneshot::channel::<()>();
        let taker = tokio::spawn(async move {
            loop {
                let page = get(address, "/sealed-blob").await;
                if page.starts_with("HTTP/1.1 200") {
                    stop.send(()).unwrap();
                    return page;
                }
                assert!(page.starts_with("HTTP/1.1 404"), "{page}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
        let outcome = run(host, &mut launcher, async { stopped.await.unwrap() }).await;
        assert!(matches!(outcome, Ok(Outcome::Sealed { .. })), "{outcome:?}");
        let page = taker.await.unwrap();
        let offer = r#"{"sealedBlob":"AAAA","commitment":"00"}"#;
        assert!(page.ends_with(offer), "{page}");
    }
}

fn rewrap() -> Task {
    Task::Rewrap {
        blob: String::new(),
        previous: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_know_how_to_rewrap_fails_it_at_once() {
    for _ in 0..20 {
        let (mut host, _) = host().await;
        host.start.task = rewrap();
        // One that does not even start says nothing of what its agent knows.
        let mut launcher = Scripted::new([Script::DoesNotStart, Script::Leaves]);
        let shutdown = tokio::time::sleep(std::time::Duration::from_mins(10));
        let outcome = run(host, &mut launcher, shutdown).await;
        let Ok(Outcome::SealFailed { message }) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(message.contains("older than that task"), "{message}");
    }
    // Every agent knows how to unseal: this one is started again.
    let (host, _) = host().await;
    let mut launcher = Scripted::new([Script::Leaves, Script::Leaves]);
    let shutdown = tokio::time::sleep(std::time::Duration::from_mins(1));
    let outcome = run(host, &mut launcher, shutdown).await;
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert!(launcher.launches.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rewrap_whose_enclave_crashed_on_the_way_is_done_again() {
    let (mut host, address) = host().await;
    host.start.task = rewrap();
    let says = |message| Script::Says {
        message,
        ends: true,
    };
    let asks = ToHost::NeedCredentials(chamber_link::Wanted::default());
    let sealed = ToHost::Sealed {
        blob: "AAAA".into(),
        commitment: "00".into(),
    };
    let mut launcher = Scripted::new([says(asks), says(sealed)]);
    let offered = async {
        while !get(address, "/sealed-blob").await.contains("AAAA") {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let outcome = run(host, &mut launcher, offered).await;
    assert!(matches!(outcome, Ok(Outcome::Sealed { .. })), "{outcome:?}");
}

async fn post(address: SocketAddr, path: &str, json: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_nonce_goes_to_the_enclave_and_its_document_comes_back() {
    let (host, address) = host().await;
    let nonce = "5a".repeat(32);
    let mut launcher = Scripted::new([Script::Proves("ZG9j".into())]);
    let asked = async {
        let bad = ["5a", &"5A".repeat(32), &"5a".repeat(65), "zz"];
        for bad in bad {
            let question = format!(r#"{{"nonce":"{bad}"}}"#);
            let page = post(address, "/attestation", &question).await;
            assert!(page.starts_with("HTTP/1.1 400"), "{bad}: {page}");
        }
        let long = format!(r#"{{"nonce":"{}"}}"#, "5a".repeat(4000));
        let page = post(address, "/attestation", &long).await;
        assert!(page.starts_with("HTTP/1.1 413"), "{page}");
        post(
            address,
            "/attestation",
            &format!(r#"{{"nonce":"{nonce}"}}"#),
        )
        .await
    };
    let page = tokio::select! {
        _ = run(host, &mut launcher, std::future::pending()) => panic!("it ended"),
        page = asked => page,
    };
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.ends_with(r#"{"document":"ZG9j"}"#), "{page}");
}

/// An agent of before ends at a message that it does not know: a chamber that serves would go down with each question.
#[tokio::test]
async fn an_enclave_image_that_is_older_than_its_host_is_not_asked_to_attest() {
    let (host, address) = host().await;
    let before = ToHost::Hello {
        image_sha384: "ab".repeat(48),
        attests: false,
    };
    let mut launcher = Scripted::new([Script::Greets(before)]);
    let told = Arc::clone(&launcher.told);
    let question = format!(r#"{{"nonce":"{}"}}"#, "5a".repeat(32));
    let asked = async {
        while told.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        post(address, "/attestation", &question).await
    };
    let page = tokio::select! {
        _ = run(host, &mut launcher, std::future::pending()) => panic!("it ended"),
        page = asked => page,
    };
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(page.contains("older than this host"), "{page}");
    assert_eq!(told.load(Ordering::Relaxed), 1, "what to do, and no more");
}

#[tokio::test(start_paused = true)]
async fn a_deaf_enclave_proves_nothing_and_the_asker_is_told_in_time() {
    let (host, address) = host().await;
    let mut launcher = Scripted::new([Script::Deaf(unsealed())]);
    let question = format!(r#"{{"nonce":"{}"}}"#, "5a".repeat(32));
    let page = tokio::select! {
        _ = run(host, &mut launcher, std::future::pending()) => panic!("it ended"),
        page = post(address, "/attestation", &question) => page,
    };
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(page.contains("did not answer within 5 s"), "{page}");
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
    let shutdown = tokio::time::sleep(std::time::Duration::from_secs(1));
    let outcome = run(host, &mut launcher, shutdown).await;
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert_eq!(launcher.kills(), 1);
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
}

/// Enclaves that greet like this and are killed for it, until one has been.
async fn greeting(expected: Option<Pcr>, first: ToHost) -> (u32, u32) {
    let (host, _) = host().await;
    let mut launcher = Scripted::new([Script::Greets(first)]);
    launcher.expected = expected;
    let shutdown = tokio::time::sleep(std::time::Duration::from_secs(20));
    let (told, kills) = (Arc::clone(&launcher.told), Arc::clone(&launcher.kills));
    let outcome = run(host, &mut launcher, shutdown).await;
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    (told.load(Ordering::Relaxed), kills.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn an_enclave_of_another_image_is_ended_and_told_nothing() {
    let image = |byte| Some(Pcr::from_bytes([byte; 48]));
    assert_eq!(greeting(image(0xab), hello("cd")).await, (0, 1));
    assert_eq!(greeting(image(0xab), hello("00")).await, (0, 1), "debug");
    assert_eq!(greeting(None, hello("no hex")).await, (0, 1));
    // The right image, and one that nobody expects, are told what to do, and then to stop.
    assert_eq!(greeting(image(0xab), hello("ab")).await, (2, 1));
    assert_eq!(greeting(None, hello("cd")).await, (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_enclave_that_begins_with_anything_else_is_ended_and_told_nothing() {
    assert_eq!(greeting(None, unsealed()).await, (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_enclave_that_reads_nothing_is_ended() {
    let (mut host, _) = host().await;
    host.start.manifest = Some("A".repeat(100_000));
    let mut launcher = Scripted::new([Script::Stuck]);
    let shutdown = tokio::time::sleep(std::time::Duration::from_secs(12));
    let outcome = run(host, &mut launcher, shutdown).await;
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert_eq!(launcher.kills(), 1, "before the host was told to end");
}

#[tokio::test(start_paused = true)]
async fn an_enclave_that_answers_no_more_is_replaced_and_one_that_does_is_not() {
    let ten_minutes = std::time::Duration::from_mins(10);
    for (script, kills) in [
        (Script::Deaf(unsealed()), 1),
        (Script::Proves("ZG9j".into()), 0),
    ] {
        let (host, _) = host().await;
        let mut launcher = Scripted::new([script]);
        let count = Arc::clone(&launcher.kills);
        let before_the_end = async {
            tokio::time::sleep(ten_minutes).await;
            assert_eq!(count.load(Ordering::Relaxed), kills);
        };
        let outcome = run(host, &mut launcher, before_the_end).await;
        assert_eq!(outcome.unwrap(), Outcome::Stopped);
    }
}
