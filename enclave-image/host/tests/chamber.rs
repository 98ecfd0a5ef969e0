//! A whole chamber over an enclave that a task plays: its end in order.
#![allow(clippy::unwrap_used, clippy::panic)] // Tests may.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use chamber_host::{Chamber, Enclave, Host, Hypervisor, Outcome, Resolver, Vsock, VsockListener};
use chamber_link::{Link, Start, Task, ToAgent, ToHost, ports};
use measurement::eif::{self, Description, Image};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

/// One enclave: what connects to its agent, and whether it has ended.
#[derive(Clone)]
struct Wire {
    agent: Arc<Mutex<Option<DuplexStream>>>,
}

struct Silent;

impl VsockListener for Silent {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, u32)> {
        std::future::pending().await
    }
}

impl Vsock for Wire {
    type Stream = DuplexStream;
    type Listener = Silent;

    fn cid(&self) -> u32 {
        16
    }

    async fn connect(&self, port: u32) -> io::Result<DuplexStream> {
        let stream = self.agent.lock().unwrap().take();
        let wanted = stream.filter(|_| port == ports::AGENT);
        wanted.ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    fn listen(&self, _port: u32) -> io::Result<Silent> {
        Ok(Silent)
    }
}

struct Played {
    image: Description,
    wire: Wire,
    ended: watch::Receiver<bool>,
}

struct Booted(watch::Receiver<bool>);

impl Enclave for Booted {
    async fn ended(&mut self) -> String {
        let _gone = self.0.wait_for(|ended| *ended).await;
        "in order".to_owned()
    }

    async fn kill(&mut self) {
        panic!("it was killed");
    }
}

impl Hypervisor for Played {
    type Enclave = Booted;
    type Vsock = Wire;

    fn image(&self) -> &Description {
        &self.image
    }

    async fn boot(&mut self) -> io::Result<(Booted, Wire)> {
        Ok((Booted(self.ended.clone()), self.wire.clone()))
    }
}

struct Nowhere;

impl Resolver for Nowhere {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }
}

fn image() -> Description {
    let image = Image {
        kernel: b"kernel",
        cmdline: "console=ttyS0",
        ramdisks: &[vec![1], vec![2]],
        metadata: "{}",
    };
    let mut bytes = Vec::new();
    eif::write(&image, None, &mut bytes).unwrap();
    eif::read(bytes.as_slice()).unwrap()
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The port closes as soon as it is told to stop; the workload has its time all the same.
#[tokio::test]
async fn a_chamber_that_is_told_to_stop_lets_its_workload_end_in_order() {
    let (theirs, ours) = tokio::io::duplex(64 * 1024);
    let (end, ended) = watch::channel(false);
    let image = image();
    let pcr0 = image.pcr0.to_string();
    let agent = Arc::new(Mutex::new(Some(ours)));
    let hypervisor = Played {
        image,
        wire: Wire { agent },
        ended,
    };
    let host = Host {
        start: Start {
            region: "us-east-1".to_owned(),
            manifest: None,
            task: Task::Unseal {
                blob: "AAAA".to_owned(),
                cluster_id: None,
            },
        },
        credentials: SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")),
        listener: listen().await,
    };
    let chamber = Chamber {
        host,
        workload: listen().await,
        resolver: Nowhere,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let work = tokio::spawn(async move {
        let shutdown = async move {
            let _dropped = stopped.await;
        };
        chamber.run(hypervisor, shutdown).await
    });
    let Link {
        sender,
        mut receiver,
    } = chamber_link::connect::<ToAgent, ToHost>(theirs);
    let image_sha384 = pcr0;
    sender.send(ToHost::Hello { image_sha384 }).await.unwrap();
    assert!(matches!(receiver.receive().await, Ok(ToAgent::Start(_))));
    drop(stop);
    assert!(matches!(receiver.receive().await, Ok(ToAgent::Stop)));
    end.send_replace(true);
    assert_eq!(work.await.unwrap().unwrap(), Outcome::Stopped);
}
