//! Why an enclave could not be started, and what to do.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Open,
    Create,
    LoadInfo,
    /// MiB.
    Memory(u32),
    /// MiB.
    Fill(u32),
    /// MiB.
    AddMemory(u32),
    AddCpu {
        number: u32,
        of: u32,
    },
    Start,
}

/// A step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    step: Step,
    errno: Errno,
}

impl Fault {
    pub const fn new(step: Step, errno: Errno) -> Self {
        Self { step, errno }
    }

    pub fn of_io(step: Step, error: &io::Error) -> Self {
        let code = error.raw_os_error();
        Self::new(step, code.map_or(Errno::IO, Errno::from_raw_os_error))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("/dev/nitro_enclaves cannot be opened"),
            Self::Create => f.write_str("no enclave was created"),
            Self::LoadInfo => f.write_str("the driver takes no enclave image file"),
            Self::Memory(mib) => write!(f, "there are no {mib} MiB of huge pages"),
            Self::Fill(mib) => write!(f, "the image does not fit into {mib} MiB"),
            Self::AddMemory(mib) => write!(f, "the enclave did not get {mib} MiB of memory"),
            Self::AddCpu { number, of } => {
                write!(f, "the enclave did not get CPU {number} of {of}")
            }
            Self::Start => f.write_str("the enclave did not start"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.errno.raw_os_error();
        write!(f, "{}: ", self.step)?;
        match driver(code) {
            Some((name, what)) => write!(f, "{what} ({name})")?,
            None => write!(f, "{}", io::Error::from_raw_os_error(code))?,
        }
        write!(f, ": {}", self.cure())
    }
}

impl Fault {
    fn cure(&self) -> &'static str {
        match (self.step, self.errno) {
            (Step::Open, Errno::NOENT) => {
                "request aws.ec2.nitro/nitro_enclaves: 1 for the container, on a node whose instance was launched with EnclaveOptions.Enabled and which runs the Nitro Enclaves device plugin"
            }
            (Step::Open, Errno::ACCESS | Errno::PERM) => {
                "the container's user may not open it: let containerd give devices to it (device_ownership_from_security_context = true), or add the group that owns the device (supplementalGroups)"
            }
            (Step::Open | Step::Create, _) => {
                "look at the node's kernel log (dmesg) for nitro_enclaves; at most four enclaves run on one instance"
            }
            (Step::Memory(_), _) => {
                "request hugepages-2Mi (or hugepages-1Gi) of as much for the container, and let the node's allocator reserve them (memory_mib in /etc/nitro_enclaves/allocator.yaml)"
            }
            (Step::Fill(_), _) => "set CHAMBER_MEMORY_MIB to four times the image's size",
            (Step::LoadInfo, _) => "the node's driver is too old: update its kernel",
            (Step::AddMemory(_) | Step::AddCpu { .. } | Step::Start, errno) => {
                cure_of_driver(errno.raw_os_error())
            }
        }
    }
}

const POOL: &str = "let the node's allocator reserve CPUs for all enclaves of the node (cpu_count in /etc/nitro_enclaves/allocator.yaml, then systemctl restart nitro-enclaves-allocator.service)";
const OURS: &str = "this is a fault of the host program: report it";
const HUGE: &str =
    "request hugepages-2Mi or hugepages-1Gi, of at least 64 MiB and of 2 MiB or 1 GiB a page";

/// Name and meaning of the driver's own codes (`linux/nitro_enclaves.h`).
const fn driver(code: i32) -> Option<(&'static str, &'static str)> {
    Some(match code {
        256 => ("NE_ERR_VCPU_ALREADY_USED", "the CPU is in use"),
        257 => ("NE_ERR_VCPU_NOT_IN_CPU_POOL", "the CPU is not in the pool"),
        258 => (
            "NE_ERR_VCPU_INVALID_CPU_CORE",
            "the CPU's core is not in the pool",
        ),
        259 => (
            "NE_ERR_INVALID_MEM_REGION_SIZE",
            "the memory is no multiple of 2 MiB",
        ),
        260 => (
            "NE_ERR_INVALID_MEM_REGION_ADDR",
            "the memory's address is wrong",
        ),
        261 => (
            "NE_ERR_UNALIGNED_MEM_REGION_ADDR",
            "the memory is not aligned",
        ),
        262 => ("NE_ERR_MEM_REGION_ALREADY_USED", "the memory is in use"),
        263 => (
            "NE_ERR_MEM_NOT_HUGE_PAGE",
            "the memory is not of huge pages",
        ),
        264 => (
            "NE_ERR_MEM_DIFFERENT_NUMA_NODE",
            "memory and CPUs are of different NUMA nodes",
        ),
        265 => ("NE_ERR_MEM_MAX_REGIONS", "the memory is in too many pieces"),
        266 => ("NE_ERR_NO_MEM_REGIONS_ADDED", "it has no memory"),
        267 => ("NE_ERR_NO_VCPUS_ADDED", "it has no CPU"),
        268 => ("NE_ERR_ENCLAVE_MEM_MIN_SIZE", "it has less than 64 MiB"),
        269 => ("NE_ERR_FULL_CORES_NOT_USED", "its CPUs are no whole cores"),
        270 => ("NE_ERR_NOT_IN_INIT_STATE", "it was started already"),
        271 => ("NE_ERR_INVALID_VCPU", "there is no such CPU"),
        272 => ("NE_ERR_NO_CPUS_AVAIL_IN_POOL", "no CPU of the pool is free"),
        273 => (
            "NE_ERR_INVALID_PAGE_SIZE",
            "the pages are smaller than 2 MiB",
        ),
        274 => (
            "NE_ERR_INVALID_FLAG_VALUE",
            "the driver does not know a flag",
        ),
        275 => (
            "NE_ERR_INVALID_ENCLAVE_CID",
            "the CID is in use or reserved",
        ),
        _ => return None,
    })
}

const fn cure_of_driver(code: i32) -> &'static str {
    match code {
        256..=258 | 271 | 272 => POOL,
        259 | 263 | 268 | 273 => HUGE,
        264 => {
            "the allocator's CPUs and the huge pages have to be of one NUMA node: set cpu_pool in /etc/nitro_enclaves/allocator.yaml, or take an instance with one"
        }
        265 => "use larger pages: request hugepages-1Gi",
        269 => "set CHAMBER_CPUS to an even number, as each core of this instance has two threads",
        260..=262 | 266 | 267 | 270 | 274 | 275 => OURS,
        _ => "look at the node's kernel log (dmesg) for nitro_enclaves",
    }
}
