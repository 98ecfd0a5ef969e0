//! The development form of a chamber: host, agent, signer and probe in one binary.
fn main() {}
