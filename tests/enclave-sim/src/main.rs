//! `enclave-sim`: the devices of one emulated enclave.

fn main() {}
