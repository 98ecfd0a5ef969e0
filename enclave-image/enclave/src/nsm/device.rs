//! `/dev/nsm`.

use std::fs::{File, OpenOptions};
use std::io;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use super::module::{Module, Transport};
use crate::error::Fatal;

const PATH: &str = "/dev/nsm";
/// `NSM_IOCTL_REQUEST` of uapi/linux/nsm.h.
const REQUEST: Opcode = opcode::read_write::<Message>(0x0A, 0);

/// `struct nsm_message`: two `struct iovec`. The driver sets the second's length.
#[repr(C)]
struct Message {
    request: *const u8,
    request_length: usize,
    answer: *mut u8,
    answer_length: usize,
}

/// The module of this enclave.
pub struct Device(File);

impl Device {
    /// Opens it; a machine that is no enclave has none.
    pub fn open() -> Result<Module<Self>, Fatal> {
        let opened = OpenOptions::new().read(true).write(true).open(PATH);
        let file = opened.map_err(Fatal::system(format!("opening {PATH}")))?;
        Ok(Module::new(Self(file)))
    }
}

impl Transport for Device {
    fn exchange(&self, request: &[u8], answer: &mut [u8]) -> io::Result<usize> {
        let mut message = Message {
            request: request.as_ptr(),
            request_length: request.len(),
            answer: answer.as_mut_ptr(),
            answer_length: answer.len(),
        };
        #[expect(
            unsafe_code,
            reason = "the security module has no other door than this ioctl"
        )]
        // SAFETY: NSM_IOCTL_REQUEST reads and writes one `struct nsm_message`, reads `request_length` bytes of the first
        // buffer and writes at most `answer_length` bytes to the second; both outlive the call.
        unsafe {
            ioctl(&self.0, Updater::<REQUEST, Message>::new(&mut message))?;
        }
        Ok(message.answer_length)
    }
}
