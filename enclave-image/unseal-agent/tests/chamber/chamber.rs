//! A running agent with the test as its host.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Credentials, Link, ShareResult, Start, Task, ToAgent, ToHost};
use manifest_makers::Module;
use measurement::Pcr;
use sealed_blob::{MasterKey, commitment};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use unseal_agent::{AgentError, LinkCredentials, Nsm, SdkKms, Trust, Workload, run};

use crate::world::{CHAMBER, CLUSTER, World, settings};

/// Far above what anything here takes; a hang fails instead of hanging.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A workload that notes what happens to it.
#[derive(Clone, Default)]
pub struct Noted {
    pub commitments: Arc<Mutex<Vec<[u8; 32]>>>,
    pub stopped: Arc<Mutex<bool>>,
    pub crash: Arc<Notify>,
}

impl Workload for Noted {
    async fn start(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn hand_over(&mut self, key: &MasterKey) -> io::Result<()> {
        let commitment = commitment(key, CLUSTER);
        self.commitments.lock().unwrap().push(commitment);
        Ok(())
    }

    async fn ended(&mut self) -> String {
        self.crash.notified().await;
        "crashed on purpose".into()
    }

    async fn stop(&mut self) {
        *self.stopped.lock().unwrap() = true;
    }
}

/// A running agent, and the host's end of its stream.
pub struct Chamber {
    pub link: Link<ToHost, ToAgent>,
    pub workload: Noted,
    pub agent: JoinHandle<Result<(), AgentError>>,
    pub credentials: bool,
    pub asked: u32,
    /// Access key ids that the agent called expired when it asked for others.
    pub refused: Vec<String>,
}

impl Chamber {
    pub async fn start(world: &World, image: Pcr, task: Task) -> Self {
        let trust = Trust {
            root: world.root(),
            authorities: Vec::new(),
        };
        Self::under(world, world.nsm(image), trust, None, task).await
    }

    /// An enclave that believes this, and what its host gives it.
    pub async fn under(
        world: &World,
        nsm: Module,
        trust: Trust,
        manifest: Option<String>,
        task: Task,
    ) -> Self {
        let (host, enclave) = tokio::io::duplex(4096);
        let workload = Noted::default();
        let (endpoint, mut own) = (world.endpoint(), workload.clone());
        let image_sha384 = nsm.pcr(0).unwrap().to_string();
        let agent = tokio::spawn(async move {
            let kms = |_, credentials: LinkCredentials| {
                let told = credentials.clone();
                SdkKms::new(settings(&endpoint, credentials), move || told.refused())
            };
            run(enclave, nsm, kms, Ok(trust), &mut own).await
        });
        let mut chamber = Self {
            link: chamber_link::connect(host),
            workload,
            agent,
            credentials: true,
            asked: 0,
            refused: Vec::new(),
        };
        assert_eq!(
            chamber.next().await,
            ToHost::Hello {
                image_sha384,
                attests: true
            }
        );
        let start = Start {
            region: "us-east-1".into(),
            manifest,
            task,
        };
        chamber.say(ToAgent::Start(start)).await;
        chamber
    }

    /// Master keys that were handed over, by their commitments.
    pub fn commitments(&self) -> Vec<[u8; 32]> {
        self.workload.commitments.lock().unwrap().clone()
    }

    pub async fn unsealing(world: &World, image: Pcr, blob: &[u8]) -> Self {
        let task = Task::Unseal {
            blob: BASE64.encode(blob),
            cluster_id: Some(CLUSTER.into()),
        };
        Self::start(world, image, task).await
    }

    pub async fn say(&self, message: ToAgent) {
        self.link.sender.send(message).await.unwrap();
    }

    /// The next message; questions for credentials are answered on the way.
    pub async fn next(&mut self) -> ToHost {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.link.receiver.receive()).await;
            let message = received.unwrap().unwrap();
            let ToHost::NeedCredentials(wanted) = message else {
                return message;
            };
            self.asked += 1;
            self.refused.extend(wanted.refused);
            self.say(if self.credentials {
                ToAgent::Credentials(Credentials {
                    access_key_id: CHAMBER.into(),
                    secret_access_key: "secret".into(),
                    session_token: Some("token".into()),
                    expires_at: None,
                })
            } else {
                ToAgent::NoCredentials("nobody is home".into())
            })
            .await;
        }
    }

    /// Messages up to and with the first that `last` takes.
    pub async fn until(&mut self, last: impl Fn(&ToHost) -> bool) -> Vec<ToHost> {
        let mut seen = Vec::new();
        loop {
            let message = self.next().await;
            let end = last(&message);
            seen.push(message);
            if end {
                return seen;
            }
        }
    }

    /// The failure of the next attempt, and how many shares were denied in it.
    pub async fn failure(&mut self) -> (String, usize) {
        let seen = self
            .until(|m| matches!(m, ToHost::AttemptFailed { .. }))
            .await;
        let denied = seen.iter().filter(|message| {
            matches!(
                message,
                ToHost::Share {
                    result: ShareResult::Denied,
                    ..
                }
            )
        });
        match seen.last() {
            Some(ToHost::AttemptFailed { message, .. }) => (message.clone(), denied.count()),
            _ => panic!("no failure"),
        }
    }

    /// The document that answers this nonce, or why there is none.
    pub async fn prove(&mut self, nonce: &str) -> Result<Vec<u8>, String> {
        let nonce = nonce.to_owned();
        self.say(ToAgent::Attest { nonce }).await;
        let seen = self
            .until(|m| matches!(m, ToHost::Attestation { .. } | ToHost::NoAttestation { .. }))
            .await;
        match seen.last() {
            Some(ToHost::Attestation { document, .. }) => Ok(BASE64.decode(document).unwrap()),
            Some(ToHost::NoAttestation { message, .. }) => Err(message.clone()),
            _ => panic!("no answer"),
        }
    }

    /// How a seal ended.
    pub async fn sealed(&mut self) -> Result<Vec<u8>, String> {
        let seen = self
            .until(|m| matches!(m, ToHost::Sealed { .. } | ToHost::SealFailed { .. }))
            .await;
        match seen.last() {
            Some(ToHost::Sealed { blob, .. }) => Ok(BASE64.decode(blob).unwrap()),
            Some(ToHost::SealFailed { message }) => Err(message.clone()),
            _ => panic!("no answer"),
        }
    }

    pub async fn unsealed(&mut self) {
        self.until(|m| matches!(m, ToHost::Unsealed { .. })).await;
    }
}
