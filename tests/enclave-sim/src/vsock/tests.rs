//! Streams through the switch: the guest is played by packets, the host by real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};

use proptest::prelude::*;
use tempfile::TempDir;

use vhost_user_backend::VhostUserBackendMut;
use vmm_sys_util::epoll::EventSet;

use super::credit::BUFFER;
use super::packet::{Header, MAX_DATA, NO_RECEIVE, NO_SEND, Op, STREAM};
use super::switch::MOST;
use super::{SOCKETS, Switch, VsockDevice};
use crate::ring::{Piece, Ring, memory};

const GUEST: u32 = 16;
const BOTH: u32 = NO_RECEIVE | NO_SEND;
/// More packets than any test has.
const ENDLESS: usize = 10_000;
/// Room of the played guest.
const GUEST_BUFFER: u32 = 64 * 1024;

struct Bench {
    switch: Switch,
    dir: TempDir,
}

/// A packet as the tests compare them.
type Seen = (Op, u32, u32);

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let switch = Switch::new(GUEST, dir.path()).unwrap();
        Self { switch, dir }
    }

    fn listen(&self, port: u32) -> UnixListener {
        UnixListener::bind(self.dir.path().join(format!("vsock_{port}"))).unwrap()
    }

    fn call(&self, line: &str) -> UnixStream {
        let mut client = UnixStream::connect(self.dir.path().join("vsock")).unwrap();
        client.write_all(line.as_bytes()).unwrap();
        client
    }

    /// Everything that the guest is sent now, in packets of at most `room` bytes.
    fn receive_in(&mut self, room: usize) -> Vec<(Header, Vec<u8>)> {
        self.switch.look().unwrap();
        let packets = std::iter::from_fn(|| self.switch.next(room));
        let packets: Vec<_> = packets.take(ENDLESS).collect();
        assert!(
            packets.len() < ENDLESS,
            "it never stops: {:?}",
            packets.last()
        );
        packets
    }

    fn receive(&mut self) -> Vec<(Header, Vec<u8>)> {
        self.receive_in(MAX_DATA)
    }

    /// Operation, flags and the guest's port of all that it is sent now.
    fn seen(&mut self) -> Vec<Seen> {
        let packets = self.receive().into_iter();
        packets
            .map(|(header, _)| (header.op.unwrap(), header.flags, header.target_port))
            .collect()
    }

    /// Data that the guest is sent now, which must come alone.
    fn data(&mut self) -> Vec<u8> {
        let packets = self.receive();
        assert!(
            packets
                .iter()
                .all(|(header, _)| header.op == Some(Op::Data))
        );
        packets.into_iter().flat_map(|(_, data)| data).collect()
    }

    fn send_with(&mut self, packet: &Header, data: &[u8]) {
        self.switch.look().unwrap();
        self.switch.receive(packet, data);
    }

    fn send(&mut self, op: Op, port: u32, parent_port: u32, data: &[u8]) {
        let packet = packet(op, port, parent_port, data);
        self.send_with(&packet, data);
    }

    fn shutdown(&mut self, port: u32, parent_port: u32, flags: u32) {
        let mut packet = packet(Op::Shutdown, port, parent_port, &[]);
        packet.flags = flags;
        self.send_with(&packet, &[]);
    }

    /// An open connection of the guest's port 40 to the parent's port 7, with the host's end.
    fn open(&mut self) -> UnixStream {
        let listener = self.listen(7);
        self.send(Op::Request, 40, 7, &[]);
        assert_eq!(self.seen(), [(Op::Response, 0, 40)]);
        listener.accept().unwrap().0
    }
}

