//! Random numbers: the kernel's, with the security module's mixed in.

use std::fs::OpenOptions;
use std::io::Write;

use rustix::rand::{GetRandomFlags, getrandom};
use unseal_agent::Nsm;

use crate::error::Fatal;

/// Bytes that are mixed in: as much as the kernel's pool holds, twice.
const BYTES: usize = 64;

/// Mixes the module's random bytes into the kernel's, and waits until the kernel calls its own good.
///
/// All keys come from the kernel's `getrandom`, which the kernel's nsm-hwrng seeds from the same module.
pub fn seed(nsm: &impl Nsm) -> Result<(), Fatal> {
    let mut bytes = [0; BYTES];
    nsm.random(&mut bytes)?;
    let mut pool = OpenOptions::new()
        .write(true)
        .open("/dev/urandom")
        .map_err(Fatal::system("opening /dev/urandom"))?;
    pool.write_all(&bytes)
        .map_err(Fatal::system("writing /dev/urandom"))?;
    // Without flags it waits for the first seed.
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(Fatal::system("getrandom"))?;
    Ok(())
}
