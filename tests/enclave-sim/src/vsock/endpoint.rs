//! The host's end of a stream: a unix socket that never blocks, and what waits for it.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::event::Event;
use mio::net::UnixStream;

use super::packet::{NO_RECEIVE, NO_SEND};

/// A socket of the host's.
pub struct Endpoint {
    socket: UnixStream,
    /// Bytes that the socket did not take yet. Whoever pushes them bounds them.
    waiting: VecDeque<u8>,
    /// Whether it may have something for us, and room: true until it says otherwise.
    readable: bool,
    writable: bool,
    /// [`NO_SEND`] when the host has ended its half and all of it was read, [`NO_RECEIVE`] when it has closed the socket.
    shut: u32,
}

impl Endpoint {
    /// Takes over a socket that does not block.
    pub const fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            waiting: VecDeque::new(),
            // Nobody is told of what was so before the socket was watched.
            readable: true,
            writable: true,
            shut: 0,
        }
    }

    /// Takes in what the socket has become.
    pub fn notice(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed();
        self.writable |= event.is_writable();
        if event.is_write_closed() || event.is_error() {
            self.shut |= NO_RECEIVE;
        }
    }

    /// What the host has ended, as the flags of a shutdown.
    pub const fn shut(&self) -> u32 {
        self.shut
    }

    /// Whether the host has taken everything.
    pub fn is_flushed(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes for the host, which [`Self::flush`] gives it.
    pub fn push(&mut self, data: &[u8]) {
        self.waiting.extend(data);
    }

    /// Gives the host what it takes, and says how many bytes do not wait any more. A host that has gone takes all.
    pub fn flush(&mut self) -> usize {
        let before = self.waiting.len();
        while self.writable && self.shut & NO_RECEIVE == 0 && !self.waiting.is_empty() {
            match self.socket.write(self.waiting.as_slices().0) {
                Ok(bytes) => drop(self.waiting.drain(..bytes)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.shut |= NO_RECEIVE,
            }
        }
        if self.shut & NO_RECEIVE != 0 {
            self.waiting.clear();
        }
        before - self.waiting.len()
    }

    /// Whether [`Self::read`] is worth a try.
    pub const fn is_readable(&self) -> bool {
        self.readable && self.shut & NO_SEND == 0
    }

    /// At most `room` bytes of the host's, none where there are none now. `room` is not zero.
    pub fn read(&mut self, room: usize) -> Vec<u8> {
        let mut data = vec![0; room];
        let read = loop {
            match self.socket.read(&mut data) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => self.shut |= NO_SEND,
            Ok(bytes) => {
                data.truncate(bytes);
                return data;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            // The host has closed the socket without reading all of it: nothing more comes.
            Err(_) => self.shut |= NO_SEND | NO_RECEIVE,
        }
        Vec::new()
    }

    /// Ends halves of the socket as the guest's shutdown says: what fails here had ended before.
    pub fn end(&self, flags: u32) {
        if flags & NO_SEND != 0 {
            let _ended = self.socket.shutdown(Shutdown::Write);
        }
        if flags & NO_RECEIVE != 0 {
            let _ended = self.socket.shutdown(Shutdown::Read);
        }
    }
}
