//! Other `ChamberClusters` that claim the same cluster id or the same key.

use chamber_api::ChamberCluster;
use kube::ResourceExt;
use rollover::{OwnershipConflict, Reason};

use crate::bindings::Bindings;
use crate::context::Context;

/// The first older claim. The older resource keeps what both claim; the later one is blocked.
pub fn find(ctx: &Context, cluster: &ChamberCluster) -> Option<OwnershipConflict> {
    let others: Vec<_> = ctx
        .clusters
        .iter()
        .flat_map(kube::runtime::reflector::Store::state)
        .collect();
    let others = others.iter().map(std::convert::AsRef::as_ref);
    first(others, &ctx.settings.bindings, cluster)
}

/// What its namespace is not bound to is not claimed by a resource: whoever may make one could block everybody else.
fn first<'a>(
    others: impl Iterator<Item = &'a ChamberCluster>,
    bindings: &Bindings,
    cluster: &ChamberCluster,
) -> Option<OwnershipConflict> {
    others
        .filter(|other| other.uid() != cluster.uid() && older(other, cluster))
        .filter(|other| bindings.check(other).is_ok())
        .find_map(|other| conflict(other, cluster))
}

fn older(other: &ChamberCluster, cluster: &ChamberCluster) -> bool {
    let age = |c: &ChamberCluster| {
        let created = c.creation_timestamp().map(|time| time.0);
        (created, c.namespace(), c.name_any())
    };
    age(other) < age(cluster)
}

fn conflict(other: &ChamberCluster, cluster: &ChamberCluster) -> Option<OwnershipConflict> {
    let name = format!(
        "{}/{}",
        other.namespace().unwrap_or_default(),
        other.name_any()
    );
    if other.spec.cluster_id == cluster.spec.cluster_id {
        return Some(OwnershipConflict {
            reason: Reason::DuplicateClusterId,
            message: format!(
                "spec.clusterId {} is taken by the older ChamberCluster {name}: either one could open the other's master key. Choose another one",
                other.spec.cluster_id
            ),
        });
    }
    let mut arns = cluster.spec.keys.shares.iter().map(|share| &share.arn);
    let shared = arns.find(|arn| {
        other
            .spec
            .keys
            .shares
            .iter()
            .any(|share| share.arn == **arn)
    })?;
    Some(OwnershipConflict {
        reason: Reason::DuplicateKey,
        message: format!(
            "spec.keys.shares names {shared}, which the older ChamberCluster {name} has: each cluster needs keys of its own"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(name: &str, id: &str, key: &str, created: &str) -> ChamberCluster {
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": name, "namespace": "n", "uid": name, "creationTimestamp": created},
            "spec": {
                "clusterId": id,
                "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": [{"name": "a", "arn": key}]},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }))
        .unwrap()
    }

    #[test]
    fn the_later_of_two_is_the_one_that_is_blocked() {
        let first = cluster("b", "one", "k1", "2026-11-01T10:00:00Z");
        let second = cluster("a", "two", "k1", "2026-11-01T10:00:01Z");
        assert!(older(&first, &second) && !older(&second, &first));
        assert_eq!(
            conflict(&first, &second).unwrap().reason,
            Reason::DuplicateKey
        );
        let same_id = cluster("c", "one", "k2", "2026-11-01T10:00:02Z");
        assert_eq!(
            conflict(&first, &same_id).unwrap().reason,
            Reason::DuplicateClusterId
        );
        assert_eq!(conflict(&second, &same_id), None);
    }

    #[test]
    fn an_older_resource_that_bindings_refuse_has_no_claim() {
        let squatter = cluster("b", "one", "k1", "2026-11-01T10:00:00Z");
        let mut rightful = cluster("a", "one", "k1", "2026-11-01T10:00:01Z");
        rightful.metadata.namespace = Some("prod".into());
        let bound = |namespace: &str| {
            let text = json!([{"namespaces": [namespace], "keys": ["k1"]}]);
            crate::bindings::parse(&text.to_string()).unwrap()
        };
        let found = |bindings: &Bindings| first([&squatter].into_iter(), bindings, &rightful);
        assert_eq!(found(&bound("prod")), None);
        assert!(found(&bound("n")).is_some());
        assert!(found(&Bindings::default()).is_some());
    }
}
