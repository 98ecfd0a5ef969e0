//! An allocator for tests that looks at every block which is freed: a secret in one was not wiped.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is looked for; null while nothing is.
static WATCHED: AtomicPtr<Vec<Vec<u8>>> = AtomicPtr::new(null_mut());
static FOUND: AtomicUsize = AtomicUsize::new(0);
/// One test at a time: all of a program share its memory.
static TURN: Mutex<()> = Mutex::new(());

/// The allocator: a test program makes it its `#[global_allocator]`. Blocks that grow are freed like others.
pub struct FreedMemory;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; this one asks the system's"
)]
// SAFETY: every request is the system allocator's to answer; blocks are read while they are still its caller's.
unsafe impl GlobalAlloc for FreedMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that all of a block can be read.
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let watched = WATCHED.load(Ordering::SeqCst);
        if !watched.is_null() {
            // SAFETY: the list is never freed, and a block has been readable since it was made.
            let (secrets, bytes) = unsafe {
                (
                    &*watched,
                    std::slice::from_raw_parts(block.cast_const(), layout.size()),
                )
            };
            let holds = |secret: &Vec<u8>| bytes.windows(secret.len()).any(|part| part == secret);
            let found = secrets.iter().filter(|secret| holds(secret)).count();
            FOUND.fetch_add(found, Ordering::SeqCst);
        }
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How many blocks with one of these secrets are freed while this is done.
///
/// What it is done with has to be made before, and kept: it would be found, too.
pub fn freed_with(secrets: &[&[u8]], act: impl FnOnce()) -> usize {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let secrets: Vec<_> = secrets.iter().map(|secret| secret.to_vec()).collect();
    WATCHED.store(Box::into_raw(Box::new(secrets)), Ordering::SeqCst);
    FOUND.store(0, Ordering::SeqCst);
    act();
    // It is not freed: another thread may look at it.
    WATCHED.store(null_mut(), Ordering::SeqCst);
    FOUND.load(Ordering::SeqCst)
}
