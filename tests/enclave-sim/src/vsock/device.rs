//! The vhost-user device: a queue of packets to the guest, and one of the guest's.

use std::io::{self, Read, Write};

use vhost::vhost_user::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackendMut, VringMutex, VringState, VringT};
use virtio_queue::{DescriptorChain, QueueOwnedT, QueueT, Reader, Writer};
use vm_memory::{GuestAddressSpace, GuestMemoryLoadGuard, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use super::Switch;
use super::packet::{HEADER, Header, MAX_DATA};
use crate::{Memory, feature};

type Chain = DescriptorChain<GuestMemoryLoadGuard<GuestMemoryMmap>>;

/// Entries of a queue at most.
const QUEUE: usize = 1024;
/// The queues; QEMU has a third one, for events, to itself.
const TO_GUEST: usize = 0;
const OF_GUEST: usize = 1;
const QUEUES: usize = 2;

/// The event for [`crate::Daemon::watch`] that the switch's sockets have something.
pub const SOCKETS: u64 = QUEUES as u64 + 1;

/// The vsock device of one enclave, as hardware.
pub struct VsockDevice {
    switch: Switch,
    guest_cid: u64,
    memory: Memory,
}

impl VsockDevice {
    /// A device that this switch works for.
    pub fn new(switch: Switch, guest_cid: u32, memory: Memory) -> Self {
        Self {
            switch,
            guest_cid: guest_cid.into(),
            memory,
        }
    }

    /// Moves packets and bytes until nothing moves any more.
    fn work(&mut self, vrings: &[VringMutex]) -> io::Result<()> {
        let (Some(to_guest), Some(of_guest)) = (vrings.get(TO_GUEST), vrings.get(OF_GUEST)) else {
            return Ok(());
        };
        loop {
            self.switch.look()?;
            let received = self.receive(&mut of_guest.get_mut())?;
            let sent = self.send(&mut to_guest.get_mut())?;
            if !received && !sent {
                return Ok(());
            }
        }
    }

    /// Takes packets of the guest's, and says whether there were any.
    fn receive(&mut self, vring: &mut VringState) -> io::Result<bool> {
        let mut returned = false;
        while self.switch.listens() {
            let Some(chain) = self.pop(vring) else { break };
            let head = chain.head_index();
            match self.read(chain) {
                Ok((header, data)) => self.switch.receive(&header, &data),
                Err(error) => tracing::warn!("vsock: a packet of the guest is no use: {error}"),
            }
            vring.add_used(head, 0).map_err(io::Error::other)?;
            returned = true;
        }
        signal(vring, returned)
    }

    /// Sends packets to the guest, and says whether there were any.
    fn send(&mut self, vring: &mut VringState) -> io::Result<bool> {
        let mut returned = false;
        while let Some(chain) = self.pop(vring) {
            let head = chain.head_index();
            let memory = self.memory.memory();
            let mut buffer: Writer<'_> = chain.writer(&memory).map_err(io::Error::other)?;
            let Some(room) = buffer.available_bytes().checked_sub(HEADER) else {
                tracing::warn!("vsock: a buffer of the guest does not hold a header");
                vring.add_used(head, 0).map_err(io::Error::other)?;
                returned = true;
                continue;
            };
            let Some((header, data)) = self.switch.next(room) else {
                vring.get_queue_mut().go_to_previous_position();
                break;
            };
            buffer.write_all(&header.to_bytes())?;
            buffer.write_all(&data)?;
            let length = u32::try_from(HEADER + data.len()).map_err(io::Error::other)?;
            vring.add_used(head, length).map_err(io::Error::other)?;
            returned = true;
        }
        signal(vring, returned)
    }

    fn pop(&self, vring: &mut VringState) -> Option<Chain> {
        let memory = self.memory.memory();
        let queue = vring.get_queue_mut();
        queue.ready().then(|| queue.pop_descriptor_chain(memory))?
    }

    /// A packet, over however many descriptors.
    fn read(&self, chain: Chain) -> io::Result<(Header, Vec<u8>)> {
        let memory = self.memory.memory();
        let mut reader: Reader<'_> = chain.reader(&memory).map_err(io::Error::other)?;
        let mut bytes = [0; HEADER];
        reader.read_exact(&mut bytes)?;
        let header = Header::parse(&bytes);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length > MAX_DATA {
            return Err(io::Error::other("it is larger than 64 KiB"));
        }
        let mut data = vec![0; length];
        reader.read_exact(&mut data)?;
        Ok((header, data))
    }
}

fn signal(vring: &VringState, returned: bool) -> io::Result<bool> {
    if returned {
        vring.signal_used_queue()?;
    }
    Ok(returned)
}

impl VhostUserBackendMut for VsockDevice {
    type Bitmap = ();
    type Vring = VringMutex;

    fn num_queues(&self) -> usize {
        QUEUES
    }

    fn max_queue_size(&self) -> usize {
        QUEUE
    }

    fn features(&self) -> u64 {
        feature::VERSION_1 | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::CONFIG
    }

    fn set_event_idx(&mut self, _enabled: bool) {
        // Not among the features.
    }

    /// The guest's CID, which is all of the device's configuration.
    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let bytes = self.guest_cid.to_le_bytes().into_iter();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        bytes
            .chain(std::iter::repeat(0))
            .skip(offset)
            .take(size as usize)
            .collect()
    }

    fn update_memory(&mut self, memory: Memory) -> io::Result<()> {
        self.memory = memory;
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
        if let Err(error) = self.work(vrings) {
            tracing::error!("vsock: {error}");
        }
        Ok(())
    }
}
