//! A whole chamber, with an enclave that is a task of the test.

use std::net::SocketAddr;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use chamber_link::{SealRequest, Start, Task, ToAgent, ToHost};
use measurement::eif::Description;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::tests::{Accepted, CID, FakeVsock, image};

/// Boots enclaves whose side of vsock the test gets.
struct Machine {
    image: Description,
    booted: tokio::sync::mpsc::UnboundedSender<(FakeVsock, Accepted, watch::Sender<bool>)>,
}

struct Fake(watch::Receiver<bool>);

impl Enclave for Fake {
    async fn ended(&mut self) -> String {
        let _ = self.0.wait_for(|ended| *ended).await;
        "it ended".into()
    }

    async fn kill(&mut self) {}
}

impl Hypervisor for Machine {
    type Enclave = Fake;
    type Vsock = FakeVsock;

    fn image(&self) -> &Description {
        &self.image
    }

    async fn boot(&mut self) -> io::Result<(Fake, FakeVsock)> {
        let (vsock, accepted) = FakeVsock::new();
        let (end, ended) = watch::channel(false);
        let _ = self.booted.send((vsock.clone(), accepted, end));
        Ok((Fake(ended), vsock))
    }
}

/// Every name leads to this KMS.
struct Kms(SocketAddr);

impl Resolver for Kms {
    async fn resolve(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

struct Running {
    pages: SocketAddr,
    workload: SocketAddr,
    booted: tokio::sync::mpsc::UnboundedReceiver<(FakeVsock, Accepted, watch::Sender<bool>)>,
    stop: oneshot::Sender<()>,
    outcome: tokio::task::JoinHandle<io::Result<Outcome>>,
}

async fn start(kms: SocketAddr) -> Running {
    let listener = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let (pages, workload) = (listener().await, listener().await);
    let addresses = (pages.local_addr().unwrap(), workload.local_addr().unwrap());
    let request = SealRequest {
        cluster_id: "c".into(),
        generation: 1,
        threshold: 1,
        keys: vec!["arn:aws:kms:eu-west-1:111122223333:key/a".into()],
    };
    let credentials = Credentials::new("AKIA", "secret", None, None, "test");
    let chamber = Chamber {
        host: Host {
            start: Start {
                region: "us-east-1".into(),
                manifest: None,
                task: Task::Seal(request),
            },
            credentials: SharedCredentialsProvider::new(credentials),
            listener: pages,
        },
        workload,
        resolver: Kms(kms),
    };
    let (sender, booted) = tokio::sync::mpsc::unbounded_channel();
    let machine = Machine {
        image: image(),
        booted: sender,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    Running {
        pages: addresses.0,
        workload: addresses.1,
        booted,
        stop,
        outcome: tokio::spawn(chamber.run(machine, shutdown)),
    }
}

/// The agent's side of a chamber that has greeted and was told what to do.
async fn agent(accepted: &mut Accepted) -> chamber_link::Link<ToAgent, ToHost> {
    let (stream, port) = accepted.recv().await.unwrap();
    assert_eq!(port, ports::AGENT);
    let mut link = chamber_link::connect::<ToAgent, ToHost>(stream);
    let image_sha384 = image().pcr0.to_string();
    link.sender
        .send(ToHost::Hello {
            image_sha384,
            attests: true,
        })
        .await
        .unwrap();
    let first = link.receiver.receive().await.unwrap();
    assert!(matches!(first, ToAgent::Start(_)), "{first:?}");
    link
}

/// What the relay answers to a request for this host.
async fn ask_relay(vsock: &FakeVsock, host: &str) -> DuplexStream {
    let relay = vsock.parent(ports::relay(CID)).unwrap();
    let mut stream = relay.dial(CID).await;
    let request = format!("CONNECT {host}:443 HTTP/1.1\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest_of(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn page(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    rest_of(stream).await
}

#[tokio::test]
async fn the_enclave_reaches_kms_of_its_keys_and_clients_reach_the_enclave_until_the_end() {
    let kms = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut chamber = start(kms.local_addr().unwrap()).await;
    let (vsock, mut accepted, end) = chamber.booted.recv().await.unwrap();
    let link = agent(&mut accepted).await;
    let answer = rest_of(ask_relay(&vsock, "kms.us-east-1.amazonaws.com").await).await;
    assert!(
        answer.contains("403") && answer.contains("(eu-west-1)"),
        "{answer}"
    );
    let asked = ask_relay(&vsock, "kms.eu-west-1.amazonaws.com").await;
    let (mut served, _) = kms.accept().await.unwrap();
    served.write_all(b"TLS").await.unwrap();
    drop(served);
    assert_eq!(rest_of(asked).await, "HTTP/1.1 200 OK\r\n\r\nTLS");

    let client = TcpStream::connect(chamber.workload).await.unwrap();
    let (mut workload, port) = accepted.recv().await.unwrap();
    assert_eq!(port, ports::INGRESS);
    let text = page(chamber.pages).await;
    assert!(
        text.contains("\nchamber_relay_connections_total 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\nchamber_ingress_open_connections 1\n"),
        "{text}"
    );

    chamber.stop.send(()).unwrap();
    let mut receiver = link.receiver;
    assert!(matches!(receiver.receive().await, Ok(ToAgent::Stop)));
    // The last answer is on its way when the enclave ends.
    workload.write_all(b"last answer").await.unwrap();
    drop(workload);
    end.send_replace(true);
    assert_eq!(rest_of(client).await, "last answer");
    assert_eq!(chamber.outcome.await.unwrap().unwrap(), Outcome::Stopped);
    assert!(TcpStream::connect(chamber.workload).await.is_err());
}

/// Without a connection the port is closed at once, long before the workload is done.
#[tokio::test]
async fn a_chamber_without_clients_lets_its_workload_end_in_order() {
    let kms = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut chamber = start(kms.local_addr().unwrap()).await;
    let (_vsock, mut accepted, end) = chamber.booted.recv().await.unwrap();
    let mut link = agent(&mut accepted).await;
    chamber.stop.send(()).unwrap();
    assert!(matches!(link.receiver.receive().await, Ok(ToAgent::Stop)));
    end.send_replace(true);
    assert_eq!(chamber.outcome.await.unwrap().unwrap(), Outcome::Stopped);
}

#[tokio::test]
async fn an_enclave_that_ends_leaves_no_way_behind_and_the_next_one_has_its_own() {
    let kms = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut chamber = start(kms.local_addr().unwrap()).await;
    let (vsock, mut accepted, end) = chamber.booted.recv().await.unwrap();
    let first = agent(&mut accepted).await;
    let asked = ask_relay(&vsock, "kms.eu-west-1.amazonaws.com").await;
    let _served = kms.accept().await.unwrap();
    first.sender.close().await.unwrap();
    end.send_replace(true);
    assert_eq!(rest_of(asked).await, "HTTP/1.1 200 OK\r\n\r\n", "cut off");
    let turned_away = TcpStream::connect(chamber.workload).await.unwrap();
    assert_eq!(rest_of(turned_away).await, "");
    let (_vsock, mut accepted, _end) = chamber.booted.recv().await.unwrap();
    let _second = agent(&mut accepted).await;
    let _client = TcpStream::connect(chamber.workload).await.unwrap();
    assert_eq!(accepted.recv().await.unwrap().1, ports::INGRESS);
}

#[tokio::test(start_paused = true)]
async fn an_enclave_whose_agent_does_not_listen_is_given_up() {
    let (vsock, accepted) = FakeVsock::new();
    drop(accepted);
    let (_end, ended) = watch::channel(false);
    let error = reach(&mut Fake(ended), &vsock)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("does not listen on vsock port 5000 within 60s"),
        "{error}"
    );
    let (_end, ended) = watch::channel(true);
    let error = reach(&mut Fake(ended), &vsock)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("ended while it booted: it ended"), "{error}");
}
