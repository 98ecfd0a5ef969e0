//! What can go wrong on the stream.

/// Why no message came or went.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other side speaks another version.
    #[error(
        "the other side speaks version {found} of the host-agent protocol, this build speaks {known}: use host and enclave image of one release"
    )]
    Version {
        /// Version byte of the frame.
        found: u8,
        /// The only version that is spoken here.
        known: u8,
    },
    /// A frame is longer than [`crate::MAX_FRAME`].
    #[error("a frame of {0} bytes, the protocol allows {max}", max = crate::MAX_FRAME)]
    TooLong(usize),
    /// The frame's content is not a message.
    #[error("a frame that is no message: {0}")]
    Content(String),
    /// The stream failed, or ended inside a frame.
    #[error("stream between host and agent: {0}")]
    Io(#[from] std::io::Error),
    /// The other side has closed the stream.
    #[error("the other side has closed the stream")]
    Closed,
}
