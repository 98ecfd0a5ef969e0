//! The registers that an image will have.

use sha2::{Digest, Sha384};

use crate::Pcr;

/// The three digests that go into PCR0, PCR1 and PCR2, taken in section by section.
#[derive(Default)]
pub struct Registers {
    whole: Sha384,
    boot: Sha384,
    applications: Sha384,
}

impl Registers {
    /// Takes in bytes of a kernel, a command line (`None`) or of the n-th ramdisk.
    pub fn update(&mut self, ramdisk: Option<usize>, bytes: &[u8]) {
        self.whole.update(bytes);
        match ramdisk {
            None | Some(0) => self.boot.update(bytes),
            Some(_) => self.applications.update(bytes),
        }
    }

    /// PCR0, PCR1 and PCR2.
    pub fn finish(self) -> [Pcr; 3] {
        [self.whole, self.boot, self.applications].map(|digest| extend(&digest.finalize()))
    }
}

/// PCR8: the digest of the signer's certificate in DER.
pub fn of_certificate(der: &[u8]) -> Pcr {
    extend(&Sha384::digest(der))
}

/// A register that is zero, extended once.
fn extend(digest: &[u8]) -> Pcr {
    let mut register = Sha384::new();
    register.update([0; 48]);
    register.update(digest);
    Pcr::from_bytes(register.finalize().into())
}
