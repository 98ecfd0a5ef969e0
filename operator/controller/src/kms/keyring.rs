//! Clients through an assumed role per key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{IdentityCache, SharedHttpClient};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use chamber_api::ChamberCluster;
use key_policy::KeyLists;
use kms_key::Key;
use rollover::{Owner, Share};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::election::Lease;
use crate::kms::counted::Counted;
use crate::kms::external_id::EitherId;
use crate::kms::lists::Lists;
use crate::locked::lock;
use crate::telemetry::{Calls, Telemetry};
use chamber_resource::arn::Arn;

/// What one call may take, retries included: room for the SDK's three attempts of a call that it may repeat. A reading counts for 30 s
/// (`rollover::FRESH`), and both together must stay below the minute of `tags::HEALING`.
const CALL: Duration = Duration::from_secs(10);
/// What one attempt may take: a third of [`CALL`], so that one lost answer does not use up the others' time.
const ATTEMPT: Duration = Duration::from_secs(3);

/// A way that nobody took for so long leads to a key that no cluster has any more: keys are read every few minutes.
const UNUSED: Duration = Duration::from_hours(2);

/// One cluster's way to its keys.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The clients.
    pub keyring: &'a Keyring,
    /// Where calls are counted.
    pub telemetry: &'a Telemetry,
    /// Whether this replica leads.
    pub lease: &'a Lease,
    /// What time it is.
    pub clock: &'a Clock,
    /// Whose keys these are.
    pub cluster: &'a ChamberCluster,
}

impl Access<'_> {
    /// One share's key.
    pub async fn key<'a>(&self, owner: &Owner, share: &'a Share) -> Key<'a> {
        let way = self.keyring.way(owner, self.cluster, share).await;
        way.key(share)
    }

    /// What goes beside the policy of one share's key, as it was a few minutes ago at the most.
    pub async fn lists(&self, owner: &Owner, share: &Share) -> KeyLists {
        let way = self.keyring.way(owner, self.cluster, share).await;
        way.lists.read(&way.key(share)).await
    }

    /// The share's role, where its trust policy still names the external id of before; once after each renewal of
    /// the role's credentials.
    pub fn outdated(&self, owner: &Owner, share: &Share) -> Option<String> {
        let id = way_id(owner, self.cluster, share);
        let outdated = self.keyring.known(&id)?.outdated;
        outdated.swap(false, Ordering::Relaxed).then_some(id.1)?
    }
}

/// Key ARN, role, external id.
type WayId = (String, Option<String>, String);

/// A way to one key.
#[derive(Clone)]
struct Way {
    client: Client,
    /// The role was assumed by the external id of before.
    outdated: Arc<AtomicBool>,
    /// What goes beside the key's policy.
    lists: Arc<Lists>,
    /// When it was taken last.
    taken: Instant,
}

impl Way {
    fn key<'a>(&self, share: &'a Share) -> Key<'a> {
        Key {
            arn: &share.arn,
            client: self.client.clone(),
        }
    }
}

/// KMS clients, one per key, role and owner; each keeps its own temporary credentials.
pub struct Keyring {
    sdk: SdkConfig,
    ways: Mutex<HashMap<WayId, Way>>,
}

impl Keyring {
    /// Reads AWS's standard environment (region, credentials, endpoints).
    pub async fn from_environment(calls: Calls) -> Self {
        // What the operator's own identity asks of STS goes through it, too.
        let counted = counted(http_stack(), calls);
        let sdk = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(counted);
        Self::of(&sdk.load().await)
    }

    /// Clients that use this region, these credentials and endpoints, with the operator's time-outs; their calls are
    /// counted.
    pub fn new(sdk: &SdkConfig, calls: Calls) -> Self {
        let inner = sdk.http_client().unwrap_or_else(http_stack);
        let counted = counted(inner, calls);
        Self::of(&sdk.to_builder().http_client(counted).build())
    }

    fn of(sdk: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(CALL)
            .build();
        Self {
            sdk: sdk.to_builder().timeout_config(timeouts).build(),
            ways: Mutex::default(),
        }
    }

    /// The way to one share's key: the share's role is assumed with the owner's external id,
    /// and a session policy that ends at this one key.
    async fn way(&self, owner: &Owner, cluster: &ChamberCluster, share: &Share) -> Way {
        let id = way_id(owner, cluster, share);
        if let Some(known) = self.known(&id) {
            return known;
        }
        let way = self.connect(owner, share, id.1.as_deref()).await;
        let mut ways = lock(&self.ways);
        ways.retain(|_, way| way.taken.elapsed() < UNUSED);
        ways.insert(id, way.clone());
        way
    }

