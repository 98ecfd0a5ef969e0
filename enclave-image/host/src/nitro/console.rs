//! The console of an enclave in debug mode. In production mode there is none, and nothing here runs.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinSet;
use tokio_vsock::{VMADDR_CID_HYPERVISOR, VsockAddr, VsockStream};

/// The hypervisor serves the console of CID n on this port plus n.
const PORT: u32 = 10_000;
/// Longer lines are logged in pieces.
const MAX_LINE: usize = 512;

/// Has the console of an enclave in debug mode logged, and of no other.
pub fn read(debug: bool, cid: u32) -> JoinSet<()> {
    let mut reader = JoinSet::new();
    if debug {
        reader.spawn(log(cid));
    }
    reader
}

/// Logs line by line, until the enclave ends.
async fn log(cid: u32) {
    let address = VsockAddr::new(VMADDR_CID_HYPERVISOR, PORT + cid);
    match VsockStream::connect(address).await {
        Ok(stream) => {
            let tell = |line: &str| tracing::info!(target: "console", cid, "{line}");
            lines(stream, tell).await;
        }
        Err(error) => tracing::warn!(%error, cid, "the enclave's console is not reached"),
    }
}

/// Printable lines only: a console may carry anything.
async fn lines(mut stream: impl AsyncRead + Unpin, mut tell: impl FnMut(&str)) {
    let mut line = String::new();
    let mut chunk = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        for byte in &chunk[..length] {
            match byte {
                b'\n' => {
                    tell(&line);
                    line.clear();
                }
                b'\r' => {}
                b' '..=b'~' | b'\t' => line.push(char::from(*byte)),
                _ => line.push('?'),
            }
            if line.len() >= MAX_LINE {
                tell(&line);
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        tell(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_enclave_in_debug_mode_has_a_reader_of_its_console() {
        assert!(read(false, 16).is_empty());
        assert_eq!(read(true, 16).len(), 1);
    }

    #[tokio::test]
    async fn lines_are_printable_and_of_bounded_length() {
        let said = format!(
            "[    0.1] boot\r\n\x1b[31mred\x00\n{}end",
            "x".repeat(MAX_LINE + 5)
        );
        let mut told = Vec::new();
        lines(said.as_bytes(), |line| told.push(line.to_owned())).await;
        assert_eq!(told[0], "[    0.1] boot");
        assert_eq!(told[1], "?[31mred?");
        assert_eq!(told[2].len(), MAX_LINE);
        assert_eq!(told[3], "xxxxxend");
    }
}
