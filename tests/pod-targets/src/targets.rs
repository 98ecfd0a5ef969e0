//! What of a pod is scraped.

use k8s_openapi::api::core::v1::{Container, Pod};
use serde::Serialize;

/// One entry of Prometheus' HTTP discovery.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `address:port`, one.
    targets: [String; 1],
    labels: Labels,
}

/// Labels that the operator asks by.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Labels {
    namespace: String,
    pod: String,
}

/// The pod's ports of this name, as long as it has an address and has not ended.
pub fn of_pod(pod: &Pod, port: &str) -> Vec<Target> {
    let Some(address) = address(pod) else {
        return Vec::new();
    };
    let containers: &[Container] = pod.spec.as_ref().map_or(&[], |spec| &spec.containers);
    let ports = containers
        .iter()
        .flat_map(|container| container.ports.iter().flatten());
    ports
        .filter(|found| found.name.as_deref() == Some(port))
        .map(|found| Target {
            targets: [format!("{address}:{}", found.container_port)],
            labels: Labels {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                pod: pod.metadata.name.clone().unwrap_or_default(),
            },
        })
        .collect()
}

fn address(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let address = status.pod_ip.clone().filter(|_| !ended)?;
    Some(if address.contains(':') {
        format!("[{address}]")
    } else {
        address
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(phase: &str, address: Option<&str>) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"containers": [
                {"name": "other"},
                {"name": "enclave", "ports": [
                    {"name": "http", "containerPort": 9000},
                    {"name": "metrics", "containerPort": 3000},
                ]},
            ]},
            "status": {"phase": phase, "podIP": address},
        }))
        .unwrap()
    }

    #[test]
    fn a_target_in_prometheus_form() {
        let found = of_pod(&pod("Running", Some("10.0.0.1")), "metrics");
        assert_eq!(
            serde_json::to_value(found).unwrap(),
            json!([{"targets": ["10.0.0.1:3000"], "labels": {"namespace": "n", "pod": "p"}}])
        );
    }

    #[test]
    fn pods_without_address_or_that_ended_are_none() {
        assert!(of_pod(&pod("Pending", None), "metrics").is_empty());
        assert!(of_pod(&pod("Succeeded", Some("10.0.0.1")), "metrics").is_empty());
        assert!(of_pod(&pod("Running", Some("10.0.0.1")), "other").is_empty());
    }

    #[test]
    fn addresses_with_colons_are_bracketed() {
        let found = of_pod(&pod("Running", Some("fd00::1")), "metrics");
        assert_eq!(found[0].targets, ["[fd00::1]:3000"]);
    }
}
