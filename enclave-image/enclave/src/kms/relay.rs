//! What is said to the host's relay before TLS begins: HTTP's CONNECT.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest answer of a relay in bytes.
const MAX_ANSWER: usize = 1024;
/// Characters of a refusal that are told on.
const MAX_SAID: usize = 100;

/// Asks the relay for a connection to `host`'s port 443. The error is the relay's refusal, or what is wrong with its answer.
pub async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("its relay: {error}");
    let ask = format!("CONNECT {host}:443 HTTP/1.1\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let mut answer = Vec::with_capacity(MAX_ANSWER);
    loop {
        let got = stream.read_buf(&mut answer).await.map_err(failed)?;
        if let Some(end) = end_of_head(&answer) {
            return judge(&answer, end);
        }
        if got == 0 {
            return Err("its relay closed the connection without an answer".to_owned());
        }
        if answer.len() >= MAX_ANSWER {
            return Err(format!(
                "its relay's answer is longer than {MAX_ANSWER} bytes"
            ));
        }
    }
}

/// Where the blank line ends, if it came.
fn end_of_head(answer: &[u8]) -> Option<usize> {
    let blank = b"\r\n\r\n";
    let at = answer.windows(blank.len()).position(|four| four == blank)?;
    Some(at + blank.len())
}

fn judge(answer: &[u8], end: usize) -> Result<(), String> {
    let line: String = answer
        .iter()
        .take_while(|byte| **byte != b'\r')
        .map(|byte| char::from(*byte))
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(MAX_SAID)
        .collect();
    if line
        .strip_prefix("HTTP/1.1 200")
        .is_none_or(|rest| !rest.is_empty() && !rest.starts_with(' '))
    {
        return Err(format!("its relay says {line:?}"));
    }
    // TLS servers are silent until they are greeted.
    if answer.len() > end {
        return Err("its relay sent more than its answer".to_owned());
    }
    Ok(())
}
