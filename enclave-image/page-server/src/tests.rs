use std::net::SocketAddr;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::Instant;

use super::*;

async fn served() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(|| async { "page" }))
        .route("/never", get(std::future::pending::<String>));
    tokio::spawn(serve(listener, router));
    address
}

async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn get_page(mut stream: TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    // One that was turned away cannot be written to.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// A connection that stays open behind its first answer: it has a place.
async fn answered(from: &str, to: SocketAddr) -> TcpStream {
    let mut stream = connect(from, to).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream.read_u8().await.unwrap();
    stream
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come_ends_the_connection() {
    let address = served().await;
    for begun in ["", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = connect("127.0.0.1", address).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let began = Instant::now();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        assert!(began.elapsed() < HEADER_TIME * 2, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_given_up() {
    let address = served().await;
    let page = get_page(connect("127.0.0.1", address).await, "/never").await;
    assert!(page.starts_with("HTTP/1.1 408"), "{page}");
}

#[tokio::test]
async fn a_long_header_is_refused() {
    let address = served().await;
    let path = format!("/{}", "a".repeat(2 * MAX_HEADER));
    let page = get_page(connect("127.0.0.1", address).await, &path).await;
    assert!(page.is_empty() || page.starts_with("HTTP/1.1 4"), "{page}");
}

#[tokio::test]
async fn one_caller_leaves_places_for_others() {
    let address = served().await;
    let mut open = Vec::new();
    for _ in 0..MAX_OF_ONE {
        open.push(answered("127.0.0.2", address).await);
    }
    let page = get_page(connect("127.0.0.2", address).await, "/").await;
    assert_eq!(page, "", "its places are taken");
    let page = get_page(connect("127.0.0.1", address).await, "/").await;
    assert!(page.ends_with("page"), "{page}");
    drop(open);
    while get_page(connect("127.0.0.2", address).await, "/")
        .await
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn there_are_so_many_places_and_no_more() {
    let address = served().await;
    let mut open = Vec::new();
    for number in 0..MAX_CONNECTIONS {
        let from = format!("127.0.1.{}", number / MAX_OF_ONE);
        open.push(answered(&from, address).await);
    }
    let waiting = get_page(connect("127.0.0.1", address).await, "/");
    let waiting = tokio::spawn(waiting);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished(), "all places are taken");
    open.pop();
    assert!(waiting.await.unwrap().ends_with("page"));
}
