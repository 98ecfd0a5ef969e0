//! A running emulator with three keys, and everybody who might call it.

use std::net::SocketAddr;

use aws_credential_types::Credentials;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Region};
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::operation::RequestId;
use kms_emulator::{
    Config, CredentialConfig, IdentityPolicyConfig, KeyConfig, RoleConfig, Server, StartError,
};
use nsm_emulator::TestRoot;
use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const OTHER_ACCOUNT: &str = "444455556666";
pub const ADMIN: &str = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";
pub const OPERATOR: &str = "arn:aws:iam::111122223333:user/chamber-operator";
pub const CHAMBER: &str =
    "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-demo-local-signer/chamber";

/// Access key ids of those who may call.
pub mod who {
    pub const ROOT: &str = "AKIAROOT";
    pub const OPERATOR: &str = "AKIAOPERATOR";
    pub const ADMIN: &str = "ASIAADMIN";
    pub const CHAMBER: &str = "ASIACHAMBER";
    /// The enclave role of another cluster in the same account.
    pub const OTHER_CHAMBER: &str = "ASIAOTHERCHAMBER";
    /// An IAM user who is allowed everything, by IAM.
    pub const POWER_USER: &str = "AKIAPOWER";
    /// The root of another account.
    pub const STRANGER: &str = "AKIASTRANGER";
}

/// The measurement that the keys admit at first, and another one.
pub const ADMITTED: [u8; 48] = [0xa1; 48];
pub const FOREIGN: [u8; 48] = [0xb2; 48];

pub struct World {
    pub root: TestRoot,
    server: Server,
    http: reqwest::Client,
}

impl World {
    /// Starts on free ports.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// As `start`, with a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let root = TestRoot::generate().unwrap();
        let mut config = config(root.certificate_pem());
        change(&mut config);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(config, any, any).await.unwrap();
        Self {
            root,
            server,
            http: reqwest::Client::new(),
        }
    }

    /// KMS over TLS, too.
    pub async fn also_over_tls(&mut self) -> Result<SocketAddr, StartError> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        self.server.also_over_tls(any).await
    }

    pub async fn stop(self) {
        self.server.stop().await;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.kms_address())
    }

    /// A KMS client with a configured credential.
    pub fn kms(&self, who: &str) -> aws_sdk_kms::Client {
        self.kms_with(Credentials::new(who, secret(who), token(who), None, "test"))
    }

    /// A KMS client with any credential; it never tries twice.
    pub fn kms_with(&self, credentials: Credentials) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.url())
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .build();
        aws_sdk_kms::Client::from_conf(config)
    }

    pub fn sts(&self, who: &str) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(aws_sdk_sts::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_sts::config::Region::new("us-east-1"))
            .endpoint_url(self.url())
            .credentials_provider(Credentials::new(who, secret(who), token(who), None, "test"))
            .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
            .build();
        aws_sdk_sts::Client::from_conf(config)
    }

    pub async fn admin_get(&self, path: &str) -> Value {
        let answer = self.http.get(self.admin(path)).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    pub async fn knobs(&self, knobs: Value) {
        let put = self.http.put(self.admin("/knobs")).json(&knobs);
        put.send().await.unwrap().error_for_status().unwrap();
    }

    /// Replaces a policy as a foreign hand, past every check.
    pub async fn put_raw_policy(&self, id: &str, text: &str) {
        let put = self.http.put(self.admin(&format!("/keys/{id}/policy")));
        let answer = put.body(text.to_owned()).send().await.unwrap();
        answer.error_for_status().unwrap();
    }

    pub fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.admin_address())
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

pub fn key(id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}")
}

pub fn secret(who: &str) -> String {
    format!("secret-of-{who}")
}

pub fn token(who: &str) -> Option<String> {
    who.starts_with("ASIA").then(|| format!("token-of-{who}"))
}

/// The code of a refused call.
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + RequestId + std::fmt::Debug>(
    result: Result<T, E>,
) -> String {
    let error = result.unwrap_err();
    assert!(error.request_id().is_some(), "no request id: {error:?}");
    error.code().unwrap().to_owned()
}

