//! The enclave's side may be hostile: it says anything, much of it, or nothing.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::exposition::Page;
use crate::tests::{CID, Dialer, port};

const HOST: &str = "kms.us-east-1.amazonaws.com";
const CONNECT: &str = "CONNECT kms.us-east-1.amazonaws.com:443 HTTP/1.1\r\nhost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// Every name leads to these.
struct Fixed(Vec<SocketAddr>);

impl Resolver for Fixed {
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, HOST, "only what is allowed is looked up");
        Ok(self.0.clone())
    }
}

struct Bench {
    dialer: Dialer,
    traffic: Arc<Traffic>,
    serving: JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn bench(addresses: Vec<SocketAddr>) -> Bench {
    let traffic = Arc::new(Traffic::default());
    let relay = Relay {
        endpoints: Endpoints::of_keys(["arn:aws:kms:us-east-1:111122223333:key/a"]),
        resolver: Fixed(addresses),
        traffic: Arc::clone(&traffic),
    };
    let (dialer, incoming) = port();
    let serving = tokio::spawn(serve(Arc::new(relay), incoming, CID));
    Bench {
        dialer,
        traffic,
        serving,
    }
}

impl Bench {
    /// All that is answered to these bytes, until the relay closes.
    async fn answer(&self, bytes: &[u8]) -> String {
        let mut stream = self.dialer.dial(CID).await;
        // A relay that has closed already has answered, too.
        let _ = stream.write_all(bytes).await;
        rest_of(stream).await
    }

