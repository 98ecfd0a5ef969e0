//! What the two audit logs tell, in one order.

use std::collections::BTreeMap;

use chamber_api::names::{MEASUREMENT_LABEL, ROLE_LABEL};
use demo::emulator::AuditEntry;
use jiff::Timestamp;
use serde_json::Value;

use crate::audit::Entry;

/// Part of the name of every sealed Secret.
const SEALED: &str = "-sealed-";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuditEvent {
    /// When it was asked for (API server) or done (emulator): what caused another thing is never later than that.
    pub at: Timestamp,
    pub what: What,
}

/// What happened. Pods are the tenant's chambers and its seal pod, by name; measurements are whole `ImageSha384`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A key's policy admits these measurements now.
    PolicyPut { key: String, admits: Vec<String> },
    /// A pod was made.
    PodMade {
        pod: String,
        measurement: String,
        seals: bool,
    },
    /// The kubelet or the node controller reported a pod.
    PodSeen { pod: String, unsealed: bool },
    /// A pod was asked to end.
    PodStopped { pod: String, by: String },
    /// A pod is gone.
    PodGone { pod: String },
    /// A sealed Secret was made.
    BlobMade { name: String },
    /// A sealed Secret was written or deleted.
    BlobTouched {
        name: String,
        verb: String,
        by: String,
    },
}

/// Merges the logs. `measurements` maps ids, as labels have them, to whole values.
pub(super) fn merge(
    requests: &[Entry],
    calls: &[AuditEntry],
    measurements: &BTreeMap<String, String>,
) -> Vec<AuditEvent> {
    let requests = requests.iter().filter(|request| request.done());
    let requests = requests.filter_map(|request| {
        let what = of_request(request, measurements)?;
        let at = request.at()?;
        Some(AuditEvent { at, what })
    });
    let calls = calls.iter().filter_map(|call| {
        let what = of_call(call)?;
        Some(AuditEvent {
            at: call.time,
            what,
        })
    });
    let mut all: Vec<_> = requests.chain(calls).collect();
    all.sort_by_key(|event| event.at);
    all
}

fn of_call(call: &AuditEntry) -> Option<What> {
    let put = call.operation == "PutKeyPolicy" && call.outcome == "ok";
    put.then(|| What::PolicyPut {
        key: call.key.clone().unwrap_or_default(),
        admits: call.admitted.clone().unwrap_or_default(),
    })
}

fn of_request(request: &Entry, measurements: &BTreeMap<String, String>) -> Option<What> {
    let name = request.name().to_owned();
    match (request.resource(), request.subresource(), request.verb()) {
        ("secrets", "", verb) if name.contains(SEALED) => match verb {
            "create" => Some(What::BlobMade { name }),
            "get" | "list" | "watch" => None,
            _ => Some(What::BlobTouched {
                name,
                verb: verb.to_owned(),
                by: request.user().to_owned(),
            }),
        },
        ("pods", sub, verb) => of_pod(request, name, sub, verb, measurements),
        _ => None,
    }
}

fn of_pod(
    request: &Entry,
    pod: String,
    sub: &str,
    verb: &str,
    measurements: &BTreeMap<String, String>,
) -> Option<What> {
    // Helpers have no such label.
    let id = request.label(MEASUREMENT_LABEL)?;
    match (sub, verb) {
        ("", "create") => Some(What::PodMade {
            pod,
            measurement: measurements.get(id).map_or(id, String::as_str).to_owned(),
            seals: request.label(ROLE_LABEL) == Some("seal"),
        }),
        ("", "delete") => {
            let grace = request.answered("/metadata/deletionGracePeriodSeconds");
            if grace.and_then(Value::as_u64) == Some(0) {
                return Some(What::PodGone { pod });
            }
            let by = request.user().to_owned();
            Some(What::PodStopped { pod, by })
        }
        ("status", _) => Some(What::PodSeen {
            pod,
            unsealed: is_ready(request),
        }),
        _ => None,
    }
}

fn is_ready(request: &Entry) -> bool {
    let conditions = request.answered("/status/conditions");
    let conditions = conditions.and_then(Value::as_array);
    conditions.is_some_and(|all| {
        all.iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    })
}
