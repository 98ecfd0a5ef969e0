//! KMS with three keys, and the files of two releases.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use aws_credential_types::Credentials;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use aws_sdk_kms::config::{BehaviorVersion, Region};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use key_policy::Template;
use kms_emulator::{Config, CredentialConfig, KeyConfig, Server};
use measurement::{Measurement, Pcr};
use nsm_emulator::TestRoot;
use serde_json::{Value, json};

use crate::chamber::{Chamber, run};

const ACCOUNT: &str = "111122223333";
const CLUSTER: &str = "demo-local-signer";

pub struct World {
    server: Server,
    folder: PathBuf,
}

impl World {
    /// `name` keeps the files of tests apart.
    pub async fn start(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let root = TestRoot::generate().unwrap();
        let signer = root.issue_signer().unwrap().to_json();
        std::fs::write(folder.join("nsm-signer.json"), signer.as_bytes()).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(config(root.certificate_pem()), any, any).await;
        let world = Self {
            server: server.unwrap(),
            folder,
        };
        for release in ["v1", "v2"] {
            let out = world.path(release).display().to_string();
            let binary = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
            let mut command = world.command(release, &["measure", "--out", &out]);
            run(command.args(["--release", release, binary]));
        }
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The binary with the chamber's environment of one release.
    pub fn command(&self, release: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dev-chamber"));
        command
            .args(arguments)
            .env_clear()
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "ASIACHAMBER")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_SESSION_TOKEN", "token")
            .env("AWS_ENDPOINT_URL_KMS", self.endpoint())
            .env("CHAMBER_CLUSTER_ID", CLUSTER)
            .env("CHAMBER_TERMINATION_LOG", self.path("termination-log"))
            .env("CHAMBER_DEV_NSM_SIGNER", self.path("nsm-signer.json"))
            .env("CHAMBER_DEV_MEASUREMENT", self.path(release))
            .env("CHAMBER_DEV_METRICS", "127.0.0.1:0")
            .env("CHAMBER_DEV_WORKLOAD", "127.0.0.1:0");
        command
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.server.kms_address())
    }

    /// PCR0 of a release.
    pub fn image(&self, release: &str) -> Pcr {
        let file = std::fs::read_to_string(self.path(release)).unwrap();
        let file: Value = serde_json::from_str(&file).unwrap();
        Pcr::parse(file["imageSha384"].as_str().unwrap()).unwrap()
    }

    /// Lets every key admit exactly these releases.
    pub async fn admit(&self, releases: &[&str]) {
        let images: Vec<_> = releases.iter().map(|release| self.image(release)).collect();
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.endpoint())
            .credentials_provider(Credentials::new(
                "ASIAADMIN",
                "secret",
                Some("token".into()),
                None,
                "test",
            ))
            .build();
        let kms = aws_sdk_kms::Client::from_conf(config);
        for id in ["a", "b", "c"] {
            let put = kms.put_key_policy().key_id(key(id)).policy(policy(&images));
            put.send().await.unwrap();
        }
    }

    pub fn seal_request() -> String {
        let keys = ["a", "b", "c"].map(key);
        json!({"clusterId": CLUSTER, "generation": 1, "threshold": 2, "keys": keys}).to_string()
    }

    /// Seals as the seal pod does; gives the blob in base64.
    pub fn seal(&self, release: &str) -> String {
        let said = Chamber::seal(self, release);
        assert_eq!(said["commitment"].as_str().unwrap().len(), 64);
        said["sealedBlob"].as_str().unwrap().to_owned()
    }

    fn open(&self, blob: &str, release: &str) -> sealed_blob::InnerBlob {
        let image = self.image(release);
        sealed_blob::open(&BASE64.decode(blob).unwrap(), |_| Some(image)).unwrap()
    }

    /// What the operator does in Admit.
    pub fn rebind(&self, blob: &str, from: &str, to: &str) -> String {
        let measurement = Measurement::image(self.image(to));
        BASE64.encode(sealed_blob::bind(&self.open(blob, from), &measurement).unwrap())
    }

    /// `CHAMBER_PROBE_SHARES` as the demo writes it.
    pub fn probe_shares(&self, blob: &str, release: &str) -> String {
        let inner = self.open(blob, release);
        let shares = (1..).zip(&inner.shares).map(|(index, share)| {
            json!({
                "key": share.key_arn,
                "ciphertext": BASE64.encode(&share.ciphertext),
                "context": sealed_blob::encryption_context(CLUSTER, index, 1),
            })
        });
        shares.collect::<Value>().to_string()
    }
}

fn config(root: String) -> Config {
    let session = |id: &str, role: &str| CredentialConfig {
        access_key_id: id.to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: Some("token".to_owned()),
        principal: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/test"),
    };
    let key = |id: &&str| KeyConfig {
        id: (*id).to_owned(),
        account: ACCOUNT.to_owned(),
        key_spec: kms_emulator::KeySpec::default(),
        policy: serde_json::from_str(&policy(&[])).unwrap(),
        tags: BTreeMap::new(),
        multi_region: false,
        grants: Vec::new(),
        other_policies: Vec::new(),
    };
    Config {
        region: "us-east-1".to_owned(),
        accounts: Vec::new(),
        nitro_root_pem: root,
        attestation_max_age_seconds: 300,
        credentials: vec![
            session("ASIACHAMBER", &format!("ChamberEnclaveRole-{CLUSTER}")),
            session("ASIAADMIN", "ChamberKmsKeyAdmin"),
        ],
        roles: Vec::new(),
        identity_policies: Vec::new(),
        keys: ["a", "b", "c"].iter().map(key).collect(),
        state_before_authorization: false,
        pending_deletion_code: kms_emulator::PendingDeletionCode::default(),
        tls: None,
    }
}

fn key(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")
}

fn policy(images: &[Pcr]) -> String {
    let template = Template::in_account("aws", ACCOUNT, CLUSTER);
    let images: Vec<_> = images.iter().copied().map(Measurement::image).collect();
    template.render(&images).to_json()
}

/// Whether a signature (hex) fits an Ed25519 key (hex).
pub fn verifies(key: &str, message: &[u8], signature: &str) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, hex::decode(key).unwrap());
    key.verify(message, &hex::decode(signature).unwrap())
        .is_ok()
}
