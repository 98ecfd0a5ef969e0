//! The agent as the enclave puts it together, but for vsock and `/dev/nsm`: seal, unseal, hand over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use attestation::Root;
use chamber_link::{Credentials, Link, SealRequest, Start, Task, ToAgent, ToHost};
use enclave::clock::Clock;
use enclave::kms::{self, Parent, Tls};
use kms_emulator::{Config, CredentialConfig, KeyConfig, Server, TlsConfig};
use measurement::{Measurement, Pcr};
use nsm_emulator::TestRoot;
use sealed_blob::{MasterKey, commitment};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use unseal_agent::Trust;

use crate::local::{Ca, head};
use crate::nsm::emulated;
use crate::workload::{folder, shell, user};

const ACCOUNT: &str = "111122223333";
const CLUSTER: &str = "demo-local-signer";
const HOST: &str = "kms.us-east-1.amazonaws.com";
const IMAGE: Pcr = Pcr::from_bytes([0xa1; 48]);
const DEBUG: Pcr = Pcr::from_bytes([0; 48]);
const PATIENCE: Duration = Duration::from_mins(1);

/// KMS over TLS, and the roots that make it AWS for these enclaves.
struct World {
    nsm: TestRoot,
    ca: Ca,
    address: SocketAddr,
    _server: Server,
}

fn key(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")
}

impl World {
    async fn start() -> Self {
        let (nsm, ca) = (TestRoot::generate().unwrap(), Ca::new());
        let (certificate_pem, key_pem) = ca.issue_pem(HOST);
        let template = key_policy::Template::in_account("aws", ACCOUNT, CLUSTER);
        let policy = template.render(&[Measurement::image(IMAGE)]).to_json();
        let key = |id: &str| KeyConfig {
            id: id.to_owned(),
            account: ACCOUNT.to_owned(),
            key_spec: kms_emulator::KeySpec::default(),
            policy: serde_json::from_str(&policy).unwrap(),
            tags: BTreeMap::new(),
            multi_region: false,
            grants: Vec::new(),
            other_policies: Vec::new(),
        };
        let config = Config {
            region: "us-east-1".to_owned(),
            accounts: Vec::new(),
            nitro_root_pem: nsm.certificate_pem(),
            attestation_max_age_seconds: 300,
            credentials: vec![CredentialConfig {
                access_key_id: "ASIACHAMBER".to_owned(),
                secret_access_key: "secret".to_owned(),
                session_token: Some("token".to_owned()),
                principal: format!(
                    "arn:aws:sts::{ACCOUNT}:assumed-role/ChamberEnclaveRole-{CLUSTER}/test"
                ),
            }],
            roles: Vec::new(),
            identity_policies: Vec::new(),
            keys: ["a", "b"].map(key).to_vec(),
            state_before_authorization: false,
            pending_deletion_code: kms_emulator::PendingDeletionCode::default(),
            tls: Some(TlsConfig {
                certificate_pem,
                key_pem,
            }),
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server::start(config, any, any).await.unwrap();
        let address = server.also_over_tls(any).await.unwrap();
        Self {
            nsm,
            ca,
            address,
            _server: server,
        }
    }

    /// An enclave of this image with its host: everything that it says until `last`.
    async fn run(
        &self,
        image: Pcr,
        task: Task,
        script: &str,
        last: impl Fn(&ToHost) -> bool,
    ) -> Vec<ToHost> {
        let (stream, enclave) = tokio::io::duplex(4096);
        let nsm = emulated(&self.nsm, image);
        let root = Root::from_pem(&self.nsm.certificate_pem()).unwrap();
        let clock = Clock::start(&nsm, &root).unwrap();
        let tls = Tls::new(self.ca.roots(), clock).unwrap();
        let relay = Relay(self.address);
        let trust = Trust {
            root,
            authorities: Vec::new(),
        };
        let mut workload = shell(script, user(54_311));
        let agent = tokio::spawn(async move {
            let to_kms = |region, credentials| kms::client(relay, tls, region, credentials);
            unseal_agent::run(enclave, nsm, to_kms, Ok(trust), &mut workload).await
        });
        let mut host: Link<ToHost, ToAgent> = chamber_link::connect(stream);
        let start = Start {
            region: "eu-central-1".into(),
            manifest: None,
            task,
        };
        host.sender.send(ToAgent::Start(start)).await.unwrap();
        let mut said = Vec::new();
        while !said.last().is_some_and(&last) {
            let next = tokio::time::timeout(PATIENCE, host.receiver.receive()).await;
            let message = next.unwrap().unwrap();
            if let ToHost::NeedCredentials(wanted) = &message {
                let clock = wanted.clock.unwrap();
                assert!(clock.abs_diff(now()) < 60, "{clock}");
                let answer = ToAgent::Credentials(credentials());
                host.sender.send(answer).await.unwrap();
            }
            said.push(message);
        }
        host.sender.send(ToAgent::Stop).await.unwrap();
        agent.await.unwrap().unwrap();
        said
    }
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "ASIACHAMBER".into(),
        secret_access_key: "secret".into(),
        session_token: Some("token".into()),
        expires_at: Some(now() + 3600),
    }
}

