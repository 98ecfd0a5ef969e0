//! End-to-end tests on a real cluster: real pods, a real API server, policies that are really enforced.

pub mod audit;
pub mod fault_bench;
pub mod faults;
pub mod kill_matrix;
pub mod laws;
pub mod measure;
pub mod operator_process;
pub mod outside;
pub mod programs;
pub mod run;
pub mod scenarios;
pub mod stage;
