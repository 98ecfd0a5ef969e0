//! One HTTP request over a connection of its own.

use anyhow::{Context, anyhow};
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends one request and reads its whole answer. The address is looked up anew each time.
pub async fn send(
    method: Method,
    base: &Uri,
    path: &str,
    body: Bytes,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let host = base.host().ok_or_else(|| anyhow!("{base} has no host"))?;
    let stream = TcpStream::connect((host, base.port_u16().unwrap_or(80)))
        .await
        .context("connecting")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let authority = base
        .authority()
        .map_or(host, |authority| authority.as_str());
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .body(Full::new(body))?;
    let answer = sender.send_request(request).await.context("sending")?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| anyhow!("reading the answer: {error}"))?;
    driver.abort();
    Ok((status, body.to_bytes()))
}
