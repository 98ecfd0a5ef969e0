//! wait: until the spec's release runs, verified and alone.

use std::fmt::Write;
use std::pin::pin;
use std::time::Duration;

use chamber_api::{ChamberCluster, conditions};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;

use super::{picture, refused};
use crate::output::{Answer, Exit, Failure};

/// What there is to say of a resource that is waited for.
#[derive(Debug, PartialEq)]
enum Seen {
    /// The release of the spec runs alone.
    Settled,
    /// It does not go on by itself, or went back.
    Stopped,
    /// It is on its way, or was not looked at yet.
    Moving,
}

/// Waits; prints the picture at the end, whatever it is.
pub async fn run(
    clusters: &Api<ChamberCluster>,
    name: &str,
    timeout: SignedDuration,
) -> Result<Answer, Failure> {
    let found = clusters.get(name).await;
    found.map_err(|why| refused(name, &why))?;
    let limit = Duration::try_from(timeout).unwrap_or_default();
    let in_time = tokio::time::timeout(limit, end(clusters, name))
        .await
        .is_ok();
    let found = clusters.get(name).await;
    let found = found.map_err(|why| refused(name, &why))?;
    let mut text = picture::draw(&found, Timestamp::now());
    let settled = seen(&found) == Seen::Settled;
    if !in_time && !settled {
        let _ = writeln!(text, "not settled after {timeout:#}");
    }
    Ok(Answer {
        text,
        exit: Exit::of(settled),
    })
}

/// Until it is settled, stopped or gone. A watch that breaks is begun again.
async fn end(clusters: &Api<ChamberCluster>, name: &str) {
    let mut changes = pin!(watch_object(clusters.clone(), name).default_backoff());
    while let Some(change) = changes.next().await {
        match change {
            Ok(Some(found)) if seen(&found) == Seen::Moving => {}
            Ok(_) => return,
            Err(why) => eprintln!("kubectl-chamber: {why}; it is tried again"),
        }
    }
}

fn seen(cluster: &ChamberCluster) -> Seen {
    let Some(status) = &cluster.status else {
        return Seen::Moving;
    };
    // What status says of an older spec is no news.
    if status.observed_generation != cluster.metadata.generation {
        return Seen::Moving;
    }
    let is = |kind: &str| {
        let mut all = status.conditions.iter();
        all.any(|condition| condition.type_ == kind && condition.status == "True")
    };
    if is(conditions::STALLED) {
        Seen::Stopped
    } else if is(conditions::ROLLOVER_COMPLETE) {
        Seen::Settled
    } else {
        Seen::Moving
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cluster(generation: i64, conditions: &[(&str, &str)]) -> ChamberCluster {
        let conditions = conditions.iter().map(|(kind, status)| {
            json!({"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
        });
        let object = json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "generation": 2},
            "spec": {"clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "a"}},
                "keys": {"threshold": 1, "shares": []}, "verification": {"prometheus": {"url": "http://p"}}},
            "status": {"rollovers": 1, "verbs": {}, "observedGeneration": generation,
                "conditions": conditions.collect::<Vec<Value>>()}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn only_what_is_said_of_this_spec_ends_the_waiting() {
        let complete = ("RolloverComplete", "True");
        assert_eq!(seen(&cluster(2, &[complete])), Seen::Settled);
        assert_eq!(
            seen(&cluster(1, &[complete])),
            Seen::Moving,
            "of the spec before"
        );
        assert_eq!(
            seen(&cluster(2, &[("RolloverComplete", "False")])),
            Seen::Moving
        );
        assert_eq!(seen(&cluster(2, &[("Stalled", "True")])), Seen::Stopped);
        assert_eq!(
            seen(&cluster(2, &[complete, ("Stalled", "True")])),
            Seen::Stopped
        );
        assert_eq!(seen(&cluster(1, &[("Stalled", "True")])), Seen::Moving);
        let mut new = cluster(2, &[]);
        new.status = None;
        assert_eq!(seen(&new), Seen::Moving);
    }
}
