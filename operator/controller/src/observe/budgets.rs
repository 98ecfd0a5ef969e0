//! The disruption budgets over the chambers: the operator's own, and any that somebody else made.

use chamber_api::ChamberCluster;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt};
use kube::{Api, ResourceExt};

use crate::context::Context;
use crate::objects::labels;

/// How many unsealed chambers every budget allows to stop now. A budget whose status is behind allows none.
pub async fn allowed(ctx: &Context, cluster: &ChamberCluster) -> Result<u32, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let budgets = Api::<PodDisruptionBudget>::namespaced(ctx.client.clone(), &namespace);
    let chambers = labels::chambers(cluster);
    let found = budgets.list(&ListParams::default()).await?;
    let over = found.items.iter().filter(|budget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
        selector.is_some_and(|selector| selects(selector, &chambers))
    });
    Ok(over.map(disruptions).min().unwrap_or(u32::MAX))
}

/// A selector that cannot be read counts as one that selects.
fn selects(selector: LabelSelector, labels: &std::collections::BTreeMap<String, String>) -> bool {
    Selector::try_from(selector).map_or(true, |selector| selector.matches(labels))
}

fn disruptions(budget: &PodDisruptionBudget) -> u32 {
    let Some(status) = &budget.status else {
        return 0;
    };
    if status.observed_generation < budget.metadata.generation {
        return 0;
    }
    u32::try_from(status.disruptions_allowed).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn budget(status: &serde_json::Value) -> PodDisruptionBudget {
        serde_json::from_value(json!({"metadata": {"generation": 2}, "status": status})).unwrap()
    }

    #[test]
    fn a_budget_whose_status_is_behind_allows_nothing() {
        let status = |generation| {
            json!({"observedGeneration": generation, "disruptionsAllowed": 2, "currentHealthy": 3,
                   "desiredHealthy": 1, "expectedPods": 3})
        };
        assert_eq!(disruptions(&budget(&status(2))), 2);
        assert_eq!(disruptions(&budget(&status(1))), 0);
        assert_eq!(disruptions(&PodDisruptionBudget::default()), 0);
    }

    #[test]
    fn only_budgets_over_the_chambers_count() {
        let labels = [("a".to_owned(), "1".to_owned())].into();
        let select =
            |value: serde_json::Value| selects(serde_json::from_value(value).unwrap(), &labels);
        assert!(select(json!({"matchLabels": {"a": "1"}})));
        assert!(select(json!({})));
        assert!(!select(json!({"matchLabels": {"a": "2"}})));
        assert!(select(
            json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]})
        ));
        // What cannot be read may be over the chambers.
        assert!(select(
            json!({"matchExpressions": [{"key": "b", "operator": "Near"}]})
        ));
    }
}
