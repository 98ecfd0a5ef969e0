//! One device, served to one QEMU.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow};
use vhost::vhost_user::{Error as Protocol, Listener};
use vhost_user_backend::{Error, VhostUserBackendMut, VhostUserDaemon, VringMutex};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

/// The guest's memory, which QEMU shares when it connects.
pub type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// What a device has to be for this.
pub trait Device: VhostUserBackendMut<Bitmap = (), Vring = VringMutex> + 'static {}
impl<D: VhostUserBackendMut<Bitmap = (), Vring = VringMutex> + 'static> Device for D {}

/// A device whose socket exists: QEMU may be started.
pub struct Daemon<D: Device> {
    name: &'static str,
    listener: Listener,
    server: VhostUserDaemon<Arc<Mutex<D>>>,
}

impl<D: Device> Daemon<D> {
    /// Listens at `socket`, which is replaced if it exists.
    pub fn listen(
        name: &'static str,
        socket: &Path,
        device: impl FnOnce(Memory) -> D,
    ) -> Result<Self> {
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
        let device = Arc::new(Mutex::new(device(memory.clone())));
        let server = VhostUserDaemon::new(name.to_owned(), device, memory)
            .map_err(|error| anyhow!("{name}: {error}"))?;
        let listener = Listener::new(socket, true)
            .with_context(|| format!("{name}: cannot listen at {}", socket.display()))?;
        Ok(Self {
            name,
            listener,
            server,
        })
    }

    /// Calls the device with `event`, which is above the number of its queues, whenever `source` can be read.
    pub fn watch(&self, source: &impl AsRawFd, event: u64) -> Result<()> {
        for handler in self.server.get_epoll_handlers() {
            handler
                .register_listener(source.as_raw_fd(), EventSet::IN, event)
                .with_context(|| format!("{}: cannot watch its sockets", self.name))?;
        }
        Ok(())
    }

    /// Serves the first QEMU that connects, until it ends.
    pub fn serve(mut self) -> Result<()> {
        let started = self.server.start(&mut self.listener);
        match started.and_then(|()| self.server.wait()) {
            Ok(())
            | Err(Error::HandleRequest(Protocol::Disconnected | Protocol::PartialMessage)) => {
                Ok(())
            }
            Err(error) => Err(anyhow!("{}: {error}", self.name)),
        }
    }
}
