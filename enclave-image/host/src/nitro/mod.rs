//! Nitro Enclaves, by the kernel's interface (`linux/nitro_enclaves.h`).
//!
//! The crate `nitro-enclaves` 0.7.0 speaks it, too, but never unmaps an enclave's huge pages nor closes its descriptor,
//! so that a second launch finds no memory, and reads every error of the driver as unknown.

mod assemble;
mod console;
mod device;
mod fault;
mod image;
mod pages;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use chamber_host::{Enclave, Hypervisor};
use measurement::Pcr;
use measurement::eif::Description;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinSet, spawn_blocking};

use crate::af_vsock::AfVsock;
use assemble::{Machine, assemble};
use device::Device;
use image::{Image, ImageError};
use pages::Pages;

/// What an enclave is made of.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The image file.
    pub eif: &'a Path,
    /// PCR0 that it has to have.
    pub expected: Option<Pcr>,
    /// MiB of huge pages.
    pub memory_mib: u32,
    /// Of the node's pool.
    pub cpus: u32,
    /// With a console, and zeros in PCR0.
    pub debug: bool,
}

/// Boots one image as Nitro Enclaves.
pub struct Nitro {
    image: Arc<Image>,
    memory_mib: u32,
    cpus: u32,
    debug: bool,
}

impl Nitro {
    /// Reads and measures the image.
    pub fn new(launch: Launch<'_>) -> Result<Self, ImageError> {
        let image = Image::read(launch.eif, launch.memory_mib, launch.expected)?;
        let pcr0 = image.description.pcr0;
        if launch.expected.is_none() {
            tracing::warn!(%pcr0, "CHAMBER_IMAGE_SHA384 is not set: nobody compares the image with the release");
        }
        if launch.debug {
            tracing::warn!("debug mode: the enclave attests zeros, and neither seals nor unseals");
        }
        tracing::info!(%pcr0, eif = %launch.eif.display(), "the image");
        Ok(Self {
            image: Arc::new(image),
            memory_mib: launch.memory_mib,
            cpus: launch.cpus,
            debug: launch.debug,
        })
    }
}

impl Hypervisor for Nitro {
    type Enclave = NitroEnclave;
    type Vsock = AfVsock;

    fn image(&self) -> &Description {
        &self.image.description
    }

    fn attests(&self) -> Pcr {
        if self.debug {
            Pcr::from_bytes([0; 48])
        } else {
            self.image.description.pcr0
        }
    }

    async fn boot(&mut self) -> io::Result<(NitroEnclave, AfVsock)> {
        let image = Arc::clone(&self.image);
        let machine = Machine {
            memory_mib: self.memory_mib,
            cpus: self.cpus,
            debug: self.debug,
        };
        // Seconds, for the kernel takes the memory away from this machine.
        let assembled = spawn_blocking(move || {
            let slot = Device::open()?.create()?;
            let (pages, cid) = assemble(&slot, Pages::take, &image.bytes, machine)?;
            Ok::<_, fault::Fault>((slot.into_descriptor(), pages, cid))
        });
        let assembled = assembled.await.map_err(io::Error::other)?;
        let (descriptor, pages, cid) = assembled.map_err(io::Error::other)?;
        tracing::info!(
            cid,
            memory_mib = self.memory_mib,
            cpus = self.cpus,
            "an enclave was started"
        );
        let enclave = NitroEnclave {
            running: Some(Running {
                descriptor: watched(descriptor)?,
                _pages: pages,
            }),
            _console: console::read(self.debug, cid),
        };
        Ok((enclave, AfVsock { cid }))
    }
}

/// A started enclave; it ends with this value.
pub struct NitroEnclave {
    running: Option<Running>,
    _console: JoinSet<()>,
}

/// In this order: memory goes back to this machine when the enclave has ended.
struct Running {
    descriptor: AsyncFd<OwnedFd>,
    _pages: Vec<Pages>,
}

impl Enclave for NitroEnclave {
    async fn ended(&mut self) -> String {
        let Some(running) = &self.running else {
            return "it was ended".to_owned();
        };
        match hung_up(&running.descriptor).await {
            Ok(()) => "the hypervisor reports its end and no reason; its console tells more, in debug mode only".to_owned(),
            Err(error) => format!("its descriptor cannot be waited for: {error}"),
        }
    }

    async fn kill(&mut self) {
        let running = self.running.take();
        // The kernel waits for the hypervisor when the descriptor is closed.
        let closed = spawn_blocking(move || drop(running)).await;
        if let Err(error) = closed {
            tracing::warn!(%error, "ending the enclave");
        }
    }
}

fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        unsafe_code,
        reason = "the runtime has to know that the descriptor stays what it is"
    )]
    // SAFETY: an owned descriptor is closed when it is dropped, which the registration ends before.
    unsafe {
        Ok(AsyncFd::register_with_interest(
            descriptor,
            Interest::READABLE,
        )?)
    }
}

/// The driver reports an enclave's end as a hang-up, and nothing else ever.
async fn hung_up(descriptor: &AsyncFd<OwnedFd>) -> io::Result<()> {
    descriptor
        .readable()
        .await
        .map(|mut ready| ready.retain_ready())
}

#[cfg(test)]
mod tests;
