//! The program that the master key is for.

use std::io;

use sealed_blob::MasterKey;

/// A program inside the enclave that gets the master key over a pipe or socket.
pub trait Workload: Send {
    /// Starts it without a key; a running one is left alone.
    fn start(&mut self) -> impl Future<Output = io::Result<()>> + Send;
    /// Gives it the key. It is for the workload to wipe its copy.
    fn hand_over(&mut self, key: &MasterKey) -> impl Future<Output = io::Result<()>> + Send;
    /// Waits until it ends by itself, and says how.
    fn ended(&mut self) -> impl Future<Output = String> + Send;
    /// Ends it: no new work, requests in flight are finished.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;
}
