//! A proxy between the operator and its two servers, the API server and KMS with STS.
//!
//! Every call passes through it, is named and counted. A [`Intercept`] makes it stop at one call: before the server sees it,
//! or after the server has answered and before the operator learns of it. What is caught is held until the test lets
//! go, and dropped then; or it is dropped at once. So a test can kill the operator at any call, and lose any answer.

mod call;
mod control;
mod server;

pub use call::{Call, Kind};
pub use control::{Intercept, Intercepted, Moment, Seen, Then};
pub use server::FaultProxy;
