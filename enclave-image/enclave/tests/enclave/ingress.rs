//! Connections to the workload.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use enclave::ingress::{PATIENCE, Patience, relay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

/// Far above what anything here takes.
const FAR: Duration = Duration::from_secs(30);

/// A patience that a test waits out.
const SHORT: Duration = Duration::from_millis(20);

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn bytes_go_both_ways_and_an_end_of_one_way_leaves_the_other() {
    let (listener, address) = listen().await;
    let (mut client, far) = tokio::io::duplex(64 * 1024);
    let relaying = tokio::spawn(relay(far, address, PATIENCE));
    let (mut server, _) = listener.accept().await.unwrap();
    let request = vec![0x5a; 100_000];
    let sent = request.clone();
    let asking = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, request);
    server.write_all(b"late answer").await.unwrap();
    drop(server);
    assert_eq!(asking.await.unwrap(), "late answer");
    relaying.await.unwrap().unwrap();
}

/// A port that is taken and on which nobody listens.
fn taken() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_client_waits_for_a_workload_that_does_not_listen_yet() {
    let (socket, address) = taken();
    let (mut client, far) = tokio::io::duplex(64);
    let relaying = tokio::spawn(relay(far, address, PATIENCE));
    // The one thread of this test goes to the relay, which finds nobody.
    tokio::task::yield_now().await;
    let listener = socket.listen(1).unwrap();
    let accepted = tokio::time::timeout(FAR, listener.accept()).await;
    let (mut server, _) = accepted.unwrap().unwrap();
    server.write_all(b"here").await.unwrap();
    drop(server);
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "here");
    relaying.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_workload_the_connection_ends() {
    let (_socket, address) = taken();
    let (mut client, far) = tokio::io::duplex(64);
    let patience = Patience {
        listening: SHORT,
        ..PATIENCE
    };
    let ended = relay(far, address, patience).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::TimedOut);
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_closed() {
    let (listener, address) = listen().await;
    let (mut client, far) = tokio::io::duplex(64);
    let patience = Patience {
        idle: SHORT,
        ..PATIENCE
    };
    let relaying = tokio::spawn(relay(far, address, patience));
    let (mut server, _) = listener.accept().await.unwrap();
    let closed = tokio::time::timeout(FAR, relaying).await.unwrap();
    let closed = closed.unwrap().unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::TimedOut);
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
}
