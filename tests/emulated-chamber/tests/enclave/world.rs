//! One image, three keys that admit it, and KMS over TLS under the root that the image measures.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_host::{Chamber, Host, Outcome, Resolver};
use chamber_link::{SealRequest, Start, Task};
use emulated_chamber::hypervisor::Emulator;
use enclave_sim::Launch;
use key_policy::Template;
use kms_emulator::{Config, CredentialConfig, KeyConfig, Server, TlsConfig};
use measurement::{Measurement, Pcr, eif};
use nsm_emulator::{NsmEmulator, Signer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const CLUSTER: &str = "demo-local-signer";
const ACCOUNT: &str = "111122223333";
const CHAMBER: &str = "ASIACHAMBER";
/// A machine is booted, perhaps beside a build.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// How often is asked for what nothing tells of.
const TICK: Duration = Duration::from_millis(50);

/// Where `make enclave` put everything.
fn place(variable: &str) -> PathBuf {
    let found = std::env::var_os(variable);
    found
        .unwrap_or_else(|| panic!("{variable} is not set: run `make enclave`"))
        .into()
}

pub struct World {
    images: PathBuf,
    eif: PathBuf,
    kms: Option<Server>,
    endpoint: String,
    pub tls: SocketAddr,
    run: TempDir,
}

impl World {
    /// Keys that admit the image from the start.
    pub async fn start() -> Self {
        Self::of("enclave-v1.eif", trusted()).await
    }

    /// The same for an image with a small workload.
    pub async fn small() -> Self {
        Self::of("enclave-small.eif", trusted()).await
    }

    /// With a KMS under this certificate.
    pub async fn under(tls: TlsConfig) -> Self {
        Self::of("enclave-v1.eif", tls).await
    }

    async fn of(eif: &str, tls: TlsConfig) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let images = place("ENCLAVE_IMAGES");
        let eif = images.join(eif);
        let config = config(&images, &eif, tls);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut kms = Server::start(config, any, any).await.unwrap();
        let tls = kms.also_over_tls(any).await.unwrap();
        Self {
            images,
            eif,
            endpoint: format!("http://{}", kms.kms_address()),
            kms: Some(kms),
            tls,
            // Paths of sockets are short.
            run: TempDir::new_in("/tmp").unwrap(),
        }
    }

    pub fn launch(&self) -> Launch {
        Launch::new(
            &self.eif,
            &place("ENCLAVE_QEMU"),
            &place("ENCLAVE_DEVICES"),
            &self.images.join("nsm-signer.json"),
        )
    }

    pub fn image(&self) -> Pcr {
        image(&self.eif)
    }

    /// The size of the image file, in bytes.
    pub fn size(&self) -> u64 {
        std::fs::metadata(&self.eif).unwrap().len()
    }

    pub fn run(&self) -> &Path {
        self.run.path()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on nobody unseals.
    pub fn kms_is_gone(&mut self) {
        drop(self.kms.take());
    }

    pub fn credentials() -> Credentials {
        Credentials::new(CHAMBER, "secret", Some("token".into()), None, "test")
    }

    /// The security module of an enclave of this image, without the enclave.
    pub fn module(&self) -> NsmEmulator {
        let signer = Signer::from_json(&read(&self.images.join("nsm-signer.json")));
        let registers = BTreeMap::from([(0, *self.image().as_bytes())]);
        NsmEmulator::new(signer.unwrap(), registers)
    }

    /// Starts a chamber with this task.
    pub async fn chamber(&self, task: Task, launch: Launch) -> Running {
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (pages, workload) = (listen().await, listen().await);
        let (metrics, service) = (pages.local_addr().unwrap(), workload.local_addr().unwrap());
        let host = Host {
            start: start(task),
            credentials: SharedCredentialsProvider::new(Self::credentials()),
            listener: pages,
        };
        let chamber = Chamber {
            host,
            workload,
            resolver: To(self.tls),
        };
        let emulator = Emulator::new(launch, self.run.path().to_owned()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _dropped = stopped.await;
        };
        let work = tokio::spawn(async move { chamber.run(emulator, shutdown).await });
        Running {
            pages: format!("http://{metrics}"),
            service: format!("http://{service}"),
            stop,
            work,
            http: reqwest::Client::new(),
        }
    }

    /// A blob that an enclave of this image sealed.
    pub async fn sealed(&self) -> String {
        let running = self.chamber(sealing(), self.launch()).await;
        let blob = running.offer().await;
        running.end().await;
        blob
    }

    pub fn opened(&self, blob: &str) -> Arc<sealed_blob::InnerBlob> {
        let blob = BASE64.decode(blob).unwrap();
        let registers = self.registers();
        Arc::new(sealed_blob::open(&blob, |at| registers.get(&at).copied()).unwrap())
    }

    fn registers(&self) -> BTreeMap<u8, Pcr> {
        let file = std::fs::File::open(&self.eif).unwrap();
        let found = eif::read(file).unwrap();
        BTreeMap::from([(0, found.pcr0), (1, found.pcr1), (2, found.pcr2)])
    }
}

pub fn unseal(blob: &str) -> Task {
    Task::Unseal {
        blob: blob.to_owned(),
        cluster_id: Some(CLUSTER.to_owned()),
    }
}

pub fn sealing() -> Task {
    Task::Seal(request())
}

pub fn start(task: Task) -> Start {
    Start {
        region: "us-east-1".to_owned(),
        manifest: None,
        task,
    }
}

fn request() -> SealRequest {
    SealRequest {
        cluster_id: CLUSTER.to_owned(),
        generation: 1,
        threshold: 2,
        keys: ["a", "b", "c"].map(arn).to_vec(),
    }
}

pub fn arn(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")
}

/// Every endpoint leads there.
struct To(SocketAddr);

impl Resolver for To {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

/// A chamber at work.
pub struct Running {
    pages: String,
    pub service: String,
    stop: oneshot::Sender<()>,
    work: JoinHandle<io::Result<Outcome>>,
    pub http: reqwest::Client,
}

impl Running {
    /// A page as soon as it is good.
    pub async fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.pages);
        until(path, async || {
            let answer = self.http.get(&url).send().await.ok()?;
            answer.error_for_status().ok()?.text().await.ok()
        })
        .await
    }

    /// The blob that was sealed.
    pub async fn offer(&self) -> String {
        let offered = self.get("/sealed-blob").await;
        let offered: Value = serde_json::from_str(&offered).unwrap();
        offered["sealedBlob"].as_str().unwrap().to_owned()
    }

    /// The metrics as soon as they have this line.
    pub async fn metric(&self, line: &str) -> String {
        until(line, async || {
            let page = self.get("/metrics").await;
            page.lines().any(|found| found == line).then_some(page)
        })
        .await
    }

    pub async fn post(&self, url: &str, body: String) -> Value {
        let answer = self.http.post(url).body(body);
        let answer = answer.header("content-type", "application/json").send();
        answer
            .await
            .unwrap()
            .error_for_status()
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub fn pages(&self, path: &str) -> String {
        format!("{}{path}", self.pages)
    }

    /// Ends it in order.
    pub async fn end(self) -> Outcome {
        drop(self.stop);
        self.work.await.unwrap().unwrap()
    }
}

/// Asks until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(TICK).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, asked).await;
    found.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn image(file: &Path) -> Pcr {
    let file = std::fs::File::open(file).unwrap();
    eif::read(file).unwrap().pcr0
}

/// A certificate under the root that the images measure.
fn trusted() -> TlsConfig {
    let tls = read(&place("ENCLAVE_IMAGES").join("kms-tls.json"));
    serde_json::from_str(&tls).unwrap()
}

fn config(images: &Path, eif: &Path, tls: TlsConfig) -> Config {
    let template = Template::in_account("aws", ACCOUNT, CLUSTER);
    let policy = template.render(&[Measurement::image(image(eif))]);
    let key = |id: &str| KeyConfig {
        id: id.to_owned(),
        account: ACCOUNT.to_owned(),
        key_spec: kms_emulator::KeySpec::default(),
        policy: serde_json::from_str(&policy.to_json()).unwrap(),
        tags: BTreeMap::new(),
        multi_region: false,
        grants: Vec::new(),
        other_policies: Vec::new(),
    };
    Config {
        region: "us-east-1".to_owned(),
        accounts: Vec::new(),
        nitro_root_pem: read(&images.join("nsm-root.pem")),
        attestation_max_age_seconds: 300,
        credentials: vec![CredentialConfig {
            access_key_id: CHAMBER.to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: Some("token".to_owned()),
            principal: format!(
                "arn:aws:sts::{ACCOUNT}:assumed-role/ChamberEnclaveRole-{CLUSTER}/test"
            ),
        }],
        roles: Vec::new(),
        identity_policies: Vec::new(),
        keys: ["a", "b", "c"].map(key).to_vec(),
        state_before_authorization: false,
        pending_deletion_code: kms_emulator::PendingDeletionCode::default(),
        tls: Some(tls),
    }
}
