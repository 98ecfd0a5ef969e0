//! The wish to end, by signal.

pub use chamber_host::signalled;
