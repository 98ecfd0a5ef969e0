//! Random bytes of the security module, of which a master key is made: no memory that is freed has them.

use std::io;

use enclave::nsm::{Module, Transport};
use freed_memory::{FreedMemory, freed_with};
use unseal_agent::Nsm;

#[global_allocator]
static MEMORY: FreedMemory = FreedMemory;

/// A module that answers this.
struct Fixed(&'static [u8]);

impl Transport for Fixed {
    fn exchange(&self, _: &[u8], answer: &mut [u8]) -> io::Result<usize> {
        answer[..self.0.len()].copy_from_slice(self.0);
        Ok(self.0.len())
    }
}

/// An answer with this head before the random bytes, which nobody frees.
fn answer(head: &[u8], random: &[u8]) -> &'static [u8] {
    let start: &[u8] = b"\xa1\x69GetRandom\xa1\x66random";
    Box::leak([start, head, random].concat().into())
}

#[test]
fn random_bytes_are_wiped() {
    let random: Vec<u8> = (0..=255).collect();
    for (head, length) in [
        (&[0x57][..], 23),
        (&[0x58, 24][..], 24),
        (&[0x58, 255][..], 255),
        (&[0x59, 1, 0][..], 256),
    ] {
        let random = &random[..length];
        let module = Module::new(Fixed(answer(head, random)));
        let mut out = [0; 300];
        let freed = freed_with(&[random], || module.random(&mut out).unwrap());
        assert_eq!(freed, 0, "{length}");
        let wanted: Vec<u8> = random.iter().copied().cycle().take(out.len()).collect();
        assert_eq!(out.as_slice(), wanted);
    }
}

#[test]
fn another_encoding_is_read_and_another_length_is_refused() {
    // A string of indefinite length, of two parts.
    let module = Module::new(Fixed(answer(b"\x5f\x41\x07\x42\x08\x09\xff", b"")));
    let mut out = [0; 3];
    module.random(&mut out).unwrap();
    assert_eq!(out, [7, 8, 9]);
    for (head, length) in [
        (&[0x40][..], 0),
        (&[0x59, 1, 1][..], 257),
        (&[0x58, 9][..], 8),
        (&[0x58, 9][..], 10),
    ] {
        let module = Module::new(Fixed(answer(head, &[7; 300][..length])));
        module.random(&mut out).unwrap_err();
    }
}
