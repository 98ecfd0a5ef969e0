//! Huge pages: the only memory that an enclave can be made of.

use std::ffi::c_void;

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// A piece of this process's memory that an enclave can be made of.
pub trait Region {
    fn bytes(&mut self) -> &mut [u8];
}

/// Memory of huge pages, given back when dropped.
pub struct Pages {
    start: *mut c_void,
    length: usize,
}

#[expect(unsafe_code, reason = "a raw pointer is not Send by itself")]
// SAFETY: the mapping belongs to this value alone, whatever thread it is on.
unsafe impl Send for Pages {}

impl Pages {
    /// So many bytes of pages of `page` bytes each; both are powers of two or multiples of 2 MiB.
    pub fn take(length: usize, page: PageSize) -> Result<Self, Errno> {
        let flags = MapFlags::PRIVATE | MapFlags::HUGETLB | page.flag();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        #[expect(unsafe_code, reason = "there is no other way to huge pages")]
        // SAFETY: the kernel chooses where; nothing else is mapped there.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), length, access, flags)? };
        let pages = Self { start, length };
        #[expect(
            unsafe_code,
            reason = "pages that the cgroup denies would otherwise end this process with SIGBUS"
        )]
        // SAFETY: the range is the mapping just made.
        let populated = unsafe { madvise(start, length, Advice::LinuxPopulateWrite) };
        match populated {
            // Kernels before 5.14 do not know it.
            Ok(()) | Err(Errno::INVAL) => Ok(pages),
            Err(errno) => Err(errno),
        }
    }
}

/// The sizes of huge pages on x86-64, and their like on arm64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageSize {
    /// 2 MiB.
    Small,
    /// 1 GiB.
    Large,
}

impl PageSize {
    pub const fn bytes(self) -> usize {
        match self {
            Self::Small => 2 << 20,
            Self::Large => 1 << 30,
        }
    }

    const fn flag(self) -> MapFlags {
        match self {
            Self::Small => MapFlags::HUGE_2MB,
            Self::Large => MapFlags::HUGE_1GB,
        }
    }
}

impl Region for Pages {
    fn bytes(&mut self) -> &mut [u8] {
        #[expect(unsafe_code, reason = "the mapping as a slice")]
        // SAFETY: mapped for reading and writing, this long, zeroed by the kernel, and borrowed from `self` alone.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.cast(), self.length)
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "who maps unmaps")]
        // SAFETY: the mapping is this value's, and nobody borrows it any more.
        let unmapped = unsafe { munmap(self.start, self.length) };
        if let Err(error) = unmapped {
            tracing::warn!(%error, "huge pages were not given back");
        }
    }
}
