//! The loopback interface, which a kernel starts with switched off.

use rustix::io;
use rustix::ioctl::{Setter, ioctl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// `SIOCSIFFLAGS` of linux/sockios.h.
const SET_FLAGS: rustix::ioctl::Opcode = 0x8914;
/// `IFF_UP` of linux/if.h.
const UP: u16 = 1;

/// `struct ifreq` of linux/if.h, with its union as flags.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Switches `lo` on; the kernel gives it 127.0.0.1/8 by itself.
pub fn up() -> io::Result<()> {
    let any = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut request = Request {
        name: [0; 16],
        flags: UP,
        rest: [0; 22],
    };
    request.name[..2].copy_from_slice(b"lo");
    #[expect(
        unsafe_code,
        reason = "the kernel has no safe call for an interface's flags"
    )]
    // SAFETY: SIOCSIFFLAGS reads one struct ifreq, which `Request` is: 40 bytes, name, flags.
    unsafe {
        ioctl(&any, Setter::<SET_FLAGS, Request>::new(request))
    }
}
