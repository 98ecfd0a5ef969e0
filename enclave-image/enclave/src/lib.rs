//! PID 1 of the enclave: boots, opens the security module and vsock, ends TLS, runs the agent and the workload.
//!
//! One binary, two processes. The first ([`init`]) mounts, hardens, starts the second, reaps, and reboots when that ends,
//! however it ends. The second is the agent of the crate `unseal-agent` with its ways out: `/dev/nsm` ([`nsm`]), vsock, KMS
//! over the host's relay ([`kms`]), connections to the workload ([`ingress`]), and the workload itself ([`workload`]).
//!
//! [`run`] is all of it. The roots of trust come from the caller's code, and never from a file that the host gives, an
//! environment variable or an option.

mod agent;
mod chunked;
pub mod clock;
mod console;
mod entropy;
mod error;
mod heartbeat;
mod image;
pub mod ingress;
pub mod init;
pub mod kms;
pub mod nsm;
mod roots;
mod vsock;
pub mod workload;

pub use error::Fatal;
pub use roots::Roots;

/// Runs an enclave's first process, or its second, as the kernel or the first started it. Never returns.
///
/// `roots` is called in the second process only; what it may read is measured with the image.
pub fn run(roots: impl FnOnce() -> Result<Roots, Fatal>) -> ! {
    let own = rustix::process::getpid();
    let parent = rustix::process::getppid();
    if own.is_init() {
        init::run()
    }
    if !parent.is_some_and(rustix::process::Pid::is_init) {
        console::say("this is the first process of an enclave's image; it runs nowhere else");
        std::process::exit(2)
    }
    // Whatever panicked, and however this was built: an agent that is half there serves nobody.
    console::hush_panics(|| std::process::abort());
    match roots().and_then(agent::run) {
        Ok(()) => std::process::exit(0),
        Err(fatal) => {
            console::say(&fatal.to_string());
            std::process::exit(1)
        }
    }
}
