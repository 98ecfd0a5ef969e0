use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::exposition::Page;
use crate::tests::{Accepted, FakeVsock};

struct Bench {
    address: SocketAddr,
    door: watch::Sender<Option<FakeVsock>>,
    enclave: Accepted,
    traffic: Arc<Traffic>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

async fn bench() -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (vsock, enclave) = FakeVsock::new();
    let (door, way) = watch::channel(Some(vsock));
    let traffic = Arc::new(Traffic::default());
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let serving = tokio::spawn(serve(listener, way, Arc::clone(&traffic), stopped));
    Bench {
        address,
        door,
        enclave,
        traffic,
        stop: Some(stop),
        serving,
    }
}

impl Bench {
    fn metric(&self, name: &str) -> u64 {
        let mut page = Page::default();
        self.traffic.render(&mut page);
        let page = page.text();
        let line = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
        page.lines()
            .find_map(line)
            .map_or(0, |value| value.parse().unwrap())
    }

    async fn refused(&self, reason: &str) {
        let name = format!("chamber_ingress_refused_total{{reason=\"{reason}\"}}");
        while self.metric(&name) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn is_closed(mut client: TcpStream) -> bool {
    matches!(client.read(&mut [0]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let mut bench = bench().await;
    let mut client = TcpStream::connect(bench.address).await.unwrap();
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let (mut workload, port) = bench.enclave.recv().await.unwrap();
    assert_eq!(port, INGRESS);
    let mut question = String::new();
    workload.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    workload.write_all(b"answer").await.unwrap();
    workload.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
    assert_eq!(
        bench.metric("chamber_ingress_bytes_total{direction=\"there\"}"),
        8
    );
    assert_eq!(
        bench.metric("chamber_ingress_bytes_total{direction=\"back\"}"),
        6
    );
}

#[tokio::test]
async fn without_an_enclave_clients_are_turned_away() {
    let bench = bench().await;
    bench.door.send_replace(None);
    let client = TcpStream::connect(bench.address).await.unwrap();
    assert!(is_closed(client).await);
    bench.refused("no_enclave").await;
}

#[tokio::test]
async fn an_enclave_that_takes_no_connection_turns_clients_away() {
    let mut bench = bench().await;
    bench.enclave.close();
    let client = TcpStream::connect(bench.address).await.unwrap();
    assert!(is_closed(client).await);
    bench.refused("no_connection").await;
}

#[tokio::test]
async fn connections_are_capped() {
    let mut bench = bench().await;
    let mut open = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let client = TcpStream::connect(bench.address).await.unwrap();
        open.push((client, bench.enclave.recv().await.unwrap()));
    }
    assert_eq!(
        bench.metric("chamber_ingress_open_connections"),
        MAX_CONNECTIONS as u64
    );
    let client = TcpStream::connect(bench.address).await.unwrap();
    assert!(is_closed(client).await);
    bench.refused("too_many").await;
    open.pop();
    while bench.metric("chamber_ingress_open_connections") == MAX_CONNECTIONS as u64 {
        tokio::task::yield_now().await;
    }
    let _client = TcpStream::connect(bench.address).await.unwrap();
    assert!(bench.enclave.recv().await.is_some());
}

#[tokio::test]
async fn at_the_end_open_connections_are_finished_and_new_ones_refused() {
    let mut bench = bench().await;
    let mut client = TcpStream::connect(bench.address).await.unwrap();
    let (mut workload, _) = bench.enclave.recv().await.unwrap();
    drop(bench.stop.take());
    while TcpStream::connect(bench.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!bench.serving.is_finished(), "one is open");
    workload.write_all(b"the last answer").await.unwrap();
    drop(workload);
    let mut answer = [0; 15];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"the last answer");
    drop(client);
    (&mut bench.serving).await.unwrap();
}
