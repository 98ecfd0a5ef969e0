//! All streams of one guest: which packet belongs to which, and who is next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::event::Event;
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};

use super::caller::{Caller, Said};
use super::connection::{Connection, Fate, Outgoing};
use super::credit::BUFFER;
use super::packet::{Header, Op, STREAM};

/// The parent instance, from inside an enclave; 2 is what the host is called everywhere else.
const PARENT_CID: u64 = 3;
const PARENTS: [u64; 2] = [PARENT_CID, 2];
/// Streams and callers at most.
pub const MOST: usize = 256;
/// Resets that wait for room in the guest's queue at most; until then the guest is not listened to.
const MOST_RESETS: usize = 64;
/// The parent connects from here upwards.
const FIRST_PORT: u32 = 1 << 30;
const LISTENER: Token = Token(0);

/// One stream as the guest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name {
    parent_cid: u64,
    parent_port: u32,
    guest_port: u32,
}

impl Name {
    const fn of(header: &Header) -> Self {
        Self {
            parent_cid: header.target_cid,
            parent_port: header.target_port,
            guest_port: header.source_port,
        }
    }
}

/// Streams of one guest.
pub struct Switch {
    guest_cid: u64,
    dir: PathBuf,
    poll: Poll,
    listener: UnixListener,
    callers: BTreeMap<Token, Caller>,
    streams: BTreeMap<Token, (Name, Connection)>,
    /// Streams that the guest knows.
    names: HashMap<Name, Token>,
    resets: VecDeque<Name>,
    /// Counts up: a token is never used twice.
    last_token: Token,
    /// Whose turn it was last.
    turn: Token,
    next_port: u32,
}

