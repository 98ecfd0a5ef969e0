//! How an enclave is put together: memory with the image in it, CPUs, start.

use rustix::io::Errno;

use super::fault::{Fault, Step};
use super::pages::{PageSize, Region};

/// What an enclave gets.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    pub memory_mib: u32,
    pub cpus: u32,
    pub debug: bool,
}

/// The driver's side of one enclave.
pub trait Slot {
    /// Where in the enclave's memory its image has to be.
    fn load_offset(&self) -> Result<u64, Errno>;
    /// Gives memory away, from this address on.
    fn add_memory(&self, address: usize, size: usize) -> Result<(), Errno>;
    /// Gives a CPU away; the driver chooses, and tells which.
    fn add_cpu(&self) -> Result<u32, Errno>;
    /// Starts it; tells its CID.
    fn start(&self, debug: bool) -> Result<u64, Errno>;
}

/// Makes an enclave, and tells its memory, which has to stay mapped until it has ended, and its CID.
pub fn assemble<R: Region>(
    slot: &impl Slot,
    take: impl Fn(usize, PageSize) -> Result<R, Errno>,
    image: &[u8],
    machine: Machine,
) -> Result<(Vec<R>, u32), Fault> {
    let offset = slot.load_offset();
    let offset = offset.map_err(|errno| Fault::new(Step::LoadInfo, errno))?;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut regions = memory(take, machine.memory_mib)?;
    fill(&mut regions, offset, image, machine.memory_mib)?;
    for region in &mut regions {
        let bytes = region.bytes();
        let (address, size) = (bytes.as_ptr().addr(), bytes.len());
        let added = slot.add_memory(address, size);
        added.map_err(|errno| Fault::new(Step::AddMemory(machine.memory_mib), errno))?;
    }
    for number in 1..=machine.cpus {
        let of = machine.cpus;
        let added = slot.add_cpu();
        let cpu = added.map_err(|errno| Fault::new(Step::AddCpu { number, of }, errno))?;
        tracing::debug!(cpu, "a CPU for the enclave");
    }
    let cid = slot.start(machine.debug);
    let cid = cid.map_err(|errno| Fault::new(Step::Start, errno))?;
    let cid = u32::try_from(cid).map_err(|_| Fault::new(Step::Start, Errno::OVERFLOW))?;
    Ok((regions, cid))
}

/// Large pages as far as there are any, small ones for the rest.
fn memory<R>(
    take: impl Fn(usize, PageSize) -> Result<R, Errno>,
    memory_mib: u32,
) -> Result<Vec<R>, Fault> {
    let small = PageSize::Small.bytes();
    // What is no multiple is rounded up.
    let whole = (memory_mib as usize) << 20;
    let mut left = whole.div_ceil(small) * small;
    let mut regions = Vec::new();
    while left >= PageSize::Large.bytes() {
        match take(PageSize::Large.bytes(), PageSize::Large) {
            Ok(region) => regions.push(region),
            Err(_) => break,
        }
        left -= PageSize::Large.bytes();
    }
    if left > 0 {
        let rest = take(left, PageSize::Small);
        regions.push(rest.map_err(|errno| Fault::new(Step::Memory(memory_mib), errno))?);
    }
    Ok(regions)
}

/// Writes the image to an offset of the regions, one after another.
fn fill(
    regions: &mut [impl Region],
    offset: usize,
    image: &[u8],
    memory_mib: u32,
) -> Result<(), Fault> {
    let (mut skip, mut image) = (offset, image);
    for region in regions {
        let bytes = region.bytes();
        let from = skip.min(bytes.len());
        skip -= from;
        let length = image.len().min(bytes.len() - from);
        let (now, later) = image.split_at(length);
        bytes[from..from + length].copy_from_slice(now);
        image = later;
    }
    if image.is_empty() {
        return Ok(());
    }
    Err(Fault::new(Step::Fill(memory_mib), Errno::NOSPC))
}
