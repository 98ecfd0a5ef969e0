//! Three keys that admit one image, and enclaves of any image.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use attestation::Root;
use aws_credential_types::Credentials;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kms::primitives::Blob;
use key_policy::{Profile, Template};
use kms_emulator::{Config, CredentialConfig, IdentityPolicyConfig, KeyConfig, Server};
use manifest_makers::{ACCOUNT, Module};
pub use manifest_makers::{CLUSTER, key, request};
use measurement::{Measurement, Pcr};
use nsm_emulator::{NsmEmulator, TestRoot};
use sealed_blob::InnerBlob;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unseal_agent::{Authorization, SdkKms, Tools, config};

pub const CHAMBER: &str = "ASIACHAMBER";
const ADMIN: &str = "ASIAADMIN";

/// The image that the keys admit from the start, and one that they do not.
pub const ADMITTED: Pcr = Pcr::from_bytes([0xa1; 48]);
pub const FOREIGN: Pcr = Pcr::from_bytes([0xb2; 48]);

pub struct World {
    root: TestRoot,
    server: Server,
}

impl World {
    pub async fn start() -> Self {
        Self::with_keys(&["a", "b", "c"]).await
    }

    pub async fn with_keys(ids: &[&str]) -> Self {
        Self::with(ids, Vec::new()).await
    }

    /// An identity policy of the enclave role allows it to decrypt with every key of its own account.
    pub async fn with_identity_policy() -> Self {
        let allowed = IdentityPolicyConfig {
            principal: format!("arn:aws:iam::{ACCOUNT}:role/ChamberEnclaveRole-{CLUSTER}"),
            document: json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]}),
        };
        Self::with(&["a", "b", "c"], vec![allowed]).await
    }

    async fn with(ids: &[&str], identity_policies: Vec<IdentityPolicyConfig>) -> Self {
        let root = TestRoot::generate().unwrap();
        let key = |id: &&str| KeyConfig {
            id: (*id).to_owned(),
            account: ACCOUNT.to_owned(),
            key_spec: kms_emulator::KeySpec::default(),
            policy: serde_json::from_str(&policy(&[ADMITTED])).unwrap(),
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
        let config = Config {
            region: "us-east-1".to_owned(),
            accounts: Vec::new(),
            nitro_root_pem: root.certificate_pem(),
            attestation_max_age_seconds: 300,
            credentials: vec![
                session(CHAMBER, &format!("ChamberEnclaveRole-{CLUSTER}")),
                session(ADMIN, "ChamberKmsKeyAdmin"),
            ],
            roles: Vec::new(),
            identity_policies,
            keys: ids.iter().map(key).collect(),
            state_before_authorization: false,
            pending_deletion_code: kms_emulator::PendingDeletionCode::default(),
            tls: None,
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(config, any, any).await.unwrap();
        Self { root, server }
    }

    fn client(&self, who: &str) -> Client {
        let credentials = SharedCredentialsProvider::new(credentials(who));
        let config = config("us-east-1".into(), credentials).endpoint_url(self.endpoint());
        Client::from_conf(config.build())
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.kms_address())
    }

    pub fn kms(&self) -> SdkKms {
        let credentials = SharedCredentialsProvider::new(credentials(CHAMBER));
        SdkKms::new(settings(&self.endpoint(), credentials), || {})
    }

    pub fn nsm(&self, image: Pcr) -> Module {
        self.nsm_of(&[(0, image)])
    }

    pub fn nsm_of(&self, registers: &[(u8, Pcr)]) -> Module {
        let pcrs = registers.iter().map(|(at, pcr)| (*at, *pcr.as_bytes()));
        let signer = self.root.issue_signer().unwrap();
        Module(NsmEmulator::new(signer, pcrs.collect()))
    }

    /// What stands for AWS's root here.
    pub fn root(&self) -> Root {
        Root::from_pem(&self.root.certificate_pem()).unwrap()
    }

    /// An enclave of this image, with the chamber's credentials.
    pub fn enclave(&self, image: Pcr) -> Tools<Module, SdkKms> {
        Tools {
            nsm: Arc::new(self.nsm(image)),
            kms: Arc::new(self.kms()),
        }
    }

    /// Lets every key admit exactly these images.
    pub async fn admit(&self, images: &[Pcr]) {
        for id in ["a", "b", "c"] {
            let put = self.client(ADMIN).put_key_policy().key_id(key(id));
            put.policy(policy(images)).send().await.unwrap();
        }
    }

    /// Lets every key admit exactly these measurements, each of their registers pinned.
    pub async fn admit_measurements(&self, profile: Profile, measurements: &[Measurement]) {
        let mut template = Template::in_account("aws", ACCOUNT, CLUSTER);
        template.profile = profile;
        template.pins = measurements[0].registers.keys().copied().collect();
        for id in ["a", "b", "c"] {
            let put = self.client(ADMIN).put_key_policy().key_id(key(id));
            let policy = template.render(measurements).to_json();
            put.policy(policy).send().await.unwrap();
        }
    }

    pub async fn disable(&self, id: &str) {
        let disable = self.client(ADMIN).disable_key().key_id(key(id));
        disable.send().await.unwrap();
    }

    /// Wraps bytes under a key as anybody with the chamber's credentials can.
    pub async fn encrypt(&self, id: &str, bytes: &[u8], index: u8) -> Vec<u8> {
        let context = sealed_blob::encryption_context(CLUSTER, index, 1);
        let encrypt = self.client(CHAMBER).encrypt().key_id(key(id));
        let encrypt = encrypt.set_encryption_context(Some(context.into_iter().collect()));
        let reply = encrypt.plaintext(Blob::new(bytes)).send().await.unwrap();
        reply.ciphertext_blob.unwrap().into_inner()
    }

    /// Orders faults on the emulator's admin port.
    pub async fn knobs(&self, json: &str) {
        let mut stream = TcpStream::connect(self.server.admin_address())
            .await
            .unwrap();
        let length = json.len();
        let request = format!(
            "PUT /knobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A blob sealed by an enclave of the admitted image, and its inner layer.
    pub async fn sealed(&self) -> (Vec<u8>, InnerBlob) {
        let (reports, _) = tokio::sync::mpsc::unbounded_channel();
        let free = Authorization::Unprotected;
        let enclave = self.enclave(ADMITTED);
        let sealed = unseal_agent::seal(&enclave, &free, &request(), reports).await;
        let blob = sealed.unwrap().blob;
        let inner = sealed_blob::open(&blob, |_| Some(ADMITTED)).unwrap();
        (blob, inner)
    }
}

/// As an agent sets its clients up.
pub fn settings(
    endpoint: &str,
    credentials: impl ProvideCredentials + 'static,
) -> aws_sdk_kms::config::Builder {
    // Another Region than the keys': their ARNs say where KMS is asked.
    config(
        "eu-central-1".into(),
        SharedCredentialsProvider::new(credentials),
    )
    .endpoint_url(endpoint)
}

fn credentials(who: &str) -> Credentials {
    Credentials::new(who, "secret", Some("token".into()), None, "test")
}

fn policy(images: &[Pcr]) -> String {
    let template = Template::in_account("aws", ACCOUNT, CLUSTER);
    let images: Vec<_> = images.iter().copied().map(Measurement::image).collect();
    template.render(&images).to_json()
}
