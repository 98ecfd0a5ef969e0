//! Packets: a header of 44 bytes, little-endian, then data (virtio 1.2, section 5.10.6).

/// Bytes of a header.
pub const HEADER: usize = 44;
/// Bytes of data in one packet at most, as in Linux (`VIRTIO_VSOCK_MAX_PKT_BUF_SIZE`).
pub const MAX_DATA: usize = 64 * 1024;
/// The one type of connection that there is here: a stream.
pub const STREAM: u16 = 1;

/// In a `SHUTDOWN`: its sender receives no more.
pub const NO_RECEIVE: u32 = 1;
/// In a `SHUTDOWN`: its sender sends no more.
pub const NO_SEND: u32 = 2;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// 1: opens a connection.
    Request,
    /// 2: the connection is open.
    Response,
    /// 3: there is no such connection, any more or at all.
    Reset,
    /// 4: less is sent or received from now on.
    Shutdown,
    /// 5: data.
    Data,
    /// 6: says how much room there is.
    CreditUpdate,
    /// 7: asks how much room there is.
    CreditRequest,
}

impl Op {
    const ALL: [Self; 7] = [
        Self::Request,
        Self::Response,
        Self::Reset,
        Self::Shutdown,
        Self::Data,
        Self::CreditUpdate,
        Self::CreditRequest,
    ];

    const fn number(self) -> u16 {
        self as u16 + 1
    }

    fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.number() == number)
    }
}

/// A packet's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sender's context.
    pub source_cid: u64,
    /// The receiver's context.
    pub target_cid: u64,
    /// The sender's port.
    pub source_port: u32,
    /// The receiver's port.
    pub target_port: u32,
    /// Bytes of data that follow.
    pub length: u32,
    /// [`STREAM`], or what is not known here.
    pub kind: u16,
    /// `None` for a number that means nothing.
    pub op: Option<Op>,
    /// Of a `Shutdown`: [`NO_RECEIVE`], [`NO_SEND`].
    pub flags: u32,
    /// Room of the sender's buffer, in bytes.
    pub buffer: u32,
    /// Bytes that the sender has taken out of its buffer so far, modulo 2^32.
    pub forwarded: u32,
}

impl Header {
    /// Reads a header.
    pub fn parse(bytes: &[u8; HEADER]) -> Self {
        Self {
            source_cid: number(bytes, 0, 8),
            target_cid: number(bytes, 8, 8),
            source_port: number32(bytes, 16),
            target_port: number32(bytes, 20),
            length: number32(bytes, 24),
            kind: number16(bytes, 28),
            op: Op::of(number16(bytes, 30)),
            flags: number32(bytes, 32),
            buffer: number32(bytes, 36),
            forwarded: number32(bytes, 40),
        }
    }

    /// Writes it.
    pub fn to_bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let op = self.op.map_or(0, Op::number);
        for (at, field) in [
            (0, &self.source_cid.to_le_bytes()[..]),
            (8, &self.target_cid.to_le_bytes()),
            (16, &self.source_port.to_le_bytes()),
            (20, &self.target_port.to_le_bytes()),
            (24, &self.length.to_le_bytes()),
            (28, &self.kind.to_le_bytes()),
            (30, &op.to_le_bytes()),
            (32, &self.flags.to_le_bytes()),
            (36, &self.buffer.to_le_bytes()),
            (40, &self.forwarded.to_le_bytes()),
        ] {
            bytes[at..at + field.len()].copy_from_slice(field);
        }
        bytes
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let digits = bytes.iter().skip(at).take(length).rev();
    digits.fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn number32(bytes: &[u8], at: usize) -> u32 {
    u32::try_from(number(bytes, at, 4)).unwrap_or_default()
}

fn number16(bytes: &[u8], at: usize) -> u16 {
    u16::try_from(number(bytes, at, 2)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_lies_as_in_the_kernels_struct() {
        // struct virtio_vsock_hdr of include/uapi/linux/virtio_vsock.h, each byte another one.
        let mut bytes: [u8; HEADER] = std::array::from_fn(|at| u8::try_from(at).unwrap_or(0));
        bytes[28..32].copy_from_slice(&[1, 0, 4, 0]);
        let header = Header::parse(&bytes);
        assert_eq!(header.source_cid, 0x0706_0504_0302_0100);
        assert_eq!(header.target_cid, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(
            (header.source_port, header.target_port),
            (0x1312_1110, 0x1716_1514)
        );
        assert_eq!(header.length, 0x1b1a_1918);
        assert_eq!((header.kind, header.op), (STREAM, Some(Op::Shutdown)));
        assert_eq!(header.flags, 0x2322_2120);
        assert_eq!(
            (header.buffer, header.forwarded),
            (0x2726_2524, 0x2b2a_2928)
        );
        assert_eq!(header.to_bytes(), bytes);
    }

    #[test]
    fn numbers_that_mean_nothing_are_no_operation() {
        for number in [0, 8, 0xffff] {
            assert_eq!(Op::of(number), None);
        }
        assert_eq!(Op::of(1), Some(Op::Request));
        assert_eq!(Op::of(7), Some(Op::CreditRequest));
    }
}
