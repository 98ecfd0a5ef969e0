//! A Nitro Security Module stand-in with a test root of trust.