fn seal() -> Task {
    Task::Seal(SealRequest {
        cluster_id: CLUSTER.into(),
        generation: 1,
        threshold: 2,
        keys: ["a", "b"].map(key).to_vec(),
    })
}

fn unseal(blob: &str) -> Task {
    Task::Unseal {
        blob: blob.to_owned(),
        cluster_id: Some(CLUSTER.into()),
    }
}

/// The relay of a host, which leads to the emulator whatever it is asked for.
#[derive(Clone, Copy)]
struct Relay(SocketAddr);

impl Parent for Relay {
    type Stream = tokio::io::DuplexStream;

    async fn relay(&self) -> std::io::Result<Self::Stream> {
        let (near, mut far) = tokio::io::duplex(16 * 1024);
        let mut kms = TcpStream::connect(self.0).await?;
        tokio::spawn(async move {
            let asked = head(&mut far).await;
            assert_eq!(asked, format!("CONNECT {HOST}:443 HTTP/1.1"));
            far.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            copy_bidirectional(&mut far, &mut kms).await
        });
        Ok(near)
    }
}

fn master_key(file: &Path) -> MasterKey {
    let bytes = std::fs::read(file).unwrap();
    let filled = MasterKey::fill(|key| {
        key.copy_from_slice(&bytes);
        Ok::<_, std::convert::Infallible>(())
    });
    filled.unwrap()
}

#[tokio::test]
async fn an_enclave_seals_and_another_of_its_image_hands_the_key_to_the_workload() {
    let (world, folder) = (World::start().await, folder());
    let is_sealed =
        |said: &ToHost| matches!(said, ToHost::Sealed { .. } | ToHost::SealFailed { .. });
    let said = world.run(IMAGE, seal(), "cat <&3", is_sealed).await;
    let Some(ToHost::Sealed {
        blob,
        commitment: sealed,
    }) = said.last()
    else {
        panic!("{said:?}");
    };
    let script = format!("cd {}; cat <&3 > key", folder.path().display());
    let is_unsealed =
        |said: &ToHost| matches!(said, ToHost::Unsealed { .. } | ToHost::AttemptFailed { .. });
    let said = world.run(IMAGE, unseal(blob), &script, is_unsealed).await;
    assert!(
        matches!(said.last(), Some(ToHost::Unsealed { .. })),
        "{said:?}"
    );
    let wishes = said
        .iter()
        .filter(|said| matches!(said, ToHost::NeedCredentials(_)));
    assert_eq!(wishes.count(), 1);
    let handed = master_key(&folder.path().join("key"));
    assert_eq!(hex::encode(commitment(&handed, CLUSTER)), *sealed);
}

#[tokio::test]
async fn a_debug_enclave_neither_seals_nor_unseals() {
    let world = World::start().await;
    let ended = |said: &ToHost| !matches!(said, ToHost::Hello { .. });
    for (task, expected) in [
        (seal(), "start it without --debug-mode"),
        (unseal("AA=="), "debug mode"),
    ] {
        let said = world.run(DEBUG, task, "cat <&3", ended).await;
        let zeros = "0".repeat(96);
        assert_eq!(
            said[0],
            ToHost::Hello {
                image_sha384: zeros,
                attests: true
            }
        );
        let (ToHost::SealFailed { message } | ToHost::AttemptFailed { message, .. }) = &said[1]
        else {
            panic!("{said:?}");
        };
        assert!(
            message.contains("PCR0 is all zeros") && message.contains(expected),
            "{message}"
        );
    }
}