impl Switch {
    /// Listens at `dir/vsock` for connections to the guest; those of the guest go to `dir/vsock_PORT`.
    pub fn new(guest_cid: u32, dir: &Path) -> io::Result<Self> {
        let socket = dir.join("vsock");
        // A socket that somebody left behind cannot be bound again.
        if socket.exists() {
            std::fs::remove_file(&socket)?;
        }
        let mut listener = UnixListener::bind(&socket)?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            guest_cid: guest_cid.into(),
            dir: dir.to_owned(),
            poll,
            listener,
            callers: BTreeMap::new(),
            streams: BTreeMap::new(),
            names: HashMap::new(),
            resets: VecDeque::new(),
            last_token: LISTENER,
            turn: LISTENER,
            next_port: FIRST_PORT,
        })
    }

    /// What can be read when [`Self::look`] has something to do.
    pub const fn events(&self) -> &Poll {
        &self.poll
    }

    /// Whether the guest is to be listened to. Not while it leaves no room for what it must be told.
    pub fn listens(&self) -> bool {
        self.resets.len() < MOST_RESETS
    }

    /// Takes in what sockets have become; does not wait.
    pub fn look(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(MOST);
        match self.poll.poll(&mut events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => self.accept(),
                token => self.notice(token, event),
            }
        }
        Ok(())
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.welcome(socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return tracing::warn!("vsock: a client is lost: {error}"),
            }
        }
    }

    fn welcome(&mut self, socket: UnixStream) {
        if !self.has_room() {
            return tracing::warn!("vsock: {MOST} connections are open: a client is turned away");
        }
        match self.watch(socket) {
            Ok((token, socket)) => self.hear_out(token, Caller::new(socket)),
            Err(error) => tracing::warn!("vsock: a client cannot be watched: {error}"),
        }
    }

    fn watch(&mut self, mut socket: UnixStream) -> io::Result<(Token, UnixStream)> {
        self.last_token = Token(self.last_token.0 + 1);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut socket, self.last_token, interest)?;
        Ok((self.last_token, socket))
    }

    /// Whether one more fits. Streams that only wait for the guest's last word make room.
    fn has_room(&mut self) -> bool {
        if self.streams.len() + self.callers.len() < MOST {
            return true;
        }
        let mut streams = self.streams.iter();
        let over = streams.find(|(_, (_, stream))| stream.is_over());
        let over = over.map(|(token, (name, _))| (*token, *name));
        if let Some((token, name)) = over {
            self.end(token, name, Fate::IsReset);
        }
        over.is_some()
    }

    fn hear_out(&mut self, token: Token, mut caller: Caller) {
        match caller.listen() {
            Said::Part => drop(self.callers.insert(token, caller)),
            Said::Wrong => tracing::warn!("vsock: a client did not say CONNECT and a port"),
            Said::Port(guest_port) => {
                let parent_port = self.next_port;
                self.next_port = parent_port.checked_add(1).unwrap_or(FIRST_PORT);
                let name = Name {
                    parent_cid: PARENT_CID,
                    parent_port,
                    guest_port,
                };
                self.open(token, name, Connection::of_host(caller.into_socket()));
            }
        }
    }

    fn notice(&mut self, token: Token, event: &Event) {
        if let Some(caller) = self.callers.remove(&token) {
            return self.hear_out(token, caller);
        }
        // Events of a stream that ended in this round come, too.
        if let Some((name, stream)) = self.streams.get_mut(&token) {
            let (name, fate) = (*name, stream.notice(event));
            self.end(token, name, fate);
        }
    }

    /// Takes in a packet of the guest.
    pub fn receive(&mut self, header: &Header, data: &[u8]) {
        if header.source_cid != self.guest_cid {
            return tracing::warn!("vsock: a packet of CID {} is dropped", header.source_cid);
        }
        let name = Name::of(header);
        let token = self.names.get(&name).copied();
        match (token, header.op) {
            (None, Some(Op::Reset)) => {}
            (None, Some(Op::Request)) if header.kind == STREAM => self.connect(name, header),
            (None, _) => self.resets.push_back(name),
            (Some(token), _) => {
                let greeting = format!("OK {}\n", name.parent_port);
                let stream = self.streams.get_mut(&token);
                let fate = stream.map_or(Fate::IsReset, |(_, stream)| {
                    if header.kind == STREAM {
                        stream.receive(header, data, &greeting)
                    } else {
                        Fate::IsReset
                    }
                });
                self.end(token, name, fate);
            }
        }
    }

    /// Connects the guest to a socket of the parent's, or tells it that nobody listens there.
    fn connect(&mut self, name: Name, request: &Header) {
        let parent = PARENTS.contains(&name.parent_cid);
        if !(parent && self.has_room()) {
            return self.resets.push_back(name);
        }
        let path = self.dir.join(format!("vsock_{}", name.parent_port));
        let connected = UnixStream::connect(path).and_then(|socket| self.watch(socket));
        match connected {
            Ok((token, socket)) => {
                self.open(token, name, Connection::of_guest(socket, request));
            }
            Err(error) => {
                tracing::debug!(
                    "vsock: nobody at the parent's port {}: {error}",
                    name.parent_port
                );
                self.resets.push_back(name);
            }
        }
    }

    fn open(&mut self, token: Token, name: Name, stream: Connection) {
        self.names.insert(name, token);
        self.streams.insert(token, (name, stream));
    }

    fn end(&mut self, token: Token, name: Name, fate: Fate) {
        if fate == Fate::Lives {
            return;
        }
        // A draining stream's name may be another one's by now.
        if self.names.get(&name) == Some(&token) {
            self.names.remove(&name);
        }
        if fate != Fate::Drains {
            self.streams.remove(&token);
        }
        if fate == Fate::IsReset {
            self.resets.push_back(name);
        }
    }

    /// The next packet to the guest, with at most `room` bytes of data. Streams take turns.
    pub fn next(&mut self, room: usize) -> Option<(Header, Vec<u8>)> {
        if let Some(name) = self.resets.pop_front() {
            let reset = Outgoing {
                op: Op::Reset,
                flags: 0,
                forwarded: 0,
                data: Vec::new(),
            };
            return Some(self.address(name, reset));
        }
        let after = (Excluded(self.turn), Unbounded);
        let before = (Unbounded, Included(self.turn));
        for range in [after, before] {
            for (token, (name, stream)) in self.streams.range_mut(range) {
                let waiting = stream.has_next();
                if let Some(packet) = waiting.then(|| stream.next(room)).flatten() {
                    self.turn = *token;
                    let name = *name;
                    return Some(self.address(name, packet));
                }
            }
        }
        None
    }

    fn address(&self, name: Name, packet: Outgoing) -> (Header, Vec<u8>) {
        let header = Header {
            source_cid: name.parent_cid,
            target_cid: self.guest_cid,
            source_port: name.parent_port,
            target_port: name.guest_port,
            length: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
            kind: STREAM,
            op: Some(packet.op),
            flags: packet.flags,
            buffer: BUFFER,
            forwarded: packet.forwarded,
        };
        (header, packet.data)
    }
}
