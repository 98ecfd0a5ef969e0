//! The agent of an emulated chamber.

fn main() {}
