//! The demo: one rollover, told as it happens.
