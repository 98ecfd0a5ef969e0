//! Flow control: who may send how much (virtio 1.2, section 5.10.6.3). All counters are modulo 2^32.

/// Room for what the guest sends on one connection, in bytes; Linux has as much.
pub const BUFFER: u32 = 256 * 1024;
/// The guest is told of new room when there is so much of it.
const WORTH_TELLING: u32 = BUFFER / 4;

/// Both directions of one connection.
#[derive(Default)]
pub struct Credit {
    /// Bytes that we have sent to the guest.
    sent: u32,
    /// What the guest said last of its buffer.
    guest_buffer: u32,
    guest_forwarded: u32,
    /// Bytes of the guest's that were taken in.
    received: u32,
    /// Bytes of the guest's that left our buffer.
    forwarded: u32,
    /// What the guest was told of them.
    told: u32,
}

impl Credit {
    /// Takes in what a packet says of the guest's buffer.
    pub fn hear(&mut self, buffer: u32, forwarded: u32) {
        self.guest_buffer = buffer;
        self.guest_forwarded = forwarded;
    }

    /// Bytes that the guest has room for.
    pub fn room(&self) -> u32 {
        let under_way = self.sent.wrapping_sub(self.guest_forwarded);
        self.guest_buffer.saturating_sub(under_way)
    }

    /// Notes bytes sent to the guest.
    pub fn send(&mut self, bytes: u32) {
        self.sent = self.sent.wrapping_add(bytes);
    }

    /// Notes bytes that the guest sent; whether it had the right to.
    #[must_use]
    pub fn receive(&mut self, bytes: u32) -> bool {
        let held = self.received.wrapping_sub(self.forwarded);
        self.received = self.received.wrapping_add(bytes);
        held.saturating_add(bytes) <= BUFFER
    }

    /// Notes bytes that went on to the host.
    pub fn forward(&mut self, bytes: u32) {
        self.forwarded = self.forwarded.wrapping_add(bytes);
    }

    /// Whether there is news that a sender may wait for.
    pub fn worth_telling(&self) -> bool {
        self.forwarded.wrapping_sub(self.told) >= WORTH_TELLING
    }

    /// The count for a packet to the guest, which thereby knows it.
    pub fn tell(&mut self) -> u32 {
        self.told = self.forwarded;
        self.forwarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_is_sent_than_the_guest_has_room_for() {
        let mut credit = Credit::default();
        assert_eq!(credit.room(), 0, "before the guest said anything");
        credit.hear(100, 0);
        credit.send(60);
        assert_eq!(credit.room(), 40);
        credit.hear(100, 50);
        assert_eq!(credit.room(), 90);
        credit.hear(5, 50);
        assert_eq!(credit.room(), 0, "a buffer that shrank");
    }

    #[test]
    fn counters_go_round() {
        let mut credit = Credit::default();
        for _ in 0..3 {
            credit.send(u32::MAX / 2);
            let sent = credit.sent;
            credit.hear(100, sent.wrapping_sub(10));
            assert_eq!(credit.room(), 90);
            assert!(credit.receive(BUFFER));
            credit.forward(BUFFER);
        }
        credit.received = u32::MAX - 1;
        credit.forwarded = u32::MAX - 1;
        assert!(credit.receive(BUFFER) && !credit.receive(1));
    }

    #[test]
    fn room_is_told_by_quarters() {
        let mut credit = Credit::default();
        assert!(credit.receive(BUFFER));
        credit.forward(WORTH_TELLING - 1);
        assert!(!credit.worth_telling());
        credit.forward(1);
        assert!(credit.worth_telling());
        assert_eq!(credit.tell(), WORTH_TELLING);
        assert!(!credit.worth_telling());
    }
}
