use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;

const GENEROUS: Limits = Limits {
    idle: Duration::from_mins(1),
    bytes: u64::MAX,
};

/// Two ends of a pumped connection, and how it ends.
fn pumped(limits: Limits) -> (DuplexStream, DuplexStream, JoinHandle<(End, u64, u64)>) {
    let (near, client) = duplex(64 * 1024);
    let (far, server) = duplex(64 * 1024);
    let ended = tokio::spawn(async move {
        let meter = Meter::default();
        let end = pump(near, far, limits, &meter).await;
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (end, number(&meter.there), number(&meter.back))
    });
    (client, server, ended)
}

#[tokio::test]
async fn the_end_of_one_direction_is_passed_on_and_the_other_goes_on() {
    let (mut client, mut server, ended) = pumped(GENEROUS);
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question", "its end was seen");
    server.write_all(b"a long answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "a long answer");
    let (end, there, back) = ended.await.unwrap();
    assert!(matches!(end, End::Closed), "{end:?}");
    assert_eq!((there, back), (8, 13));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_moves_nothing_is_ended_and_one_that_does_is_not() {
    let (mut client, mut server, ended) = pumped(GENEROUS);
    for _ in 0..10 {
        client.write_all(b"x").await.unwrap();
        server.read_u8().await.unwrap();
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert!(!ended.is_finished());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(ended.await.unwrap().0, End::Idle));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "it is closed");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_does_not_read_is_idle() {
    let (mut client, _server, ended) = pumped(GENEROUS);
    let flood = tokio::spawn(async move { client.write_all(&vec![0; 1 << 20]).await });
    assert!(matches!(ended.await.unwrap().0, End::Idle));
    assert!(flood.await.unwrap().is_err());
}

#[tokio::test]
async fn more_bytes_than_allowed_end_it_in_either_direction() {
    let limits = Limits {
        bytes: 1000,
        ..GENEROUS
    };
    let (mut client, mut server, ended) = pumped(limits);
    client.write_all(&[0; 600]).await.unwrap();
    server.read_exact(&mut [0; 600]).await.unwrap();
    server.write_all(&[0; 400]).await.unwrap();
    client.read_exact(&mut [0; 400]).await.unwrap();
    server.write_all(&[0]).await.unwrap();
    let (end, there, back) = ended.await.unwrap();
    assert!(matches!(end, End::Bytes), "{end:?}");
    assert_eq!((there, back), (600, 400));
}

/// Takes what it is given, and remembers the longest write.
struct Widest(DuplexStream, std::sync::Arc<AtomicU64>);

impl AsyncRead for Widest {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Widest {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        self.1.fetch_max(bytes.len() as u64, Ordering::Relaxed);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn no_write_is_longer_than_vsock_takes() {
    let (near, mut client) = duplex(1 << 20);
    let (far, server) = duplex(64);
    let widest = std::sync::Arc::new(AtomicU64::new(0));
    client.write_all(&vec![0; 1 << 20]).await.unwrap();
    client.shutdown().await.unwrap();
    drop(server);
    let far = Widest(far, std::sync::Arc::clone(&widest));
    let end = pump(near, far, GENEROUS, &Meter::default()).await;
    assert!(matches!(end, End::Closed), "{end:?}");
    assert_eq!(widest.load(Ordering::Relaxed), CHUNK as u64);
}
