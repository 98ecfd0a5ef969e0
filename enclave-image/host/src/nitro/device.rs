//! `/dev/nitro_enclaves`, call by call.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, Setter, Updater, ioctl, opcode};

use super::assemble::Slot;
use super::fault::{Fault, Step};

const PATH: &str = "/dev/nitro_enclaves";
const MAGIC: u8 = 0xAE;
const CREATE_VM: Opcode = opcode::read::<u64>(MAGIC, 0x20);
const ADD_VCPU: Opcode = opcode::read_write::<u32>(MAGIC, 0x21);
const GET_IMAGE_LOAD_INFO: Opcode = opcode::read_write::<ImageLoadInfo>(MAGIC, 0x22);
const SET_USER_MEMORY_REGION: Opcode = opcode::write::<UserMemoryRegion>(MAGIC, 0x23);
const START_ENCLAVE: Opcode = opcode::read_write::<StartInfo>(MAGIC, 0x24);
/// The image is an EIF.
const EIF_IMAGE: u64 = 1;
const DEBUG_MODE: u64 = 1;

#[repr(C)]
struct ImageLoadInfo {
    flags: u64,
    memory_offset: u64,
}

#[repr(C)]
struct UserMemoryRegion {
    flags: u64,
    memory_size: u64,
    userspace_addr: u64,
}

#[repr(C)]
struct StartInfo {
    flags: u64,
    enclave_cid: u64,
}

/// The driver.
pub struct Device(OwnedFd);

impl Device {
    pub fn open() -> Result<Self, Fault> {
        let opened = OpenOptions::new().read(true).write(true).open(PATH);
        let file = opened.map_err(|error| Fault::of_io(Step::Open, &error))?;
        Ok(Self(file.into()))
    }

    /// A new enclave, without memory or CPUs.
    pub fn create(&self) -> Result<VmSlot, Fault> {
        #[expect(
            unsafe_code,
            reason = "the driver writes 8 bytes, which the request holds, and gives a new descriptor"
        )]
        // SAFETY: `CreateVm` is the driver's own request, and the descriptor is that of this driver.
        let created = unsafe { ioctl(self.0.as_fd(), CreateVm { slot: 0 }) };
        created
            .map(VmSlot)
            .map_err(|errno| Fault::new(Step::Create, errno))
    }
}

/// `NE_CREATE_VM`: writes the slot's number, and returns the enclave's descriptor.
struct CreateVm {
    slot: u64,
}

#[expect(
    unsafe_code,
    reason = "rustix has no pattern for a request that returns a descriptor"
)]
// SAFETY: the opcode says that 8 bytes are written, and the pointer is to as many.
unsafe impl Ioctl for CreateVm {
    type Output = OwnedFd;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        CREATE_VM
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        (&raw mut self.slot).cast()
    }

    unsafe fn output_from_ptr(
        descriptor: IoctlOutput,
        _: *mut std::ffi::c_void,
    ) -> Result<OwnedFd, Errno> {
        // SAFETY: the driver has just made this descriptor, close-on-exec, for this call alone.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

/// An enclave that was created; it ends when this is closed.
pub struct VmSlot(OwnedFd);

impl VmSlot {
    /// The descriptor whose closing ends the enclave.
    pub fn into_descriptor(self) -> OwnedFd {
        self.0
    }
}

impl Slot for VmSlot {
    fn load_offset(&self) -> Result<u64, Errno> {
        let mut info = ImageLoadInfo {
            flags: EIF_IMAGE,
            memory_offset: 0,
        };
        #[expect(
            unsafe_code,
            reason = "the driver reads and writes the structure that it is given"
        )]
        // SAFETY: the opcode names the structure, whose layout is that of linux/nitro_enclaves.h.
        unsafe {
            let request = Updater::<GET_IMAGE_LOAD_INFO, _>::new(&mut info);
            ioctl(self.0.as_fd(), request)?;
        }
        Ok(info.memory_offset)
    }

    fn add_memory(&self, address: usize, size: usize) -> Result<(), Errno> {
        let region = UserMemoryRegion {
            flags: 0,
            memory_size: size as u64,
            userspace_addr: address as u64,
        };
        #[expect(
            unsafe_code,
            reason = "the driver reads the structure that it is given, and takes the memory"
        )]
        // SAFETY: the opcode names the structure; who calls keeps the memory mapped until the descriptor is closed.
        unsafe {
            ioctl(
                self.0.as_fd(),
                Setter::<SET_USER_MEMORY_REGION, _>::new(region),
            )
        }
    }

    fn add_cpu(&self) -> Result<u32, Errno> {
        // 0: the driver chooses.
        let mut cpu = 0_u32;
        #[expect(
            unsafe_code,
            reason = "the driver reads and writes the number that it is given"
        )]
        // SAFETY: the opcode says that 4 bytes are read and written, and the pointer is to as many.
        unsafe {
            ioctl(self.0.as_fd(), Updater::<ADD_VCPU, _>::new(&mut cpu))?;
        }
        Ok(cpu)
    }

    fn start(&self, debug: bool) -> Result<u64, Errno> {
        let mut info = StartInfo {
            flags: if debug { DEBUG_MODE } else { 0 },
            // 0: the driver chooses.
            enclave_cid: 0,
        };
        #[expect(
            unsafe_code,
            reason = "the driver reads and writes the structure that it is given"
        )]
        // SAFETY: the opcode names the structure, whose layout is that of linux/nitro_enclaves.h.
        unsafe {
            ioctl(self.0.as_fd(), Updater::<START_ENCLAVE, _>::new(&mut info))?;
        }
        Ok(info.enclave_cid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_numbers_of_the_kernels_header() {
        // `_IOC` of linux/ioctl.h over the structures of linux/nitro_enclaves.h.
        let expected = [
            0x8008_AE20,
            0xC004_AE21,
            0xC010_AE22,
            0x4018_AE23,
            0xC010_AE24,
        ];
        let found = [
            CREATE_VM,
            ADD_VCPU,
            GET_IMAGE_LOAD_INFO,
            SET_USER_MEMORY_REGION,
            START_ENCLAVE,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_machine_without_the_driver_says_what_to_request() {
        if std::path::Path::new(PATH).exists() {
            return;
        }
        let error = Device::open().err().unwrap().to_string();
        assert!(
            error.starts_with("/dev/nitro_enclaves cannot be opened: "),
            "{error}"
        );
        assert!(error.contains("aws.ec2.nitro/nitro_enclaves: 1"), "{error}");
    }
}
