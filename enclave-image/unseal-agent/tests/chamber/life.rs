//! The whole agent, with this test as its host.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Credentials, Link, LinkError, ShareResult, Start, Task, ToAgent, ToHost};
use measurement::{Measurement, Pcr};
use sealed_blob::{MasterKey, commitment};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use unseal_agent::{AgentError, SdkKms, Workload, run};

use crate::world::{ADMITTED, CHAMBER, CLUSTER, FOREIGN, World, client, request};

/// Far above what anything here takes; a hang fails instead of hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// A workload that notes what happens to it.
#[derive(Clone, Default)]
struct Noted {
    commitments: Arc<Mutex<Vec<[u8; 32]>>>,
    stopped: Arc<Mutex<bool>>,
    crash: Arc<Notify>,
}

impl Workload for Noted {
    async fn start(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn hand_over(&mut self, key: &MasterKey) -> io::Result<()> {
        let commitment = commitment(key, CLUSTER, 1);
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
struct Chamber {
    link: Link<ToHost, ToAgent>,
    workload: Noted,
    agent: JoinHandle<Result<(), AgentError>>,
    credentials: bool,
    asked: u32,
}

impl Chamber {
    async fn start(world: &World, image: Pcr, task: Task) -> Self {
        let (host, enclave) = tokio::io::duplex(4096);
        let workload = Noted::default();
        let (nsm, endpoint, mut own) = (world.nsm(image), world.endpoint(), workload.clone());
        let agent = tokio::spawn(async move {
            let kms = |_, credentials| SdkKms::new(client(&endpoint, credentials));
            run(enclave, nsm, kms, &mut own).await
        });
        let mut chamber = Self {
            link: chamber_link::connect(host),
            workload,
            agent,
            credentials: true,
            asked: 0,
        };
        let image_sha384 = image.to_string();
        assert_eq!(chamber.next().await, ToHost::Hello { image_sha384 });
        let region = "us-east-1".into();
        chamber.say(ToAgent::Start(Start { region, task })).await;
        chamber
    }

    async fn unsealing(world: &World, image: Pcr, blob: &[u8]) -> Self {
        let task = Task::Unseal {
            blob: BASE64.encode(blob),
            cluster_id: Some(CLUSTER.into()),
        };
        Self::start(world, image, task).await
    }

    async fn say(&self, message: ToAgent) {
        self.link.sender.send(message).await.unwrap();
    }

    /// The next message; questions for credentials are answered on the way.
    async fn next(&mut self) -> ToHost {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.link.receiver.receive()).await;
            let message = received.unwrap().unwrap();
            if message != ToHost::NeedCredentials {
                return message;
            }
            self.asked += 1;
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
    async fn until(&mut self, last: impl Fn(&ToHost) -> bool) -> Vec<ToHost> {
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
    async fn failure(&mut self) -> (String, usize) {
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

    async fn unsealed(&mut self) {
        self.until(|m| matches!(m, ToHost::Unsealed { .. })).await;
    }
}

#[tokio::test]
async fn a_refused_chamber_stays_sealed_and_unseals_by_itself_once_the_policy_admits_it() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let blob = sealed_blob::bind(&inner, &Measurement::image(FOREIGN)).unwrap();
    let mut chamber = Chamber::unsealing(&world, FOREIGN, &blob).await;
    for _ in 0..2 {
        let (why, denied) = chamber.failure().await;
        assert_eq!(denied, 3);
        assert!(why.contains("AccessDeniedException"), "{why}");
    }
    assert!(chamber.workload.commitments.lock().unwrap().is_empty());
    world.admit(&[ADMITTED, FOREIGN]).await;
    chamber.unsealed().await;
    assert_eq!(
        *chamber.workload.commitments.lock().unwrap(),
        [inner.commitment]
    );
}

#[tokio::test]
async fn a_blob_of_another_release_says_so_and_asks_nobody() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, FOREIGN, &blob).await;
    let (why, _) = chamber.failure().await;
    assert!(why.contains(&Measurement::image(ADMITTED).id()), "{why}");
    assert!(why.contains(&Measurement::image(FOREIGN).id()), "{why}");
    assert_eq!(chamber.asked, 0, "no credentials were needed");
}

#[tokio::test]
async fn a_blob_of_another_cluster_or_no_blob_is_refused() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    for (blob, cluster, expected) in [
        (
            BASE64.encode(&blob),
            "other",
            "is of cluster demo-local-signer",
        ),
        ("%%%".into(), CLUSTER, "not base64"),
        (BASE64.encode("nothing"), CLUSTER, "magic"),
    ] {
        let task = Task::Unseal {
            blob,
            cluster_id: Some(cluster.into()),
        };
        let mut chamber = Chamber::start(&world, ADMITTED, task).await;
        let (why, _) = chamber.failure().await;
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test]
async fn without_credentials_it_stays_sealed_and_asks_again() {
    let world = World::start().await;
    let (blob, inner) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    chamber.credentials = false;
    let (_, denied) = chamber.failure().await;
    assert_eq!(denied, 0, "nothing of it is an attestation's fault");
    chamber.credentials = true;
    chamber.unsealed().await;
    assert_eq!(
        *chamber.workload.commitments.lock().unwrap(),
        [inner.commitment]
    );
}

#[tokio::test]
async fn a_share_that_was_throttled_is_asked_for_until_it_opens_although_the_others_are_enough() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    world.knobs(r#"{"throttle":{"Decrypt":1}}"#).await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    let (mut throttled, mut opened) = (Vec::new(), Vec::new());
    while throttled.is_empty() || opened.len() < 3 {
        if let ToHost::Share { key, result, .. } = chamber.next().await {
            match result {
                ShareResult::Opened => opened.push(key),
                ShareResult::Throttled => throttled.push(key),
                other => panic!("{key}: {other:?}"),
            }
        }
    }
    assert_eq!((throttled.len(), opened.len()), (1, 3));
    assert_eq!(opened.last(), throttled.last());
    assert_eq!(chamber.workload.commitments.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_crashed_workload_gets_the_key_again() {
    let world = World::start().await;
    let (blob, inner) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    chamber.unsealed().await;
    chamber.workload.crash.notify_one();
    let ended = |m: &ToHost| matches!(m, ToHost::WorkloadEnded { .. });
    chamber.until(ended).await;
    chamber.unsealed().await;
    assert_eq!(
        *chamber.workload.commitments.lock().unwrap(),
        [inner.commitment; 2]
    );
}

#[tokio::test]
async fn stop_ends_the_workload_and_then_the_agent() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    chamber.unsealed().await;
    chamber.say(ToAgent::Stop).await;
    assert!(chamber.agent.await.unwrap().is_ok());
    assert!(*chamber.workload.stopped.lock().unwrap());
}

#[tokio::test]
async fn a_lost_host_ends_the_workload_even_while_sealed() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let blob = sealed_blob::bind(&inner, &Measurement::image(FOREIGN)).unwrap();
    let mut chamber = Chamber::unsealing(&world, FOREIGN, &blob).await;
    chamber.failure().await;
    let Chamber {
        link,
        agent,
        workload,
        ..
    } = chamber;
    link.sender.close().await.unwrap();
    drop(link);
    let _ended = tokio::time::timeout(PATIENCE, agent).await.unwrap();
    assert!(*workload.stopped.lock().unwrap());
}

#[tokio::test]
async fn a_seal_request_is_answered_once_with_a_blob_that_unseals() {
    let world = World::start().await;
    let mut chamber = Chamber::start(&world, ADMITTED, Task::Seal(request())).await;
    let seen = chamber.until(|m| matches!(m, ToHost::Sealed { .. })).await;
    let Some(ToHost::Sealed { blob, commitment }) = seen.last() else {
        panic!("not sealed");
    };
    let blob = BASE64.decode(blob).unwrap();
    let mut other = Chamber::unsealing(&world, ADMITTED, &blob).await;
    other.unsealed().await;
    let got = other.workload.commitments.lock().unwrap()[0];
    assert_eq!(hex::encode(got), *commitment);
}

#[tokio::test]
async fn a_host_that_does_not_begin_with_start_is_of_another_release() {
    let world = World::start().await;
    let (host, enclave) = tokio::io::duplex(4096);
    let link: Link<ToHost, ToAgent> = chamber_link::connect(host);
    link.sender.send(ToAgent::Stop).await.unwrap();
    let kms = |_, _| world.kms();
    let ended = run(enclave, world.nsm(ADMITTED), kms, &mut Noted::default()).await;
    assert!(matches!(ended, Err(AgentError::NoStart)));
}

#[tokio::test]
async fn a_host_that_says_nothing_sensible_is_an_error() {
    let world = World::start().await;
    let (mut host, enclave) = tokio::io::duplex(4096);
    tokio::io::AsyncWriteExt::write_all(&mut host, b"GET / HTTP/1.1\r\n")
        .await
        .unwrap();
    let kms = |_, _| world.kms();
    let ended = run(enclave, world.nsm(ADMITTED), kms, &mut Noted::default()).await;
    let expected = |error: &AgentError| {
        matches!(
            error,
            AgentError::Link(LinkError::Version { found: b'G', .. })
        )
    };
    assert!(ended.as_ref().is_err_and(expected), "{ended:?}");
}
