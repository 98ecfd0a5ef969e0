//! The security module: what it answers, and the device that carries questions and answers.

mod device;
mod pairing;
mod request;

pub use device::NsmDevice;
pub use request::answer;

#[cfg(test)]
mod tests;
