//! The vhost-user device: virtio number 33, one queue.

use std::io::{self, Read, Write};

use nsm_emulator::NsmEmulator;
use vhost::vhost_user::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackendMut, VringMutex, VringT};
use virtio_queue::{DescriptorChain, QueueT, Reader, Writer};
use vm_memory::{GuestAddressSpace, GuestMemoryLoadGuard, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use super::pairing::Pairing;
use super::request::{self, MAX_REQUEST};
use crate::{Memory, feature};

type Chain = DescriptorChain<GuestMemoryLoadGuard<GuestMemoryMmap>>;

/// Entries of the queue at most; QEMU 10 asks for more than 256.
const QUEUE: usize = 1024;

/// The security module of one enclave, as hardware.
pub struct NsmDevice {
    module: NsmEmulator,
    memory: Memory,
    waiting: Pairing<Request, Chain>,
}

/// A request that waits for the buffer of its response.
struct Request {
    head: u16,
    bytes: Vec<u8>,
}

impl NsmDevice {
    /// A device that this module answers for.
    pub fn new(module: NsmEmulator, memory: Memory) -> Self {
        Self {
            module,
            memory,
            waiting: Pairing::default(),
        }
    }

    /// Answers all that is in the queue. Also called when the queue starts: the driver asks for random bytes
    /// before that, and its notification then is lost.
    fn serve(&mut self, vring: &VringMutex) -> io::Result<()> {
        let mut vring = vring.get_mut();
        let mut returned = false;
        while vring.get_queue().ready() {
            let memory = self.memory.memory();
            let Some(chain) = vring.get_queue_mut().pop_descriptor_chain(memory) else {
                break;
            };
            let head = chain.head_index();
            if let Err(error) = self.take(chain) {
                tracing::warn!("security module: a request is no use: {error}");
                vring.add_used(head, 0).map_err(io::Error::other)?;
                returned = true;
            }
            while let Some((request, buffer)) = self.waiting.next() {
                let head = buffer.head_index();
                let written = self
                    .respond(&request.bytes, buffer)
                    .unwrap_or_else(|error| {
                        tracing::warn!("security module: a response is lost: {error}");
                        0
                    });
                // The driver takes the first chain that comes back for its request, and the second for the response.
                vring.add_used(request.head, 0).map_err(io::Error::other)?;
                vring.add_used(head, written).map_err(io::Error::other)?;
                returned = true;
            }
        }
        if returned {
            vring.signal_used_queue()?;
        }
        Ok(())
    }

    fn take(&mut self, chain: Chain) -> io::Result<()> {
        let head = chain.head_index();
        let memory = self.memory.memory();
        let reader: Reader<'_> = chain.clone().reader(&memory).map_err(io::Error::other)?;
        if reader.available_bytes() == 0 {
            self.waiting.buffer(chain);
            return Ok(());
        }
        let mut bytes = Vec::new();
        reader
            .take(MAX_REQUEST as u64 + 1)
            .read_to_end(&mut bytes)?;
        self.waiting.request(Request { head, bytes });
        Ok(())
    }

    /// Writes the response and says how long it is.
    fn respond(&self, request: &[u8], buffer: Chain) -> io::Result<u32> {
        let memory = self.memory.memory();
        let mut writer: Writer<'_> = buffer.writer(&memory).map_err(io::Error::other)?;
        let mut response = request::answer(&self.module, request);
        if response.len() > writer.available_bytes() {
            response = request::too_small();
        }
        writer.write_all(&response)?;
        u32::try_from(response.len()).map_err(io::Error::other)
    }
}

impl VhostUserBackendMut for NsmDevice {
    type Bitmap = ();
    type Vring = VringMutex;

    fn num_queues(&self) -> usize {
        1
    }

    fn max_queue_size(&self) -> usize {
        QUEUE
    }

    fn features(&self) -> u64 {
        feature::VERSION_1 | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
    }

    fn set_event_idx(&mut self, _enabled: bool) {
        // Not among the features.
    }

    fn update_memory(&mut self, memory: Memory) -> io::Result<()> {
        self.memory = memory;
        Ok(())
    }

    fn stop_vring(&mut self, _queue_index: u32) -> io::Result<()> {
        self.waiting.clear();
        Ok(())
    }

    fn handle_event(
        &mut self,
        _device_event: u16,
        _events: EventSet,
        vrings: &[VringMutex],
        _thread: usize,
    ) -> io::Result<()> {
        // An error returned from here would end the device's thread without a word.
        for error in vrings.iter().filter_map(|vring| self.serve(vring).err()) {
            tracing::error!("security module: {error}");
        }
        Ok(())
    }
}
