//! Locks that are taken though a thread has panicked while it held one: what they guard is whole between two statements.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is shared, for as long as the guard lives.
pub fn lock<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
