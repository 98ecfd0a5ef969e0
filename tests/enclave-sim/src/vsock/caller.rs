//! A client of the host that says which port of the guest it wants: `CONNECT 5000` and a line feed.

use std::io::{ErrorKind, Read};

use mio::net::UnixStream;

/// Bytes of the line at most, without the feed: the word, a blank, and ten digits.
const LONGEST: usize = 18;

/// What a client has said so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Not all yet.
    Part,
    /// The port that it wants.
    Port(u32),
    /// Something else, or it has gone.
    Wrong,
}

/// A client that is being listened to.
pub struct Caller {
    socket: UnixStream,
    line: Vec<u8>,
}

impl Caller {
    /// A client that has connected.
    pub const fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            line: Vec::new(),
        }
    }

    /// The socket, when the line is complete.
    pub fn into_socket(self) -> UnixStream {
        self.socket
    }

    /// Reads on, byte by byte: what follows the line is the connection's.
    pub fn listen(&mut self) -> Said {
        let mut byte = [0];
        loop {
            match self.socket.read(&mut byte) {
                Ok(0) => return Said::Wrong,
                Ok(_) if byte == *b"\n" => return parse(&self.line),
                Ok(_) if self.line.len() < LONGEST => self.line.extend(byte),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Said::Part,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return Said::Wrong,
            }
        }
    }
}

fn parse(line: &[u8]) -> Said {
    let digits = line.strip_prefix(b"CONNECT ").unwrap_or_default();
    let port = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    port.and_then(|text| text.parse().ok())
        .map_or(Said::Wrong, Said::Port)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn said(parts: &[&[u8]]) -> (Said, Vec<u8>) {
        let (mut client, socket) = std::os::unix::net::UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut caller = Caller::new(UnixStream::from_std(socket));
        let mut said = Said::Part;
        for part in parts {
            client.write_all(part).unwrap();
            said = caller.listen();
        }
        drop(client);
        let mut rest = Vec::new();
        let _reset_when_the_line_was_wrong = caller.into_socket().read_to_end(&mut rest);
        (said, rest)
    }

    #[test]
    fn the_line_may_come_in_parts_and_what_follows_it_stays() {
        assert_eq!(
            said(&[b"CONNECT 5000\nGET /"]),
            (Said::Port(5000), b"GET /".to_vec())
        );
        assert_eq!(
            said(&[b"CON", b"NECT 42949672", b"95\n"]).0,
            Said::Port(u32::MAX)
        );
        assert_eq!(said(&[b"CONNECT 1"]).0, Said::Part);
    }

    #[test]
    fn anything_else_is_wrong() {
        for line in [
            &b"\n"[..],
            b"CONNECT\n",
            b"CONNECT \n",
            b"CONNECT +1\n",
            b"connect 1\n",
            b"CONNECT 4294967296\n",
            b"CONNECT 00000000000000000000001",
        ] {
            assert_eq!(said(&[line]).0, Said::Wrong, "{line:?}");
        }
    }
}
