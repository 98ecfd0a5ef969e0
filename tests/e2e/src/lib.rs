//! End-to-end tests on a real cluster: real pods, a real API server, policies that are really enforced.

pub mod audit;
pub mod measure;
pub mod scenarios;
pub mod stage;
