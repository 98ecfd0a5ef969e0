//! A driver's side of queues, for tests: memory with rings in it (virtio 1.2, section 2.7).

use vhost_user_backend::{VringMutex, VringT};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};

use crate::Memory;

const ENTRIES: u16 = 256;
/// Flags of a descriptor.
const NEXT: u16 = 1;
const WRITABLE: u16 = 2;
/// Where the rings of a queue begin, behind its descriptors.
const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;
/// Bytes of a queue's rings, and of the room for a buffer.
const QUEUE: u64 = 0x4000;
const BUFFER: u64 = 0x1_0000;

/// A piece of a chain.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// For the device to read.
    Bytes(&'a [u8]),
    /// For the device to write, so many bytes.
    Room(u32),
}

/// The memory of a guest with two queues, all zeros.
pub fn memory() -> Memory {
    let range = (GuestAddress(0), 0x400_0000);
    GuestMemoryAtomic::new(GuestMemoryMmap::from_ranges(&[range]).unwrap())
}

/// One queue with its driver, for 256 pieces in all.
pub struct Ring {
    pub vring: VringMutex,
    memory: Memory,
    index: u64,
    chains: u16,
    pieces: u16,
}

impl Ring {
    /// The queue with this number.
    pub fn new(memory: &Memory, index: u64) -> Self {
        let start = index * QUEUE;
        let vring = VringMutex::new(memory.clone(), ENTRIES).unwrap();
        vring.set_queue_size(ENTRIES);
        vring
            .set_queue_info(start, start + AVAILABLE, start + USED)
            .unwrap();
        vring.set_queue_ready(true);
        Self {
            vring,
            memory: memory.clone(),
            index,
            chains: 0,
            pieces: 0,
        }
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        let address = GuestAddress(self.index * QUEUE + at);
        self.memory.memory().write_slice(bytes, address).unwrap();
    }

    fn get<const N: usize>(&self, at: u64) -> [u8; N] {
        let address = GuestAddress(self.index * QUEUE + at);
        let mut bytes = [0; N];
        self.memory
            .memory()
            .read_slice(&mut bytes, address)
            .unwrap();
        bytes
    }

    fn buffer(&self, piece: u16) -> GuestAddress {
        let number = (self.index + 1) * u64::from(ENTRIES) + u64::from(piece);
        GuestAddress(number * BUFFER)
    }

    /// Queues a chain and returns its number.
    pub fn add(&mut self, pieces: &[Piece<'_>]) -> u16 {
        let head = self.pieces;
        for (at, piece) in pieces.iter().enumerate() {
            let address = self.buffer(self.pieces);
            let more = if at + 1 < pieces.len() { NEXT } else { 0 };
            let (length, flags) = match piece {
                Piece::Bytes(bytes) => {
                    self.memory.memory().write_slice(bytes, address).unwrap();
                    (u32::try_from(bytes.len()).unwrap(), more)
                }
                Piece::Room(length) => (*length, more | WRITABLE),
            };
            let descriptor = u64::from(self.pieces) * 16;
            self.pieces += 1;
            assert!(self.pieces <= ENTRIES);
            self.put(descriptor, &address.0.to_le_bytes());
            self.put(descriptor + 8, &length.to_le_bytes());
            self.put(descriptor + 12, &flags.to_le_bytes());
            self.put(descriptor + 14, &self.pieces.to_le_bytes());
        }
        self.put(
            AVAILABLE + 4 + 2 * u64::from(self.chains),
            &head.to_le_bytes(),
        );
        self.chains += 1;
        self.put(AVAILABLE + 2, &self.chains.to_le_bytes());
        head
    }

    /// Chains that came back, in order, with the bytes written into each.
    pub fn used(&self) -> Vec<(u16, u32)> {
        let count = u16::from_le_bytes(self.get(USED + 2));
        let element = |at: u16| {
            let at = USED + 4 + 8 * u64::from(at);
            let head = u32::from_le_bytes(self.get(at));
            (
                u16::try_from(head).unwrap(),
                u32::from_le_bytes(self.get(at + 4)),
            )
        };
        (0..count).map(element).collect()
    }

    /// What the device wrote into a buffer of one piece.
    pub fn read(&self, head: u16, length: u32) -> Vec<u8> {
        let mut bytes = vec![0; length as usize];
        let memory = self.memory.memory();
        memory.read_slice(&mut bytes, self.buffer(head)).unwrap();
        bytes
    }
}
