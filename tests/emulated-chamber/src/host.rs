//! The host of an emulated chamber.

fn main() {}