fn packet(op: Op, port: u32, parent_port: u32, data: &[u8]) -> Header {
    Header {
        source_cid: GUEST.into(),
        target_cid: 3,
        source_port: port,
        target_port: parent_port,
        length: u32::try_from(data.len()).unwrap(),
        kind: STREAM,
        op: Some(op),
        flags: 0,
        buffer: GUEST_BUFFER,
        forwarded: 0,
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

/// What a socket has now.
fn available(socket: &mut UnixStream) -> Vec<u8> {
    socket.set_nonblocking(true).unwrap();
    let mut bytes = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        match socket.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    bytes.truncate(length);
    socket.set_nonblocking(false).unwrap();
    bytes
}

fn at_end(socket: &mut UnixStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let end = matches!(socket.read(&mut [0]), Ok(0));
    socket.set_nonblocking(false).unwrap();
    end
}

#[test]
fn a_port_where_nobody_listens_is_reset_at_once() {
    let mut bench = Bench::new();
    bench.send(Op::Request, 40, 9, &[]);
    let packets = bench.receive();
    let (reset, _) = &packets[0];
    assert_eq!(packets.len(), 1);
    assert_eq!(reset.op, Some(Op::Reset));
    assert_eq!((reset.source_cid, reset.source_port), (3, 9));
    assert_eq!(
        (reset.target_cid, reset.target_port),
        (u64::from(GUEST), 40)
    );
}

#[test]
fn the_parent_is_cid_3_and_cid_2_and_nobody_else_is_there() {
    let mut bench = Bench::new();
    let _listener = bench.listen(7);
    for (cid, answer) in [
        (3, Op::Response),
        (2, Op::Response),
        (4, Op::Reset),
        (16, Op::Reset),
    ] {
        let mut request = packet(Op::Request, 40, 7, &[]);
        request.target_cid = cid;
        bench.send_with(&request, &[]);
        let packets = bench.receive();
        assert_eq!(packets[0].0.op, Some(answer), "CID {cid}");
        assert_eq!(packets[0].0.source_cid, cid);
    }
}

#[test]
fn what_makes_no_sense_is_reset_and_a_reset_is_never_answered() {
    let mut bench = Bench::new();
    let _listener = bench.listen(7);
    bench.send(Op::Reset, 40, 7, &[]);
    let mut foreign = packet(Op::Request, 40, 7, &[]);
    foreign.source_cid = 17;
    bench.send_with(&foreign, &[]);
    assert_eq!(
        bench.seen(),
        [],
        "neither a reset nor a packet in somebody else's name"
    );
    bench.send(Op::Data, 40, 7, b"x");
    bench.send(Op::CreditUpdate, 40, 7, &[]);
    let mut datagram = packet(Op::Request, 40, 7, &[]);
    datagram.kind = 3;
    bench.send_with(&datagram, &[]);
    assert_eq!(bench.seen(), [(Op::Reset, 0, 40); 3]);
    let wrong = [Some(Op::Request), Some(Op::Response), None].map(|op| (op, STREAM));
    for (op, kind) in wrong.into_iter().chain([(Some(Op::Data), 3)]) {
        bench.send(Op::Request, 40, 7, &[]);
        assert_eq!(bench.seen(), [(Op::Response, 0, 40)]);
        let mut wrong = packet(Op::Data, 40, 7, &[]);
        (wrong.op, wrong.kind) = (op, kind);
        bench.send_with(&wrong, &[]);
        assert_eq!(
            bench.seen(),
            [(Op::Reset, 0, 40)],
            "{op:?} on an open connection"
        );
    }
}

#[test]
fn the_guest_gets_no_more_than_it_has_room_for() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    let sent = bytes(100_000);
    host.write_all(&sent).unwrap();
    let packets = bench.receive_in(4000);
    assert!(packets.iter().all(|(_, data)| data.len() <= 4000));
    let first: Vec<u8> = packets.into_iter().flat_map(|(_, data)| data).collect();
    assert_eq!(first.len(), GUEST_BUFFER as usize);
    assert_eq!(bench.seen(), []);
    let mut update = packet(Op::CreditUpdate, 40, 7, &[]);
    update.forwarded = 1000;
    bench.send_with(&update, &[]);
    let second = bench.data();
    assert_eq!(second.len(), 1000);
    update.forwarded = GUEST_BUFFER;
    bench.send_with(&update, &[]);
    assert_eq!([first, second, bench.data()].concat(), sent);
}

#[test]
fn what_a_slow_host_leaves_is_bounded_and_the_guest_hears_when_there_is_room() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    let piece = bytes(32 * 1024);
    let (mut sent, mut forwarded) = (0, 0);
    // As a guest does that keeps to what it was told.
    while sent - forwarded + 32 * 1024 <= BUFFER {
        bench.send(Op::Data, 40, 7, &piece);
        sent += 32 * 1024;
        for (header, _) in bench.receive() {
            assert_eq!((header.op, header.buffer), (Some(Op::CreditUpdate), BUFFER));
            forwarded = header.forwarded;
        }
    }
    let stuck = forwarded;
    let mut got = available(&mut host);
    assert!(got.len() >= stuck as usize && sent - stuck > BUFFER - 32 * 1024);
    while got.len() < sent as usize {
        for (header, _) in bench.receive() {
            assert_eq!(header.op, Some(Op::CreditUpdate));
            forwarded = header.forwarded;
        }
        let more = available(&mut host);
        assert!(!more.is_empty(), "only {} bytes came", got.len());
        got.extend(more);
    }
    assert!(forwarded > stuck, "room was told of");
    assert_eq!(got, piece.repeat(sent as usize / piece.len()));
}

