//! `manifest`: what is rendered, signed and verified, as the program prints it.

mod docs;
mod foreign;
mod openssl;
mod render;
mod sign;
mod verify;
pub mod world;
