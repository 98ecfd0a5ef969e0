//! One stream between a port of the guest and a socket of the host.

use mio::event::Event;
use mio::net::UnixStream;

use super::credit::Credit;
use super::endpoint::Endpoint;
use super::packet::{Header, MAX_DATA, NO_RECEIVE, NO_SEND, Op};

const NOTHING_MORE: u32 = NO_RECEIVE | NO_SEND;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fate {
    /// It goes on.
    Lives,
    /// It is to be forgotten; the guest knows.
    Ends,
    /// It is to be forgotten, and the guest is told by a reset.
    IsReset,
    /// The guest has forgotten it; what it had sent before still goes to the host.
    Drains,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The host has connected, and the guest was not asked yet.
    ToAsk,
    /// The guest was asked.
    Asked,
    /// The guest has connected, and has no answer yet.
    ToAnswer,
    Open,
    Draining,
}

/// A packet to the guest, but for its addresses.
#[derive(Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What it is for.
    pub op: Op,
    /// Of a shutdown.
    pub flags: u32,
    /// Bytes taken out of our buffer.
    pub forwarded: u32,
    /// At most as much as was asked for.
    pub data: Vec<u8>,
}

/// One stream.
pub struct Connection {
    phase: Phase,
    host: Endpoint,
    credit: Credit,
    /// What the guest has said in shutdowns.
    guest_shut: u32,
    /// What the guest was told in shutdowns.
    told_shut: u32,
    /// Whether the guest asked for our credit.
    credit_asked: bool,
}

impl Connection {
    /// A connection that the guest asks for, and the host has taken.
    pub fn of_guest(socket: UnixStream, request: &Header) -> Self {
        let mut connection = Self::new(socket, Phase::ToAnswer);
        connection.credit.hear(request.buffer, request.forwarded);
        connection
    }

    /// A connection that the host asks for.
    pub fn of_host(socket: UnixStream) -> Self {
        Self::new(socket, Phase::ToAsk)
    }

    fn new(socket: UnixStream, phase: Phase) -> Self {
        Self {
            phase,
            host: Endpoint::new(socket),
            credit: Credit::default(),
            guest_shut: 0,
            told_shut: 0,
            credit_asked: false,
        }
    }

    /// Whether it waits for nothing but the guest's last word, which may never come.
    pub const fn is_over(&self) -> bool {
        self.told_shut == NOTHING_MORE
    }

    /// Takes in a packet of the guest. `greeting` is what the host gets when the guest accepts.
    pub fn receive(&mut self, header: &Header, data: &[u8], greeting: &str) -> Fate {
        self.credit.hear(header.buffer, header.forwarded);
        match (header.op, self.phase) {
            (Some(Op::Reset), _) if self.host.is_flushed() => Fate::Ends,
            (Some(Op::Reset), _) => {
                self.phase = Phase::Draining;
                Fate::Drains
            }
            (Some(Op::Response), Phase::Asked) => {
                self.phase = Phase::Open;
                self.host.push(greeting.as_bytes());
                // No bytes of the guest's, and so none of its credit.
                self.host.flush();
                Fate::Lives
            }
            (Some(Op::Data), Phase::Open) if self.guest_shut & NO_SEND == 0 => {
                if !self.credit.receive(length(data.len())) {
                    return Fate::IsReset;
                }
                self.host.push(data);
                self.flush()
            }
            (Some(Op::Shutdown), Phase::Open) => {
                self.guest_shut |= header.flags & NOTHING_MORE;
                self.flush()
            }
            (Some(Op::CreditUpdate), Phase::Open) => Fate::Lives,
            (Some(Op::CreditRequest), Phase::Open) => {
                self.credit_asked = true;
                Fate::Lives
            }
            _ => Fate::IsReset,
        }
    }

    /// Takes in what the socket has become.
    pub fn notice(&mut self, event: &Event) -> Fate {
        self.host.notice(event);
        match self.phase {
            // The host does not wait for the guest's answer any more.
            Phase::ToAsk if event.is_read_closed() => Fate::Ends,
            Phase::Asked if event.is_read_closed() => Fate::IsReset,
            Phase::ToAsk | Phase::Asked | Phase::ToAnswer => Fate::Lives,
            Phase::Open | Phase::Draining => self.flush(),
        }
    }

    fn flush(&mut self) -> Fate {
        self.credit.forward(length(self.host.flush()));
        if !self.host.is_flushed() {
            return Fate::Lives;
        }
        if self.phase == Phase::Draining {
            return Fate::Ends;
        }
        if self.guest_shut == NOTHING_MORE {
            return Fate::IsReset;
        }
        self.host.end(self.guest_shut);
        Fate::Lives
    }

    /// Whether [`Self::next`] may have something.
    pub fn has_next(&self) -> bool {
        match self.phase {
            Phase::ToAsk | Phase::ToAnswer => true,
            Phase::Asked | Phase::Draining => false,
            Phase::Open => self.has_data() || self.has_shutdown() || self.has_credit(),
        }
    }

    fn has_data(&self) -> bool {
        let wanted = self.guest_shut & NO_RECEIVE == 0;
        wanted && self.credit.room() > 0 && self.host.is_readable()
    }

    const fn has_shutdown(&self) -> bool {
        self.host.shut() & !self.told_shut != 0
    }

    fn has_credit(&self) -> bool {
        self.credit_asked || self.credit.worth_telling()
    }

    /// The next packet to the guest, with at most `room` bytes of data.
    pub fn next(&mut self, room: usize) -> Option<Outgoing> {
        let (op, flags, data) = match self.phase {
            Phase::Asked | Phase::Draining => return None,
            Phase::ToAsk => {
                self.phase = Phase::Asked;
                (Op::Request, 0, Vec::new())
            }
            Phase::ToAnswer => {
                self.phase = Phase::Open;
                (Op::Response, 0, Vec::new())
            }
            Phase::Open => self.next_open(room)?,
        };
        self.credit_asked = false;
        Some(Outgoing {
            op,
            flags,
            forwarded: self.credit.tell(),
            data,
        })
    }

    /// Data first: a shutdown says that there is none left.
    fn next_open(&mut self, room: usize) -> Option<(Op, u32, Vec<u8>)> {
        let credit = usize::try_from(self.credit.room()).unwrap_or(MAX_DATA);
        let room = room.min(credit).min(MAX_DATA);
        if self.has_data() && room > 0 {
            let data = self.host.read(room);
            if !data.is_empty() {
                self.credit.send(length(data.len()));
                return Some((Op::Data, 0, data));
            }
        }
        if self.has_shutdown() {
            self.told_shut = self.host.shut();
            return Some((Op::Shutdown, self.told_shut, Vec::new()));
        }
        let update = (Op::CreditUpdate, 0, Vec::new());
        self.has_credit().then_some(update)
    }
}

/// Lengths here are those of buffers of a few hundred KiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