#[test]
fn a_guest_that_sends_more_than_it_may_is_reset() {
    let mut bench = Bench::new();
    let _host = bench.open();
    let piece = bytes(MAX_DATA);
    let mut packets = 0;
    let seen = loop {
        // Deaf to all credit: the socket takes some, and then our buffer is full.
        bench.send(Op::Data, 40, 7, &piece);
        packets += 1;
        assert!(packets < 100, "nothing ever stops it");
        let seen = bench.seen();
        if seen.iter().any(|(op, ..)| *op != Op::CreditUpdate) {
            break seen;
        }
    };
    assert_eq!(seen, [(Op::Reset, 0, 40)]);
    assert!(packets > BUFFER as usize / MAX_DATA);
}

#[test]
fn credit_is_told_when_asked_for() {
    let mut bench = Bench::new();
    let _host = bench.open();
    bench.send(Op::Data, 40, 7, b"hello");
    assert_eq!(bench.seen(), []);
    bench.send(Op::CreditRequest, 40, 7, &[]);
    let packets = bench.receive();
    assert_eq!(packets[0].0.op, Some(Op::CreditUpdate));
    assert_eq!((packets[0].0.buffer, packets[0].0.forwarded), (BUFFER, 5));
    assert_eq!(packets.len(), 1);
}

#[test]
fn the_guest_ends_its_half_first() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    bench.send(Op::Data, 40, 7, b"question");
    bench.shutdown(40, 7, NO_SEND);
    assert_eq!(available(&mut host), b"question");
    assert!(at_end(&mut host));
    host.write_all(b"answer").unwrap();
    assert_eq!(bench.data(), b"answer");
    drop(host);
    assert_eq!(bench.seen(), [(Op::Shutdown, BOTH, 40)]);
    bench.send(Op::Reset, 40, 7, &[]);
    bench.send(Op::CreditUpdate, 40, 7, &[]);
    assert_eq!(bench.seen(), [(Op::Reset, 0, 40)], "it is forgotten");
}

#[test]
fn nothing_comes_after_the_guests_end() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    bench.shutdown(40, 7, NO_SEND);
    bench.send(Op::Data, 40, 7, b"more");
    assert_eq!(bench.seen(), [(Op::Reset, 0, 40)]);
    assert!(at_end(&mut host));
}

#[test]
fn a_guest_that_receives_no_more_is_sent_nothing_and_the_host_is_told() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    host.write_all(b"on its way").unwrap();
    bench.shutdown(40, 7, NO_RECEIVE);
    assert_eq!(bench.seen(), []);
    assert!(host.write_all(b"more").is_err());
    bench.send(Op::Data, 40, 7, b"the other way");
    assert_eq!(available(&mut host), b"the other way");
}

