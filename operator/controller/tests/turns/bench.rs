//! An operator between the two: one `ChamberCluster` in a rollover from release one to release two.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use attestation::Root;
use chamber_api::ChamberCluster;
use chamber_operator::clock::Clock;
use chamber_operator::context::{Context, Parts};
use chamber_operator::election::{Candidate, Lease};
use chamber_operator::hosts::Hosts;
use chamber_operator::kms::Keyring;
use chamber_operator::kubernetes;
use chamber_operator::prometheus::{Prometheus, Servers};
use chamber_operator::reconcile::{on_error, reconcile};
use chamber_operator::settings::Settings;
use chamber_operator::telemetry::Telemetry;
use chamber_resource::release;
use clap::Parser;
use jiff::{SignedDuration, Timestamp};
use key_policy::Template;
use kube::runtime::controller::Action as Requeue;
use serde_json::{Value, json};

use crate::api::Api;
use crate::aws::Aws;

/// Where the resource is.
pub const SIGNER: &str = "/apis/chamber.dev/v1alpha1/namespaces/n/chamberclusters/signer";
/// Where its namespace is.
pub const NAMESPACE: &str = "/api/v1/namespaces/n";
/// Where its status is written.
pub const STATUS: &str = "/chamberclusters/signer/status";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// An operator, an API server and KMS.
pub struct TurnBench {
    pub api: Api,
    pub aws: Aws,
    /// Seconds that the clock is ahead.
    ahead: Arc<AtomicI64>,
    pub ctx: Arc<Context>,
}

impl TurnBench {
    /// A rollover has just begun, and this change was made to the resource before.
    pub async fn new(change: impl FnOnce(&mut Value)) -> Self {
        Self::with(&[], change).await
    }

    /// The same with these arguments of the operator.
    pub async fn with(arguments: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        Self::made(Root::aws(), arguments, change).await
    }

    /// The same with documents under this root.
    pub async fn trusting(root: Root, change: impl FnOnce(&mut Value)) -> Self {
        Self::made(root, &[], change).await
    }

    async fn made(root: Root, arguments: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.install_default().ok();
        let (api, aws) = (Api::default(), Aws::default());
        let mut signer = begun();
        change(&mut signer);
        api.put(SIGNER, signer);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "n", "uid": "n-uid"}});
        api.put(NAMESPACE, namespace);
        for name in ["a", "b", "c"] {
            aws.put(
                &arn(name),
                template().render(&[measurement("11")]).to_json(),
                "cluster/n/signer",
            );
        }
        let telemetry = Arc::new(Telemetry::default());
        let client = kubernetes::counted(&api.client(), &telemetry.calls());
        let client = kubernetes::calling(&client);
        let lease = held(&api);
        let arguments = ["operator", "--identity", "me"].iter().chain(arguments);
        let ahead = Arc::<AtomicI64>::default();
        let seconds = ahead.clone();
        let clock = Clock::new(move || {
            Timestamp::now() + SignedDuration::from_secs(seconds.load(Ordering::SeqCst))
        });
        let ctx = Context::new(Parts {
            clock,
            client,
            settings: Arguments::parse_from(arguments).settings,
            keyring: Keyring::new(&aws.config().await, telemetry.calls()),
            hosts: Hosts::new().unwrap(),
            root,
            prometheus: Prometheus::new(Servers::default(), None).unwrap(),
            telemetry,
            lease,
            clusters: Vec::new(),
            cluster_uid: "cluster".to_owned(),
        });
        Self {
            api,
            aws,
            ahead,
            ctx: Arc::new(ctx),
        }
    }

    /// The clock goes so many seconds ahead of the time, or behind it.
    pub fn set_clock(&self, ahead: i64) {
        self.ahead.store(ahead, Ordering::SeqCst);
    }

    /// What `kube-runtime` does with an event: reconcile, and where that fails, `on_error`.
    pub async fn event(&self) -> Requeue {
        let seen: ChamberCluster = serde_json::from_value(self.api.get(SIGNER).unwrap()).unwrap();
        let seen = Arc::new(seen);
        match Box::pin(reconcile(seen.clone(), self.ctx.clone())).await {
            Ok(requeue) => requeue,
            Err(error) => on_error(seen, &error, self.ctx.clone()),
        }
    }

    /// Asks for the deletion of the resource, which its finalizer holds.
    pub fn delete(&self) {
        self.api.edit(SIGNER, |signer| {
            signer["metadata"]["deletionTimestamp"] = json!("2026-11-25T11:00:00Z");
        });
    }

    /// Whether the resource is there.
    pub fn is_there(&self) -> bool {
        self.api.get(SIGNER).is_some()
    }

    /// An event after the pause.
    pub async fn later(&self) -> Requeue {
        tokio::time::advance(Duration::from_mins(1)).await;
        self.event().await
    }

    /// Status as it is.
    pub fn status(&self) -> Value {
        self.api.get(SIGNER).unwrap()["status"].clone()
    }

    /// `status.message`.
    pub fn message(&self) -> String {
        self.status()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// How often status was written.
    pub fn status_writes(&self) -> usize {
        self.api.calls(&http::Method::PATCH, STATUS)
    }

    /// Whether the policy of a key admits an image.
    pub fn admits(&self, name: &str, image: &str) -> bool {
        self.aws.key(&arn(name)).policy.contains(&image.repeat(48))
    }
}

/// A lease that is held as long as the test runs. It lasts by the real clock, whatever the test's own says, and is renewed by it.
fn held(api: &Api) -> Lease {
    let (api, (send, receive)) = (api.clone(), mpsc::channel());
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut candidate = Candidate::new(api.client(), "n", "lease", "me", Arc::default());
            candidate.acquire().await;
            send.send(candidate.lease()).unwrap();
            candidate.keep().await;
        });
    });
    receive.recv().unwrap()
}

/// ARN of a key.
pub fn arn(name: &str) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{name}")
}

const ADMIN: &str = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";

/// The template of each key.
pub fn template() -> Template {
    let mut template = Template::in_account("aws", "111122223333", "one");
    ADMIN.clone_into(&mut template.admin_role_arn);
    template
}

/// The measurement whose PCR0 is this byte.
pub fn measurement(image: &str) -> measurement::Measurement {
    measurement::Measurement::image(measurement::Pcr::parse(&image.repeat(48)).unwrap())
}

fn begun() -> Value {
    let share = |name: &str| json!({"name": name, "arn": arn(name), "assumeRoleArn": ADMIN});
    let signer = json!({
        "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": "signer", "namespace": "n", "uid": "u", "generation": 1,
            "finalizers": ["chamber.dev/one-measurement"]},
        "spec": {
            "clusterId": "one",
            "release": {"image": "two", "measurement": {"imageSha384": "22".repeat(48)}},
            "keys": {"threshold": 2, "shares": [share("a"), share("b"), share("c")]},
            "sealing": "External",
            "verification": {"prometheus": {"url": "http://127.0.0.1:9"}}
        }
    });
    let cluster: ChamberCluster = serde_json::from_value(signer.clone()).unwrap();
    let to = release::to_status(&release::of_spec(&cluster.spec).unwrap());
    let from = json!({"image": "one", "revision": "1111111111",
        "measurement": {"imageSha384": "11".repeat(48)}});
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap();
    let mut signer = signer;
    signer["status"] = json!({
        "current": from, "rollovers": 1,
        "rollover": {"from": from, "to": to, "startedAt": now, "progressedAt": now}
    });
    signer
}
