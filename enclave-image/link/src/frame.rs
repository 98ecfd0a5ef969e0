//! Frames: version byte, length, JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use crate::{LinkError, MAX_FRAME, parse, ports};

/// The protocol's version, first byte of every frame.
pub const VERSION: u8 = 1;
/// Version and length.
const HEAD: usize = 5;

/// Writes one frame. Frames can hold credentials, so the buffer is wiped.
pub(crate) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> Result<(), LinkError> {
    let frame = encode(message)?;
    for chunk in frame.chunks(ports::CHUNK) {
        stream.write_all(chunk).await?;
    }
    stream.flush().await?;
    Ok(())
}

/// One frame, in a buffer that never grows: growing would leave credentials behind where nobody wipes them.
fn encode(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, LinkError> {
    let content = |error: serde_json::Error| LinkError::Content(error.to_string());
    let mut counted = Count(0);
    serde_json::to_writer(&mut counted, message).map_err(content)?;
    let length = match u32::try_from(counted.0) {
        Ok(length) if counted.0 <= MAX_FRAME => length.to_be_bytes(),
        _ => return Err(LinkError::TooLong(counted.0)),
    };
    let mut frame = Zeroizing::new(Vec::with_capacity(HEAD + counted.0));
    frame.push(VERSION);
    frame.extend_from_slice(&length);
    serde_json::to_writer(&mut *frame, message).map_err(content)?;
    Ok(frame)
}

/// Counts what is written.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads one frame; `None` when the stream ended between frames.
pub(crate) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, LinkError> {
    let mut version = [0];
    if stream.read(&mut version).await? == 0 {
        return Ok(None);
    }
    if version != [VERSION] {
        return Err(LinkError::Version {
            found: version[0],
            known: VERSION,
        });
    }
    let length = stream.read_u32().await?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(LinkError::TooLong(length));
    }
    let mut json = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut json).await?;
    parse::message(&json).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ToHost, Wanted};
    use proptest::prelude::*;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    const NEED: ToHost = ToHost::NeedCredentials(Wanted {
        refused: None,
        clock: None,
    });

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    fn read_bytes(mut bytes: &[u8]) -> Result<Option<ToHost>, LinkError> {
        run(read(&mut bytes))
    }

    #[test]
    fn a_frame_comes_back() {
        let mut bytes = Vec::new();
        run(write(&mut bytes, &NEED)).unwrap();
        assert_eq!(bytes[..5], [VERSION, 0, 0, 0, 26]);
        assert_eq!(read_bytes(&bytes).unwrap(), Some(NEED));
    }

    #[test]
    fn a_wish_for_credentials_says_more_where_there_is_more_to_say() {
        let json = |wanted| serde_json::to_string(&ToHost::NeedCredentials(wanted)).unwrap();
        let old = r#"{"type":"needCredentials"}"#;
        assert_eq!(json(Wanted::default()), old);
        let wanted = Wanted {
            refused: Some("ASIA".into()),
            clock: Some(7),
        };
        let new = r#"{"type":"needCredentials","refused":"ASIA","clock":7}"#;
        assert_eq!(json(wanted.clone()), new);
        for (text, expected) in [(old, Wanted::default()), (new, wanted)] {
            let read: ToHost = serde_json::from_str(text).unwrap();
            assert_eq!(read, ToHost::NeedCredentials(expected));
        }
    }

    /// Counts the writes that a frame is made of.
    struct Writes(Vec<usize>);

    impl AsyncWrite for Writes {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            self.0.push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_long_frame_is_written_in_chunks() {
        let long = ToHost::SealFailed {
            message: "x".repeat(40_000),
        };
        let mut writes = Writes(Vec::new());
        run(write(&mut writes, &long)).unwrap();
        assert_eq!(writes.0.len(), 3);
        assert!(writes.0.iter().all(|length| *length <= ports::CHUNK));
    }

    #[test]
    fn the_buffer_of_a_frame_is_as_long_as_the_frame() {
        let failed = ToHost::SealFailed {
            message: "x".repeat(5000),
        };
        let frame = encode(&failed).unwrap();
        assert_eq!(frame.len(), frame.capacity(), "it did not grow");
        assert!(frame.len() > 5000);
    }

    #[test]
    fn the_end_between_frames_is_no_error_but_inside_of_one_it_is() {
        assert!(matches!(read_bytes(&[]), Ok(None)));
        assert!(matches!(read_bytes(&[VERSION, 0]), Err(LinkError::Io(_))));
        let cut = [VERSION, 0, 0, 0, 9, b'{'];
        assert!(matches!(read_bytes(&cut), Err(LinkError::Io(_))));
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_allocated() {
        let bytes = [VERSION, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            read_bytes(&bytes),
            Err(LinkError::TooLong(0xffff_ffff))
        ));
    }

    #[test]
    fn a_message_that_is_too_long_is_not_sent() {
        let long = ToHost::SealFailed {
            message: "x".repeat(MAX_FRAME),
        };
        let mut bytes = Vec::new();
        let refused = run(write(&mut bytes, &long));
        assert!(matches!(refused, Err(LinkError::TooLong(_))));
        assert!(bytes.is_empty());
    }

    #[test]
    fn another_version_is_named() {
        assert!(matches!(
            read_bytes(&[2, 0, 0, 0, 0]),
            Err(LinkError::Version { found: 2, known: 1 })
        ));
    }

    #[test]
    fn a_bad_message_does_not_quote_its_content() {
        let json = br#"{"type":"secretish"}"#;
        let mut bytes = vec![VERSION, 0, 0, 0, u8::try_from(json.len()).unwrap()];
        bytes.extend_from_slice(json);
        let error = read_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("no message"), "{error}");
        assert!(!error.contains("secretish"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64), framed in any::<bool>()) {
            if framed {
                let length = u32::try_from(bytes.len()).unwrap();
                bytes = [&[VERSION], &length.to_be_bytes()[..], &bytes].concat();
            }
            let _ = read_bytes(&bytes);
        }
    }
}