#[test]
fn the_host_ends_its_half_first() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    host.write_all(b"question").unwrap();
    host.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        bench.seen(),
        [(Op::Data, 0, 40), (Op::Shutdown, NO_SEND, 40)]
    );
    bench.send(Op::Data, 40, 7, b"answer");
    bench.shutdown(40, 7, BOTH);
    assert_eq!(bench.seen(), [(Op::Reset, 0, 40)]);
    assert_eq!(available(&mut host), b"answer");
    assert!(at_end(&mut host));
}

#[test]
fn a_host_that_goes_is_told_after_its_last_data_and_takes_no_more() {
    let mut bench = Bench::new();
    let mut host = bench.open();
    host.write_all(&bytes(GUEST_BUFFER as usize + 1)).unwrap();
    drop(host);
    let seen = bench.seen();
    let (last, data) = seen.split_last().unwrap();
    assert!(data.iter().all(|(op, ..)| *op == Op::Data));
    assert_eq!(*last, (Op::Shutdown, NO_RECEIVE, 40), "one byte is left");
    // Sent before the guest knew.
    bench.send(Op::Data, 40, 7, &bytes(MAX_DATA));
    assert_eq!(bench.seen(), [(Op::CreditUpdate, 0, 40)]);
    let mut update = packet(Op::CreditUpdate, 40, 7, &[]);
    update.forwarded = GUEST_BUFFER;
    bench.send_with(&update, &[]);
    assert_eq!(bench.seen(), [(Op::Data, 0, 40), (Op::Shutdown, BOTH, 40)]);
}

#[test]
fn what_the_guest_sent_before_its_end_still_reaches_the_host() {
    for ends_by_reset in [false, true] {
        let mut bench = Bench::new();
        let mut host = bench.open();
        // More than a socket holds.
        let sent = bytes(BUFFER as usize);
        for piece in sent.chunks(MAX_DATA) {
            bench.send(Op::Data, 40, 7, piece);
        }
        bench.receive();
        if ends_by_reset {
            bench.send(Op::Reset, 40, 7, &[]);
        } else {
            bench.shutdown(40, 7, BOTH);
        }
        assert_eq!(bench.seen(), [], "not before the host has it");
        let mut got = Vec::new();
        while got.len() < sent.len() {
            let more = available(&mut host);
            assert!(!more.is_empty(), "only {} bytes came", got.len());
            got.extend(more);
            let answer = usize::from(!ends_by_reset);
            let seen = bench.seen();
            assert!(seen.len() <= answer && seen.iter().all(|seen| *seen == (Op::Reset, 0, 40)));
        }
        assert_eq!(got, sent);
        assert!(at_end(&mut host));
    }
}

#[test]
fn a_stream_that_still_drains_does_not_keep_its_ports() {
    let mut bench = Bench::new();
    let listener = bench.listen(7);
    bench.send(Op::Request, 40, 7, &[]);
    bench.receive();
    let mut first = listener.accept().unwrap().0;
    for piece in bytes(BUFFER as usize).chunks(MAX_DATA) {
        bench.send(Op::Data, 40, 7, piece);
    }
    bench.receive();
    bench.send(Op::Reset, 40, 7, &[]);
    bench.send(Op::Request, 40, 7, &[]);
    assert_eq!(bench.seen(), [(Op::Response, 0, 40)]);
    let mut second = listener.accept().unwrap().0;
    let mut got = 0;
    while got < BUFFER as usize {
        let more = available(&mut first).len();
        assert!(more > 0, "only {got} bytes came");
        got += more;
        assert_eq!(bench.seen(), []);
    }
    assert!(at_end(&mut first));
    bench.send(Op::Data, 40, 7, b"still here");
    assert_eq!(available(&mut second), b"still here");
}