/// The text of a refused call.
pub fn message<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, E>,
) -> String {
    result.unwrap_err().message().unwrap().to_owned()
}

/// The five statements, admitting these measurements.
pub fn policy(images: &[[u8; 48]]) -> Value {
    let images: Vec<_> = images.iter().map(hex::encode).collect();
    let role = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-demo-local-signer";
    json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "EnableIAMRootPermissionsBreakGlass", "Effect": "Allow",
          "Principal": { "AWS": "arn:aws:iam::111122223333:root" }, "Action": "kms:*", "Resource": "*" },
        { "Sid": "AllowKeyAdministrators", "Effect": "Allow", "Principal": { "AWS": ADMIN },
          "Action": ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*",
            "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource",
            "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"], "Resource": "*" },
        { "Sid": "AllowChamberEnclaveDecryptWithAttestation", "Effect": "Allow", "Principal": { "AWS": role },
          "Action": "kms:Decrypt", "Resource": "*",
          "Condition": { "StringEqualsIgnoreCase": { "kms:RecipientAttestation:ImageSha384": images } } },
        { "Sid": "AllowChamberEnclaveEncryptForWrapping", "Effect": "Allow", "Principal": { "AWS": role },
          "Action": "kms:Encrypt", "Resource": "*" },
        { "Sid": "DenyDataOpsWithoutAttestation", "Effect": "Deny", "Principal": "*",
          "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair",
            "kms:GenerateDataKeyPairWithoutPlaintext", "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom", "kms:ReEncryptTo"], "Resource": "*",
          "Condition": { "Null": { "kms:RecipientAttestation:ImageSha384": "true" } } }
    ] })
}

pub fn config(nitro_root_pem: String) -> Config {
    let credential = |who: &str, principal: &str| CredentialConfig {
        access_key_id: who.to_owned(),
        secret_access_key: secret(who),
        session_token: token(who),
        principal: principal.to_owned(),
    };
    let identity = |principal: &str, action: &str| IdentityPolicyConfig {
        principal: principal.to_owned(),
        document: json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": action, "Resource": "*" } ] }),
    };
    let keys = ["a", "b", "c"].map(|id| KeyConfig {
        id: format!("share-{id}"),
        account: ACCOUNT.to_owned(),
        key_spec: kms_emulator::KeySpec::default(),
        policy: policy(&[ADMITTED]),
        tags: [("team".to_owned(), "demo".to_owned())].into(),
        multi_region: false,
        grants: Vec::new(),
        other_policies: Vec::new(),
    });
    Config {
        region: "us-east-1".to_owned(),
        accounts: vec![ACCOUNT.to_owned(), OTHER_ACCOUNT.to_owned()],
        nitro_root_pem,
        attestation_max_age_seconds: 300,
        credentials: vec![
            credential(who::ROOT, "arn:aws:iam::111122223333:root"),
            credential(who::OPERATOR, OPERATOR),
            credential(
                who::ADMIN,
                "arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/person",
            ),
            credential(who::CHAMBER, CHAMBER),
            credential(
                who::OTHER_CHAMBER,
                "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-other/chamber",
            ),
            credential(who::POWER_USER, "arn:aws:iam::111122223333:user/power"),
            credential(who::STRANGER, "arn:aws:iam::444455556666:root"),
        ],
        roles: vec![RoleConfig {
            arn: ADMIN.to_owned(),
            trust: json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "AWS": OPERATOR }, "Action": "sts:AssumeRole",
                  "Condition": { "StringLike": { "sts:ExternalId": "*/demo/signer" } } } ] }),
        }],
        identity_policies: vec![identity("arn:aws:iam::111122223333:user/power", "*")],
        keys: keys.to_vec(),
        state_before_authorization: false,
        pending_deletion_code: kms_emulator::PendingDeletionCode::default(),
        tls: None,
    }
}
