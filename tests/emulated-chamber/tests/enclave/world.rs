//! One image, three keys that admit it, and KMS over TLS under the root that the image measures.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use attestation::{At, Root, Verified};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_host::{Chamber, Host, Outcome, Resolver};
use chamber_link::{Start, Task};
use emulated_chamber::hypervisor::Emulator;
use enclave_sim::Launch;
use key_policy::Template;
use kms_emulator::{Config, CredentialConfig, KeyConfig, Server, TlsConfig};
pub use manifest_makers::CLUSTER;
use manifest_makers::{ACCOUNT, Module, request};
use measurement::{Measurement, Pcr, eif};
use nsm_emulator::{NsmEmulator, Signer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use unseal_agent::{Authorization, SdkKms, Tools, config};

use crate::bent::Bender;

const CHAMBER: &str = "ASIACHAMBER";
const ADMIN: &str = "ASIAADMIN";
/// A machine is booted, perhaps beside a build.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// What an enclave gets at least.
pub const MEMORY_MIB: u32 = 64;
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

    /// The same for one that is signed, too, and measures an authority.
    pub async fn measuring_an_authority() -> Self {
        Self::of("enclave-trust.eif", trusted()).await
    }

    /// The same for one whose workload tries what it must not be able to do.
    pub async fn prying() -> Self {
        Self::of("enclave-prying.eif", trusted()).await
    }

    /// The same for one with the agent that users run.
    pub async fn production() -> Self {
        Self::of("enclave-production.eif", trusted()).await
    }

    /// With a KMS under this certificate.
    pub async fn under(tls: TlsConfig) -> Self {
        Self::of("enclave-v1.eif", tls).await
    }

    async fn of(eif: &str, tls: TlsConfig) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let images = place("ENCLAVE_IMAGES");
        let eif = images.join(eif);
        let config = settings(&images, &eif, tls);
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

    /// With as little memory as there may be: so it boots soonest.
    pub fn small_launch(&self) -> Launch {
        let mut launch = self.launch();
        launch.memory_mib = MEMORY_MIB;
        launch
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

    /// From now on KMS's answers are bent on their way to the enclaves, whose TLS believes them.
    pub async fn bend(&mut self, by: &Arc<Bender>) {
        let kms = self.kms.as_mut().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bent = kms.over_tls_through(any, |router| by.between(router));
        self.tls = bent.await.unwrap();
    }

    /// From now on nobody unseals.
    pub fn kms_is_gone(&mut self) {
        drop(self.kms.take());
    }

    pub fn credentials() -> Credentials {
        session(CHAMBER)
    }

    /// Of whoever may write the keys' policies.
    pub fn admin() -> Credentials {
        session(ADMIN)
    }

    /// The security module of an enclave of this image, without the enclave.
    pub fn module(&self) -> NsmEmulator {
        self.module_of(&[(0, self.image())])
    }

    /// One with these registers.
    pub fn module_of(&self, registers: &[(u8, Pcr)]) -> NsmEmulator {
        let signer = Signer::from_json(&self.file("nsm-signer.json"));
        let registers = registers.iter().map(|(at, pcr)| (*at, *pcr.as_bytes()));
        NsmEmulator::new(signer.unwrap(), registers.collect())
    }

    /// A text beside the images.
    pub fn file(&self, name: &str) -> String {
        read(&self.images.join(name))
    }

    /// Starts a chamber with this task, without a manifest.
    pub async fn chamber(&self, task: Task, launch: Launch) -> Running {
        self.started(start(None, task), launch).await
    }

    /// Starts a chamber.
    pub async fn started(&self, start: Start, launch: Launch) -> Running {
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (pages, workload) = (listen().await, listen().await);
        let (metrics, service) = (pages.local_addr().unwrap(), workload.local_addr().unwrap());
        let host = Host {
            start,
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

    /// KMS as an enclave asks it, past the host's relay.
    pub fn kms(&self) -> SdkKms {
        let credentials = SharedCredentialsProvider::new(Self::credentials());
        let settings = config("us-east-1".into(), credentials).endpoint_url(&self.endpoint);
        SdkKms::new(settings, || {})
    }

    /// A blob as an enclave of this image seals it, without the enclave: a boot takes seconds.
    pub async fn sealed_by(&self, module: Module, allowed: &Authorization) -> Vec<u8> {
        let (reports, _) = mpsc::unbounded_channel();
        let tools = Tools {
            nsm: Arc::new(module),
            kms: Arc::new(self.kms()),
        };
        let sealed = unseal_agent::seal(&tools, allowed, &request(), reports).await;
        sealed.unwrap().blob
    }

    /// What an enclave attests over a nonce of ours, verified under the root of these tests.
    pub async fn attested(&self, running: &Running) -> Verified {
        let nonce = "ab".repeat(32);
        let question = format!(r#"{{"nonce":"{nonce}"}}"#);
        let answer = running.post(&running.pages("/attestation"), question).await;
        let document = BASE64.decode(answer["document"].as_str().unwrap()).unwrap();
        let root = Root::from_pem(&self.file("nsm-root.pem")).unwrap();
        let told = attestation::verify(&document, &root, At::Document).unwrap();
        assert_eq!(told.nonce.as_deref(), Some(&[0xab; 32][..]));
        told
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

    /// What describe-eif says of the image.
    pub fn registers(&self) -> BTreeMap<u8, Pcr> {
        let file = std::fs::File::open(&self.eif).unwrap();
        let found = eif::read(file).unwrap();
        let mut registers = BTreeMap::from([(0, found.pcr0), (1, found.pcr1), (2, found.pcr2)]);
        registers.extend(found.pcr8.map(|pcr| (8, pcr)));
        registers
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

/// What a host tells its agent.
pub fn start(manifest: Option<String>, task: Task) -> Start {
    Start {
        region: "us-east-1".to_owned(),
        manifest,
        task,
    }
}

fn session(id: &str) -> Credentials {
    Credentials::new(id, "secret", Some("token".into()), None, "test")
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

    /// Why the last attempt failed, as soon as one has.
    pub async fn failure(&self) -> String {
        self.failure_with(&[]).await
    }

    /// The same, as soon as one has failed that tells all of this.
    pub async fn failure_with(&self, words: &[String]) -> String {
        until(&format!("a failure with {words:?}"), async || {
            let page: Value = serde_json::from_str(&self.get("/progress").await).unwrap();
            assert_ne!(page["unsealed"], Value::Bool(true), "it is unsealed");
            let told = page["failure"].as_str().map(ToOwned::to_owned);
            told.filter(|told| words.iter().all(|word| told.contains(word)))
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

fn settings(images: &Path, eif: &Path, tls: TlsConfig) -> Config {
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
    let session = |id: &str, role: &str| CredentialConfig {
        access_key_id: id.to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: Some("token".to_owned()),
        principal: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/test"),
    };
    Config {
        region: "us-east-1".to_owned(),
        accounts: Vec::new(),
        nitro_root_pem: read(&images.join("nsm-root.pem")),
        attestation_max_age_seconds: 300,
        credentials: vec![
            session(CHAMBER, &format!("ChamberEnclaveRole-{CLUSTER}")),
            session(ADMIN, "ChamberKmsKeyAdmin"),
        ],
        roles: Vec::new(),
        identity_policies: Vec::new(),
        keys: ["a", "b", "c"].map(key).to_vec(),
        state_before_authorization: false,
        pending_deletion_code: kms_emulator::PendingDeletionCode::default(),
        tls: Some(tls),
    }
}