    fn metric(&self, name: &str) -> u64 {
        let mut page = Page::default();
        self.traffic.render(&mut page);
        let page = page.text();
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    fn refused(&self, reason: &str) -> u64 {
        self.metric(&format!(
            "chamber_relay_refused_total{{reason=\"{reason}\"}}"
        ))
    }
}

async fn rest_of(mut stream: DuplexStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// A KMS that sends back what it gets.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

/// An address that nobody listens on.
async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn bytes_go_to_kms_and_back_and_are_counted() {
    // The first address is dead: the next one is tried.
    let bench = bench(vec![closed().await, echo().await]);
    let mut stream = bench.dialer.dial(CID).await;
    // What is written before the answer came is not lost.
    let first = format!("{CONNECT}early ");
    stream.write_all(first.as_bytes()).await.unwrap();
    let mut ok = vec![0; OK.len()];
    stream.read_exact(&mut ok).await.unwrap();
    assert_eq!(ok, OK.as_bytes());
    stream.write_all(b"and late").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest_of(stream).await, "early and late");
    assert_eq!(bench.metric("chamber_relay_connections_total"), 1);
    assert_eq!(
        bench.metric("chamber_relay_bytes_total{direction=\"back\"}"),
        14
    );
}

#[tokio::test]
async fn a_host_that_is_no_kms_endpoint_is_refused_in_one_line() {
    let bench = bench(vec![echo().await]);
    let answer = bench
        .answer(b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n")
        .await;
    assert_eq!(
        answer,
        "HTTP/1.1 403 evil.example is no KMS endpoint of the Regions of the chamber's keys (us-east-1)\r\n\r\n"
    );
    for host in [
        "kms.eu-west-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        "169.254.169.254",
        "[::1]",
    ] {
        let request = format!("CONNECT {host}:443 HTTP/1.1\r\n\r\n");
        let answer = bench.answer(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
    }
    assert_eq!(bench.refused("not_allowed"), 5);
    assert_eq!(bench.metric("chamber_relay_connections_total"), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_not_reached_is_a_502_with_the_reason() {
    let answer = bench(vec![closed().await]).answer(CONNECT.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 502 kms.us-east-1.amazonaws.com is not reached: 127."),
        "{answer}"
    );
    let answer = bench(Vec::new()).answer(CONNECT.as_bytes()).await;
    assert_eq!(
        answer,
        format!("HTTP/1.1 502 {HOST} is not resolved: no address\r\n\r\n")
    );
}

#[tokio::test]
async fn garbage_and_endless_requests_are_refused() {
    let bench = bench(Vec::new());
    let answer = bench.answer(b"\x16\x03\x01\x02\x00\x01").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = bench.answer(&vec![b'a'; 200_000]).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // What the enclave writes cannot begin a line of the answer.
    let answer = bench.answer(b"CONNECT a\x80b:443 HTTP/1.1\r\n\r\n").await;
    assert!(
        answer.ends_with("\r\n\r\n") && answer.lines().count() == 2,
        "{answer:?}"
    );
    assert_eq!(bench.refused("malformed") + bench.refused("not_allowed"), 2);
    assert_eq!(bench.refused("too_long"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_come_is_given_up() {
    let bench = bench(Vec::new());
    let mut slow = bench.dialer.dial(CID).await;
    for byte in b"CONNECT k" {
        // Each byte in time, the request not.
        let _ = slow.write_all(&[*byte]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let answer = rest_of(slow).await;
    assert_eq!(
        answer,
        "HTTP/1.1 408 the request was not there within 5 s\r\n\r\n"
    );
    assert_eq!(bench.refused("slow"), 1);
}

#[tokio::test]
async fn another_enclave_of_the_machine_gets_nothing() {
    let bench = bench(vec![echo().await]);
    for cid in [2, 3, CID + 1] {
        let mut foreign = bench.dialer.dial(cid).await;
        let _ = foreign.write_all(CONNECT.as_bytes()).await;
        assert_eq!(rest_of(foreign).await, "");
    }
    assert_eq!(bench.refused("foreign"), 3);
}

#[tokio::test]
async fn a_flood_of_connections_is_bounded_and_places_come_back() {
    let bench = bench(vec![echo().await]);
    let mut held = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut stream = bench.dialer.dial(CID).await;
        stream.write_all(CONNECT.as_bytes()).await.unwrap();
        let mut ok = vec![0; OK.len()];
        stream.read_exact(&mut ok).await.unwrap();
        held.push(stream);
    }
    assert_eq!(
        bench.metric("chamber_relay_open_connections"),
        MAX_CONNECTIONS as u64
    );
    for _ in 0..200 {
        assert_eq!(bench.answer(CONNECT.as_bytes()).await, "", "no place");
    }
    assert_eq!(bench.refused("too_many"), 200);
    let mut last = held.pop().unwrap();
    last.shutdown().await.unwrap();
    assert_eq!(rest_of(last).await, "");
    while bench.metric("chamber_relay_open_connections") == MAX_CONNECTIONS as u64 {
        tokio::task::yield_now().await;
    }
    let mut again = bench.dialer.dial(CID).await;
    again.write_all(CONNECT.as_bytes()).await.unwrap();
    again.shutdown().await.unwrap();
    assert_eq!(rest_of(again).await, OK);
}

#[tokio::test]
async fn an_enclave_sends_no_more_than_its_bytes() {
    let bench = bench(vec![echo().await]);
    let mut stream = bench.dialer.dial(CID).await;
    stream.write_all(CONNECT.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let reading =
        tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
    let chunk = vec![0; 64 * 1024];
    while writer.write_all(&chunk).await.is_ok() {}
    let _ = reading.await.unwrap();
    let there = bench.metric("chamber_relay_bytes_total{direction=\"there\"}");
    assert!(there <= LIMITS.bytes, "{there}");
    assert_eq!(bench.metric("chamber_relay_cut_total{reason=\"bytes\"}"), 1);
}

#[tokio::test]
async fn connections_end_with_the_enclave() {
    let bench = bench(vec![echo().await]);
    let mut stream = bench.dialer.dial(CID).await;
    stream.write_all(CONNECT.as_bytes()).await.unwrap();
    let mut ok = vec![0; OK.len()];
    stream.read_exact(&mut ok).await.unwrap();
    bench.serving.abort();
    assert_eq!(rest_of(stream).await, "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_an_enclave_says_is_answered_in_one_line_or_not_at_all(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        begun in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let begin: &[u8] = if begun { b"CONNECT " } else { b"" };
        let mut said = [begin, &bytes, b"\r\n\r\n"].concat();
        // With a closed stream, so that nobody waits for more.
        said.truncate(600);
        let answer = runtime.block_on(async {
            let bench = bench(Vec::new());
            let mut stream = bench.dialer.dial(CID).await;
            stream.write_all(&said).await.unwrap();
            stream.shutdown().await.unwrap();
            rest_of(stream).await
        });
        prop_assert!(answer.starts_with("HTTP/1.1 4"), "{:?}", answer);
        prop_assert!(answer.ends_with("\r\n\r\n"));
        prop_assert_eq!(answer.lines().count(), 2, "{:?}", answer);
    }
}
