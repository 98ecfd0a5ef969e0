//! Requests and the buffers for their responses, which the driver queues apart.

use std::collections::VecDeque;

/// Chains that wait for the other half of their pair.
///
/// The driver of Linux 6.8 and later makes two chains of one exchange: the request, which the device reads, then the
/// response's buffer, which it writes. They have to be returned in the same order.
pub struct Pairing<R, W> {
    requests: VecDeque<R>,
    buffers: VecDeque<W>,
}

impl<R, W> Default for Pairing<R, W> {
    fn default() -> Self {
        Self {
            requests: VecDeque::new(),
            buffers: VecDeque::new(),
        }
    }
}

impl<R, W> Pairing<R, W> {
    /// Takes in a request.
    pub fn request(&mut self, request: R) {
        self.requests.push_back(request);
    }

    /// Takes in a buffer.
    pub fn buffer(&mut self, buffer: W) {
        self.buffers.push_back(buffer);
    }

    /// The oldest request with the oldest buffer, when there are both.
    pub fn next(&mut self) -> Option<(R, W)> {
        let request = self.requests.pop_front()?;
        let Some(buffer) = self.buffers.pop_front() else {
            self.requests.push_front(request);
            return None;
        };
        Some((request, buffer))
    }

    /// Forgets all, as after a reset of the device.
    pub fn clear(&mut self) {
        self.requests.clear();
        self.buffers.clear();
    }
}