#[test]
fn the_host_connects() {
    let mut bench = Bench::new();
    let mut client = bench.call("CONNECT 5000\nearly");
    let packets = bench.receive();
    let (request, _) = &packets[0];
    assert_eq!(
        packets.len(),
        1,
        "nothing else before the guest has accepted"
    );
    assert_eq!(request.op, Some(Op::Request));
    assert_eq!((request.source_cid, request.target_port), (3, 5000));
    let port = request.source_port;
    bench.send(Op::Response, 5000, port, &[]);
    assert_eq!(available(&mut client), format!("OK {port}\n").as_bytes());
    assert_eq!(bench.data(), b"early");
    bench.send(Op::Data, 5000, port, b"reply");
    assert_eq!(available(&mut client), b"reply");
    let _other = bench.call("CONNECT 5000\n");
    assert_ne!(bench.receive()[0].0.source_port, port);
}

#[test]
fn the_host_connects_where_nobody_listens() {
    let mut bench = Bench::new();
    let mut client = bench.call("CONNECT 5000\n");
    let port = bench.receive()[0].0.source_port;
    bench.send(Op::Reset, 5000, port, &[]);
    assert_eq!(bench.seen(), []);
    assert!(at_end(&mut client), "without OK");
    let mut nonsense = bench.call("GET / HTTP/1.1\n");
    assert_eq!(bench.seen(), []);
    // It is closed; whether its client still reads an error first is the kernel's business.
    assert!(
        nonsense
            .read_to_end(&mut Vec::new())
            .is_ok_and(|read| read == 0)
            || at_end(&mut nonsense)
    );
}

#[test]
fn a_client_that_gives_up_is_forgotten() {
    let mut bench = Bench::new();
    drop(bench.call("CONNECT 5000\n"));
    bench.switch.look().unwrap();
    let silent = bench.call("CONN");
    bench.switch.look().unwrap();
    drop(silent);
    let asked: Vec<Seen> = bench.seen();
    assert!(
        asked.is_empty() || asked == [(Op::Request, 0, 5000), (Op::Reset, 0, 5000)],
        "{asked:?}"
    );
    let client = bench.call("CONNECT 5000\n");
    let port = bench.receive()[0].0.source_port;
    drop(client);
    assert_eq!(bench.seen(), [(Op::Reset, 0, 5000)]);
    bench.send(Op::Response, 5000, port, &[]);
    assert_eq!(bench.seen(), [(Op::Reset, 0, 5000)]);
}

#[test]
fn connections_are_limited_and_those_that_are_over_make_room() {
    let mut bench = Bench::new();
    let listener = bench.listen(7);
    let mut hosts = Vec::new();
    for port in 0..u32::try_from(MOST).unwrap() {
        bench.send(Op::Request, port, 7, &[]);
        assert_eq!(bench.seen(), [(Op::Response, 0, port)]);
        hosts.push(listener.accept().unwrap().0);
    }
    bench.send(Op::Request, 1000, 7, &[]);
    assert_eq!(bench.seen(), [(Op::Reset, 0, 1000)]);
    let mut client = bench.call("CONNECT 5000\n");
    assert_eq!(bench.seen(), []);
    assert!(
        matches!(client.read(&mut [0]), Ok(0) | Err(_)),
        "turned away"
    );
    hosts.remove(3);
    assert_eq!(
        bench.seen(),
        [(Op::Shutdown, BOTH, 3)],
        "and the guest does not answer"
    );
    bench.send(Op::Request, 1001, 7, &[]);
    let mut seen = bench.seen();
    seen.sort_by_key(|(.., port)| *port);
    assert_eq!(seen, [(Op::Reset, 0, 3), (Op::Response, 0, 1001)]);
}

#[test]
fn a_guest_that_does_not_listen_is_not_listened_to() {
    let mut bench = Bench::new();
    let mut packets = 0;
    while bench.switch.listens() {
        bench.send(Op::Request, packets, 9, &[]);
        packets += 1;
        assert!(packets < 1000, "resets pile up");
    }
    assert_eq!(bench.seen().len(), packets as usize);
    assert!(bench.switch.listens());
}

