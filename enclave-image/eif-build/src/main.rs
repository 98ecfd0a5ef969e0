//! Builds an enclave image file: kernel, ramdisks, EIF, signature and measurements.json.

fn main() {}
