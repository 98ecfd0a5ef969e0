//! Calls to the API server and to AWS: how many of each kind ended how, and how long they took.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What of the API server is called.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Asked {
    /// As in a Role: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// Plural of the resource, and its subresource behind a slash.
    pub resource: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    verb: &'static str,
    resource: String,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    call: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    call: String,
    result: &'static str,
}

/// How a call to AWS ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was done.
    Done,
    /// There were too many of them.
    Throttled,
    /// It is not allowed, or not possible.
    Refused,
    /// A fault of the service.
    Failed,
    /// No answer came, or none in time.
    Unanswered,
}

impl Ended {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }
}

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// Counts of calls; a copy counts into the same.
#[derive(Clone, Debug)]
pub struct Calls {
    kubernetes: Family<Answered, Counter>,
    kubernetes_seconds: Durations<Asked>,
    aws: Family<ResultLabels, Counter>,
    aws_seconds: Durations<CallLabels>,
}

impl Default for Calls {
    fn default() -> Self {
        // Up to half the deadline of a call.
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.005, 2.5, 9));
        Self {
            kubernetes: Family::default(),
            kubernetes_seconds: Family::new_with_constructor(buckets),
            aws: Family::default(),
            aws_seconds: Family::new_with_constructor(buckets),
        }
    }
}

impl Calls {
    /// Has them told.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kubernetes_calls",
            "Calls to the API server by verb, resource and HTTP status",
            self.kubernetes.clone(),
        );
        registry.register(
            "kubernetes_call_seconds",
            "From a call to the API server to the begin of its answer",
            self.kubernetes_seconds.clone(),
        );
        registry.register(
            "aws_calls",
            "Calls to KMS and STS by result, each attempt for itself",
            self.aws.clone(),
        );
        registry.register(
            "aws_call_seconds",
            "Duration of calls to KMS and STS, each attempt for itself",
            self.aws_seconds.clone(),
        );
    }

    /// A call to the API server ended with this HTTP status, or without one.
    pub fn kubernetes(&self, asked: &Asked, status: Option<u16>, took: Duration) {
        let answered = Answered {
            verb: asked.verb,
            resource: asked.resource.clone(),
            code: status.map_or_else(|| "none".to_owned(), |status| status.to_string()),
        };
        self.kubernetes.get_or_create(&answered).inc();
        let seconds = self.kubernetes_seconds.get_or_create(asked);
        seconds.observe(took.as_secs_f64());
    }

    /// A call to AWS ended; it is named as its permission is: `kms:PutKeyPolicy`.
    pub fn aws(&self, call: &str, ended: Ended, took: Duration) {
        let labels = ResultLabels {
            call: call.to_owned(),
            result: ended.label(),
        };
        self.aws.get_or_create(&labels).inc();
        let call = call.to_owned();
        let seconds = self.aws_seconds.get_or_create(&CallLabels { call });
        seconds.observe(took.as_secs_f64());
    }
}
