//! Clients through an assumed role per key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use chamber_api::ChamberCluster;
use kube::ResourceExt;
use rollover::Share;

use crate::election::Lease;
use crate::telemetry::Telemetry;
use chamber_resource::spec::{self, Arn};

/// What one call may take, retries included.
const CALL: Duration = Duration::from_secs(10);
/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(3);

/// One cluster's way to its keys.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The clients.
    pub keyring: &'a Keyring,
    /// Where calls are counted.
    pub telemetry: &'a Telemetry,
    /// Whether this replica leads.
    pub lease: &'a Lease,
    /// uid of namespace kube-system.
    pub cluster_uid: &'a str,
    /// Whose keys these are.
    pub cluster: &'a ChamberCluster,
}

impl Access<'_> {
    /// The client for one share's key.
    pub async fn client(&self, share: &Share) -> Client {
        let (cluster_uid, cluster) = (self.cluster_uid, self.cluster);
        self.keyring.client(cluster_uid, cluster, share).await
    }
}

/// Key ARN, role, owner.
type ClientId = (String, Option<String>, String);

/// KMS clients, one per key, role and owner; each keeps its own temporary credentials.
pub struct Keyring {
    sdk: SdkConfig,
    clients: Mutex<HashMap<ClientId, Client>>,
}

impl Keyring {
    /// Reads AWS's standard environment (region, credentials, endpoints).
    pub async fn from_environment() -> Self {
        let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12());
        Self::new(&sdk.load().await)
    }

    /// Clients that use this region, these credentials and endpoints, with the operator's time-outs.
    pub fn new(sdk: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(CALL)
            .build();
        Self {
            sdk: sdk.to_builder().timeout_config(timeouts).build(),
            clients: Mutex::default(),
        }
    }

    /// The client for one share's key: the share's role is assumed with the owner as `ExternalId`,
    /// and a session policy that ends at this one key.
    async fn client(&self, cluster_uid: &str, cluster: &ChamberCluster, share: &Share) -> Client {
        let role = cluster
            .spec
            .keys
            .shares
            .iter()
            .find(|candidate| candidate.arn == share.arn)
            .and_then(|found| found.assume_role_arn.clone());
        let owner = spec::owner(cluster, cluster_uid);
        let id = (share.arn.clone(), role.clone(), owner.clone());
        let known = self
            .clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        if let Some(client) = known {
            return client;
        }
        let client = self.connect(cluster, share, role.as_deref(), &owner).await;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.insert(id, client.clone());
        client
    }

    async fn connect(
        &self,
        cluster: &ChamberCluster,
        share: &Share,
        role: Option<&str>,
        owner: &str,
    ) -> Client {
        let region = Arn::parse(&share.arn).map(|arn| Region::new(arn.region.to_owned()));
        let mut config = aws_sdk_kms::config::Builder::from(&self.sdk).region(region.clone());
        if let Some(role) = role {
            let provider = AssumeRoleProvider::builder(role)
                .session_name(format!("chamber-operator-{}", cluster.name_any()))
                .external_id(owner)
                .policy(session_policy(&share.arn))
                .configure(&self.sdk);
            let provider = match region {
                Some(region) => provider.region(region),
                None => provider,
            };
            config = config.credentials_provider(provider.build().await);
        }
        Client::from_conf(config.build())
    }
}

/// Ends the session at one key: a namespace cannot borrow another one's keys through the operator.
fn session_policy(arn: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": [
                "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy",
                "kms:ListResourceTags", "kms:TagResource"
            ],
            "Resource": arn
        }]
    })
    .to_string()
}