    fn known(&self, id: &WayId) -> Option<Way> {
        let mut ways = lock(&self.ways);
        let way = ways.get_mut(id)?;
        way.taken = Instant::now();
        Some(way.clone())
    }

    async fn connect(&self, owner: &Owner, share: &Share, role: Option<&str>) -> Way {
        let outdated = Arc::new(AtomicBool::new(false));
        let region = Arn::parse(&share.arn).map(|arn| Region::new(arn.region.to_owned()));
        // A cache that all clients share holds few identities and lets go of any: each key has one of its own.
        let mut config = aws_sdk_kms::config::Builder::from(&self.sdk)
            .region(region.clone())
            .identity_cache(IdentityCache::lazy().build());
        if let Some(role) = role {
            let assumed = async |external_id: String| {
                let provider = AssumeRoleProvider::builder(role)
                    .session_name(format!("chamber-operator-{}", owner.name))
                    .external_id(external_id)
                    .policy(session_policy(&share.arn))
                    .configure(&self.sdk);
                let provider = match &region {
                    Some(region) => provider.region(region.clone()),
                    None => provider,
                };
                provider.build().await
            };
            config = config.credentials_provider(EitherId {
                now: assumed(owner.external_id()).await,
                before: assumed(owner.tag()).await,
                outdated: outdated.clone(),
            });
        }
        let client = Client::from_conf(config.build());
        Way {
            client,
            outdated,
            lists: Arc::default(),
            taken: Instant::now(),
        }
    }
}

/// The same client, with its calls counted.
fn counted(inner: SharedHttpClient, calls: Calls) -> SharedHttpClient {
    SharedHttpClient::new(Counted { inner, calls })
}

/// Connections and TLS of all clients together: each would have a stack of its own, with the roots of this machine in it.
fn http_stack() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https()
}

fn way_id(owner: &Owner, cluster: &ChamberCluster, share: &Share) -> WayId {
    let mut shares = cluster.spec.keys.shares.iter();
    let found = shares.find(|candidate| candidate.arn == share.arn);
    let role = found.and_then(|found| found.assume_role_arn.clone());
    (share.arn.clone(), role, owner.external_id())
}

/// Ends the session at one key: a namespace cannot borrow another one's keys through the operator.
fn session_policy(arn: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": [
                "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy",
                "kms:ListResourceTags", "kms:TagResource",
                "kms:ListGrants", "kms:ListKeyPolicies"
            ],
            "Resource": arn
        }]
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use serde_json::{Value, json};

    use super::{Calls, ChamberCluster, Keyring, Owner, Share, UNUSED, http_stack, session_policy};

    fn keyring() -> Keyring {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .http_client(http_stack());
        Keyring::new(&sdk.build(), Calls::default())
    }

    fn cluster(key: &str) -> (Owner, ChamberCluster, Share) {
        let arn = format!("arn:aws:kms:eu-west-1:111122223333:key/{key}");
        let cluster = json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n"},
            "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "01".repeat(48)}},
                "keys": {"threshold": 1, "shares": [{"name": "a", "arn": arn, "management": "Observed"}]},
                "verification": {"prometheus": {"url": "http://p"}}}});
        let cluster = serde_json::from_value(cluster).unwrap();
        let uids = chamber_resource::spec::Uids::default();
        let spec = chamber_resource::spec::checked(&cluster, &uids, jiff::SignedDuration::ZERO);
        let spec = spec.unwrap();
        (spec.owner, cluster, spec.shares[0].clone())
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_is_kept_as_long_as_it_is_taken() {
        let keyring = keyring();
        let count = || keyring.ways.lock().unwrap().len();
        let take = async |key| {
            let (owner, cluster, share) = cluster(key);
            Box::pin(keyring.way(&owner, &cluster, &share)).await;
        };
        take("a").await;
        take("b").await;
        tokio::time::advance(UNUSED / 2).await;
        take("b").await;
        assert_eq!(count(), 2);
        tokio::time::advance(UNUSED / 2).await;
        take("c").await;
        assert_eq!(count(), 2, "a is gone, b was taken");
    }

    /// Whatever else the role may do, a session does it not; and what the operator calls is all there.
    #[test]
    fn a_session_may_make_the_operators_calls_on_its_key_and_no_other() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/a";
        let policy: Value = serde_json::from_str(&session_policy(arn)).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!(statement["Resource"], arn);
        assert_eq!(
            statement["Action"],
            json!([
                "kms:DescribeKey",
                "kms:GetKeyPolicy",
                "kms:PutKeyPolicy",
                "kms:ListResourceTags",
                "kms:TagResource",
                "kms:ListGrants",
                "kms:ListKeyPolicies"
            ])
        );
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
    }
}
