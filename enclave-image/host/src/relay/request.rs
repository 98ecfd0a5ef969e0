//! What an enclave asks of the relay: `CONNECT host:443 HTTP/1.1`, headers that nobody reads, a blank line.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Refusal;

/// The longest endpoint's name is far below; headers are not needed.
const MAX_BYTES: usize = 1024;
const MAX_HEADERS: usize = 16;
const PORT: &str = ":443";

/// A host that is asked for, and what came after the request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// As the enclave wrote it.
    pub host: String,
    /// The first bytes for that host.
    pub rest: Vec<u8>,
}

/// Reads one request; the caller bounds the time.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Request, Refusal> {
    let mut bytes = Vec::with_capacity(MAX_BYTES);
    loop {
        let mut more = [0; 256];
        let length = stream.read(&mut more).await;
        let length = length.map_err(|error| Refusal::Malformed(error.to_string()))?;
        if length == 0 {
            let what = "it ended before a blank line".to_owned();
            return Err(Refusal::Malformed(what));
        }
        bytes.extend_from_slice(&more[..length]);
        if let Some(request) = parse(&bytes)? {
            return Ok(request);
        }
        if bytes.len() >= MAX_BYTES {
            return Err(Refusal::TooLong);
        }
    }
}

/// `None` where it is not complete yet.
fn parse(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes);
    let parsed = parsed.map_err(|error| Refusal::Malformed(error.to_string()))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    if length > MAX_BYTES {
        return Err(Refusal::TooLong);
    }
    let host = match (request.method, request.path, request.version) {
        (Some("CONNECT"), Some(target), Some(1)) => target.strip_suffix(PORT),
        _ => None,
    };
    let host = host.ok_or_else(|| Refusal::Malformed("no CONNECT to a port 443".to_owned()))?;
    Ok(Some(Request {
        host: host.to_owned(),
        rest: bytes[length..].to_vec(),
    }))
}

#[cfg(test)]
mod tests;
