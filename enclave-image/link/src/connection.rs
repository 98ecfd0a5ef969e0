//! A stream as a pair of message ends.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc};

use crate::{LinkError, frame};

/// Messages that wait to be taken; more of them hold up the other side.
const QUEUE: usize = 16;

type Writer = Arc<Mutex<Box<dyn AsyncWrite + Send + Unpin>>>;

/// Both ends of one stream.
pub struct Link<In, Out> {
    /// Sends.
    pub sender: Sender<Out>,
    /// Receives.
    pub receiver: Receiver<In>,
}

/// Sends messages; clones send over the same stream.
pub struct Sender<Out> {
    writer: Writer,
    message: PhantomData<fn(Out)>,
}

/// Receives messages, in order.
pub struct Receiver<In> {
    queue: mpsc::Receiver<Result<In, LinkError>>,
}

/// Takes over a stream. A task reads it until its end; runs inside of a tokio runtime.
pub fn connect<In, Out>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Link<In, Out>
where
    In: DeserializeOwned + Send + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    let (into, queue) = mpsc::channel(QUEUE);
    tokio::spawn(forward(reader, into));
    Link {
        sender: Sender {
            writer: Arc::new(Mutex::new(boxed(writer))),
            message: PhantomData,
        },
        receiver: Receiver { queue },
    }
}

fn boxed(
    writer: WriteHalf<impl AsyncWrite + Send + 'static>,
) -> Box<dyn AsyncWrite + Send + Unpin> {
    Box::new(writer)
}

/// Reads until the end, a fault, or until nobody listens.
async fn forward<In: DeserializeOwned>(
    mut reader: ReadHalf<impl AsyncRead>,
    into: mpsc::Sender<Result<In, LinkError>>,
) {
    loop {
        let message = match frame::read(&mut reader).await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let last = message.is_err();
        if into.send(message).await.is_err() || last {
            return;
        }
    }
}

impl<In> Receiver<In> {
    /// The next message; [`LinkError::Closed`] after the last. Cancellation loses nothing.
    pub async fn receive(&mut self) -> Result<In, LinkError> {
        self.queue.recv().await.unwrap_or(Err(LinkError::Closed))
    }
}

impl<Out> Clone for Sender<Out> {
    fn clone(&self) -> Self {
        Self {
            writer: Arc::clone(&self.writer),
            message: PhantomData,
        }
    }
}

impl<Out: Serialize + Send + Sync + 'static> Sender<Out> {
    /// Sends one message. A caller that stops waiting never leaves half a frame behind.
    pub async fn send(&self, message: Out) -> Result<(), LinkError> {
        let writer = Arc::clone(&self.writer);
        let sent = tokio::spawn(async move {
            let mut writer = writer.lock().await;
            frame::write(&mut *writer, &message).await
        });
        sent.await.unwrap_or(Err(LinkError::Closed))
    }

    /// Ends the sending direction; the other side sees the end of the stream.
    pub async fn close(&self) -> Result<(), LinkError> {
        Ok(self.writer.lock().await.shutdown().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, ToAgent, ToHost, Wanted};

    #[tokio::test]
    async fn messages_cross_both_ways_and_the_end_is_seen() {
        let (left, right) = tokio::io::duplex(64);
        let mut host = connect::<ToHost, ToAgent>(left);
        let mut agent = connect::<ToAgent, ToHost>(right);
        let need = ToHost::NeedCredentials(Wanted::default());
        agent.sender.send(need.clone()).await.unwrap();
        assert_eq!(host.receiver.receive().await.unwrap(), need);
        let credentials = Credentials {
            access_key_id: "AKIA".into(),
            secret_access_key: "s3cret".into(),
            session_token: Some("t0ken".into()),
            expires_at: Some(7),
        };
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"));
        let sent = host.sender.send(ToAgent::Credentials(credentials));
        sent.await.unwrap();
        match agent.receiver.receive().await.unwrap() {
            ToAgent::Credentials(got) => assert_eq!(got.secret_access_key, "s3cret"),
            other => panic!("{other:?}"),
        }
        agent.sender.close().await.unwrap();
        assert!(matches!(
            host.receiver.receive().await,
            Err(LinkError::Closed)
        ));
    }
}
