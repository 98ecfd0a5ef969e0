//! Features that both devices offer.

/// `VIRTIO_F_VERSION_1`: the only form of virtio that the drivers here speak.
pub const VERSION_1: u64 = 1 << 32;
