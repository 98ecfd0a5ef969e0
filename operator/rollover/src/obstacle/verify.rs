//! What still has to prove the target: time, Prometheus, and the chambers themselves.

use std::fmt::{self, Display, Formatter};

use jiff::{SignedDuration, Timestamp};

use crate::Reason;

/// What Admit and Verify wait for before the next step, or what speaks against it.
#[derive(Clone, Debug, PartialEq)]
pub enum VerifyObstacle {
    /// The policies are given until then to take effect.
    Settling(Timestamp),
    /// The soak time is not over until then.
    Soaking(Timestamp),
    /// Prometheus has no sample of the pod that is so old and shows it unsealed.
    SoakingByPrometheus(String, SignedDuration),
    /// No chamber of the release is wanted.
    NoChamber(String),
    /// Prometheus cannot be asked; why, and what waits for it.
    Unavailable(String, &'static str),
    /// It is another cluster's turn.
    Deferred,
    /// A query says too little of a pod.
    Inconclusive(Query),
    /// So many attestations of the pod were rejected within that time.
    Rejected(String, f64, SignedDuration),
    /// Prometheus has no sample of a share opened by the pod: name and ARN of the key.
    Unopened(String, String, String),
    /// The chamber itself attests that it unsealed without the share of this key.
    AttestsUnopened(String, String),
    /// What the chamber attests contradicts: pod, node, why.
    Refused(String, Option<String>, String),
    /// The chamber does not attest; why.
    Silent(String, String),
    /// The chambers were asked a moment ago.
    AskedBefore,
}

/// Which query says too little of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// `unsealed` gives no series.
    NoSeries(String),
    /// `unsealed` gives no time of a sample.
    NoTime(String),
    /// Its last sample is from before the start.
    Old {
        /// The pod.
        pod: String,
        /// Time of the sample.
        at: Timestamp,
        /// Start of the container.
        started: Timestamp,
    },
    /// `unsealed` gives less than 1.
    Sealed(String, f64),
    /// `rejected` gives no series.
    NoRejections(String),
}

impl VerifyObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Settling(_) => Reason::Settling,
            Self::Soaking(_) | Self::SoakingByPrometheus(..) => Reason::Soaking,
            Self::Unavailable(..) => Reason::PrometheusUnavailable,
            Self::NoChamber(_) | Self::Deferred | Self::Inconclusive(_) => {
                Reason::MetricsInconclusive
            }
            Self::Rejected(..) => Reason::AttestationRejected,
            Self::Unopened(..) | Self::AttestsUnopened(..) => Reason::ShareUnopened,
            Self::Refused(..) => Reason::AttestationRefused,
            Self::Silent(..) | Self::AskedBefore => Reason::AttestationMissing,
        }
    }
}

impl Display for VerifyObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settling(until) => {
                write!(f, "the policies are given until {until:.0} to take effect")
            }
            Self::Soaking(until) => write!(
                f,
                "all chambers are unsealed; no attestation may be rejected until {until:.0}"
            ),
            Self::SoakingByPrometheus(pod, soak) => write!(
                f,
                "Prometheus has no sample yet of chamber {pod} that is {soak:#} old and shows it unsealed: soakTime is not over by its clock"
            ),
            Self::NoChamber(revision) => write!(
                f,
                "no chamber is wanted, so nothing proves that release {revision} unseals. Set spec.chambers.replicas to 1 at least"
            ),
            Self::Unavailable(why, waits) => {
                write!(f, "spec.verification.prometheus: {why}. {waits}")
            }
            Self::Deferred => f.write_str(
                "spec.verification.prometheus: this server is asked once a second at most, for all clusters together; the turn of this one comes by itself",
            ),
            Self::Inconclusive(query) => write!(f, "spec.verification.queries.{query}"),
            Self::Rejected(pod, count, soak) => write!(
                f,
                "KMS rejected {count} attestations of chamber {pod} within the last {soak:#}: a key policy does not admit it everywhere yet"
            ),
            Self::Unopened(pod, key, arn) => write!(
                f,
                "chamber {pod} unsealed without the share of key {key} (no chamber_tee_share_total{{result=\"opened\",key={arn:?}}} since its start): put the key right and delete the pod, so that its successor opens every share, or accept it by name in spec.keys.acceptAtRisk"
            ),
            Self::AttestsUnopened(pod, key) => write!(
                f,
                "chamber {pod} attests that it unsealed without the share of key {key}: put the key right and delete the pod, so that its successor opens every share, or accept it by name in spec.keys.acceptAtRisk"
            ),
            Self::Refused(pod, node, why) => write!(
                f,
                "chamber {pod} on node {} does not attest what it should: {why}. Retire waits until every chamber does; where nothing explains it, treat the node as hostile, drain it and delete the pod",
                node.as_deref().unwrap_or("(none)")
            ),
            Self::Silent(pod, why) => write!(
                f,
                "chamber {pod} does not attest: {why}. It is asked again; an image that cannot answer passes only with spec.verification.attestation: Disabled, which leaves the proof to Prometheus, and not while spec.keys.policy.pins has PCR16"
            ),
            Self::AskedBefore => f.write_str(
                "the chambers were asked to attest a moment ago; they are asked again by themselves",
            ),
        }
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSeries(pod) => write!(
                f,
                "unsealed gives no series for pod {pod}: check that Prometheus scrapes the chambers and keeps the labels `namespace` and `pod`"
            ),
            Self::NoTime(pod) => write!(f, "unsealed gives no time of a sample for pod {pod}"),
            Self::Old { pod, at, started } => write!(
                f,
                "unsealed has its last sample of pod {pod} at {at:.0}, before its start at {started:.0}: check that Prometheus scrapes it"
            ),
            Self::Sealed(pod, unsealed) => write!(
                f,
                "unsealed gives {unsealed} for pod {pod}, which is ready: expected 1 or more"
            ),
            Self::NoRejections(pod) => write!(
                f,
                "rejected gives no series for pod {pod}; a counter that appears with the first rejection needs `or` with one that is always there"
            ),
        }
    }
}