#[test]
fn streams_take_turns() {
    let mut bench = Bench::new();
    let listener = bench.listen(7);
    let mut hosts = Vec::new();
    for port in [40, 41, 42] {
        bench.send(Op::Request, port, 7, &[]);
        bench.receive();
        hosts.push(listener.accept().unwrap().0);
    }
    for host in &mut hosts {
        host.write_all(&bytes(3000)).unwrap();
    }
    let ports: Vec<u32> = bench
        .receive_in(1000)
        .iter()
        .map(|(header, _)| header.target_port)
        .collect();
    assert_eq!(ports, [40, 41, 42].repeat(3));
}

fn any_packet() -> impl Strategy<Value = (Header, Vec<u8>)> {
    let op = prop::option::weighted(
        0.95,
        prop::sample::select(vec![
            Op::Request,
            Op::Response,
            Op::Reset,
            Op::Shutdown,
            Op::Data,
            Op::CreditUpdate,
            Op::CreditRequest,
        ]),
    );
    let data = prop::collection::vec(any::<u8>(), 0..100);
    let numbers = (
        0..3_u32,
        6..9_u32,
        1..4_u64,
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
    );
    (op, data, numbers).prop_map(
        |(op, data, (port, parent_port, cid, flags, buffer, forwarded))| {
            let mut header = packet(Op::Data, port, parent_port, &data);
            header.op = op;
            header.target_cid = cid;
            header.flags = flags;
            header.buffer = buffer;
            header.forwarded = forwarded;
            (header, data)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the guest says, the device goes on, and so does everybody else's stream.
    #[test]
    fn no_guest_stops_the_device(packets in prop::collection::vec(any_packet(), 1..100)) {
        let mut bench = Bench::new();
        let listener = bench.listen(7);
        listener.set_nonblocking(true).unwrap();
        let mut hosts = Vec::new();
        for (header, data) in packets {
            bench.send_with(&header, &data);
            if let Ok((mut host, _)) = listener.accept() {
                host.write_all(b"some data of the host's").unwrap();
                hosts.push(host);
            }
            if hosts.len() > 5 {
                hosts.remove(0);
            }
            bench.receive_in(100);
        }
        bench.send(Op::Request, 1000, 7, &[]);
        prop_assert!(bench.seen().contains(&(Op::Response, 0, 1000)));
    }
}

/// The device with both queues, and a listener at the parent's port 7.
struct Hardware {
    device: VsockDevice,
    to_guest: Ring,
    of_guest: Ring,
    listener: UnixListener,
    _dir: TempDir,
}

impl Hardware {
    fn new() -> Self {
        let memory = memory();
        let Bench { switch, dir } = Bench::new();
        let listener = UnixListener::bind(dir.path().join("vsock_7")).unwrap();
        Self {
            to_guest: Ring::new(&memory, 0),
            of_guest: Ring::new(&memory, 1),
            device: VsockDevice::new(switch, GUEST, memory),
            listener,
            _dir: dir,
        }
    }

    fn work(&mut self) {
        let vrings = [self.to_guest.vring.clone(), self.of_guest.vring.clone()];
        let event = u16::try_from(SOCKETS).unwrap();
        self.device
            .handle_event(event, EventSet::IN, &vrings, 0)
            .unwrap();
    }

    /// The packets that were written so far into buffers of one piece.
    fn received(&self) -> Vec<(Header, Vec<u8>)> {
        let packets = self.to_guest.used().into_iter();
        packets
            .map(|(head, length)| {
                let mut header = self.to_guest.read(head, length);
                let data = header.split_off(44);
                (Header::parse(header[..].try_into().unwrap()), data)
            })
            .collect()
    }
}

#[test]
fn packets_may_be_in_any_number_of_pieces() {
    let mut hardware = Hardware::new();
    hardware.to_guest.add(&[Piece::Room(4096)]);
    let request = packet(Op::Request, 40, 7, &[]).to_bytes();
    hardware.of_guest.add(&[Piece::Bytes(&request)]);
    hardware.work();
    let mut host = hardware.listener.accept().unwrap().0;
    assert_eq!(hardware.received()[0].0.op, Some(Op::Response));
    let data = bytes(60_000);
    let header = packet(Op::Data, 40, 7, &data).to_bytes();
    let first = [&header[..], &data[..5]].concat();
    let pieces: Vec<Piece<'_>> = std::iter::once(&first[..])
        .chain([&data[5..5], &data[5..4096]])
        .chain(data[4096..].chunks(30_000))
        .map(Piece::Bytes)
        .collect();
    hardware.of_guest.add(&pieces);
    hardware.of_guest.add(&[
        Piece::Bytes(&header[..20]),
        Piece::Bytes(&header[20..]),
        Piece::Bytes(&data),
    ]);
    hardware.work();
    assert_eq!(available(&mut host), data.repeat(2));
    assert_eq!(hardware.of_guest.used().len(), 3);
}

#[test]
fn packets_wait_for_buffers_and_fit_into_them() {
    let mut hardware = Hardware::new();
    let request = packet(Op::Request, 40, 7, &[]).to_bytes();
    hardware.of_guest.add(&[Piece::Bytes(&request)]);
    hardware.work();
    let mut host = hardware.listener.accept().unwrap().0;
    host.write_all(&bytes(100)).unwrap();
    hardware.work();
    assert_eq!(hardware.to_guest.used(), []);
    hardware.to_guest.add(&[Piece::Room(20)]);
    hardware.to_guest.add(&[Piece::Room(44)]);
    hardware.to_guest.add(&[Piece::Room(104)]);
    hardware.to_guest.add(&[Piece::Room(4096)]);
    hardware.to_guest.add(&[Piece::Room(4096)]);
    hardware.work();
    let used = hardware.to_guest.used();
    assert_eq!(
        used,
        [(0, 0), (1, 44), (2, 104), (3, 84)],
        "and the last one stays"
    );
    host.write_all(b"more").unwrap();
    hardware.work();
    let used = hardware.to_guest.used();
    assert_eq!(used[4..], [(4, 48)]);
    let data = [
        hardware.to_guest.read(2, 104).split_off(44),
        hardware.to_guest.read(3, 84).split_off(44),
    ];
    assert_eq!(data.concat(), bytes(100));
}

#[test]
fn a_broken_packet_goes_back_unheard_and_the_next_one_is_taken() {
    let mut hardware = Hardware::new();
    for _ in 0..5 {
        hardware.to_guest.add(&[Piece::Room(4096)]);
    }
    let of_length = |length| {
        let mut header = packet(Op::Data, 40, 7, &[]);
        header.length = length;
        header.to_bytes()
    };
    let [long, lying] = [of_length(64 * 1024 + 1), of_length(10)];
    let data = bytes(64 * 1024);
    let chains = [
        &[Piece::Bytes(&[1; 43])][..],
        &[Piece::Bytes(&long), Piece::Bytes(&data), Piece::Bytes(b"x")],
        &[Piece::Bytes(&lying), Piece::Bytes(b"short")],
        &[Piece::Bytes(&packet(Op::Request, 40, 7, &[]).to_bytes())],
    ];
    for chain in chains {
        hardware.of_guest.add(chain);
    }
    hardware.work();
    assert_eq!(hardware.of_guest.used().len(), 4);
    let received = hardware.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].0.op, Some(Op::Response));
}

#[test]
fn the_device_works_until_nothing_is_left_to_do() {
    let mut hardware = Hardware::new();
    // More than are answered at a time.
    for port in 0..100 {
        hardware.to_guest.add(&[Piece::Room(4096)]);
        let request = packet(Op::Request, port, 9, &[]).to_bytes();
        hardware.of_guest.add(&[Piece::Bytes(&request)]);
    }
    hardware.work();
    let received = hardware.received();
    assert_eq!(received.len(), 100);
    assert!(
        received
            .iter()
            .all(|(header, _)| header.op == Some(Op::Reset))
    );
}

#[test]
fn the_configuration_is_the_guests_cid() {
    let hardware = Hardware::new();
    assert_eq!(hardware.device.get_config(0, 8), [16, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(hardware.device.get_config(4, 4), [0; 4]);
    assert_eq!(hardware.device.get_config(u32::MAX, 2), [0; 2]);
}
