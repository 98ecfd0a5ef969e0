//! Random numbers: the kernel's, with the security module's mixed in.
//!
//! Keys come from aws-lc, which asks the kernel (`getrandom`) and mixes RDRAND in where there is one. The kernel's own first
//! seed is the module's, too, by its nsm-hwrng. `make eif` builds aws-lc without its other source, the processor's jitter.

use std::fs::OpenOptions;
use std::io::Write;

use rustix::rand::{GetRandomFlags, getrandom};
use tokio::task::spawn_blocking;
use unseal_agent::Nsm;

use crate::error::Fatal;

/// Bytes that are mixed in: as much as the kernel's pool holds, twice.
const BYTES: usize = 64;

/// Mixes the module's random bytes into the kernel's, and waits until the kernel calls its own good.
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
    // Another build measures jitter first, for 0.1 s: while the host is waited for.
    spawn_blocking(|| aws_lc_rs::rand::fill(&mut [0]));
    Ok(())
}
