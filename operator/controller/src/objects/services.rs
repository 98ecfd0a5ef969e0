//! Services: one of unsealed chambers, one headless of all.

use chamber_api::{ChamberCluster, names};
use k8s_openapi::api::core::v1::{Container, ContainerPort, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::objects::{labels, owners, template};

/// Ready pods only, and ready means unsealed.
pub fn unsealed(cluster: &ChamberCluster) -> Service {
    service(cluster, cluster.name_any(), ServiceSpec::default())
}

/// All chambers, sealed ones too.
pub fn headless(cluster: &ChamberCluster) -> Service {
    let spec = ServiceSpec {
        cluster_ip: Some("None".to_owned()),
        publish_not_ready_addresses: Some(true),
        ..ServiceSpec::default()
    };
    service(cluster, names::headless_service(&cluster.name_any()), spec)
}

/// Whether there is a port to serve; the API server takes no Service without one.
pub fn has_ports(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.ports.as_ref())
        .is_some_and(|ports| !ports.is_empty())
}

fn service(cluster: &ChamberCluster, name: String, spec: ServiceSpec) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: cluster.namespace(),
            labels: Some(labels::common(cluster)),
            owner_references: owners(cluster),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            selector: Some(labels::chambers(cluster)),
            ports: Some(ports(cluster)),
            ..spec
        }),
        ..Service::default()
    }
}

/// The ports of container `enclave`, but for its metrics.
fn ports(cluster: &ChamberCluster) -> Vec<ServicePort> {
    let template = template::with_containers(&cluster.spec.chambers.template);
    let containers = template
        .pointer("/spec/containers")
        .cloned()
        .unwrap_or_default();
    let containers: Vec<Container> = serde_json::from_value(containers).unwrap_or_default();
    let enclave = containers
        .into_iter()
        .find(|container| container.name == names::ENCLAVE_CONTAINER);
    let ports: Vec<ContainerPort> = enclave
        .and_then(|enclave| enclave.ports)
        .unwrap_or_default();
    ports
        .into_iter()
        .filter(|port| port.name.as_deref() != Some(names::METRICS_PORT))
        .map(|port| ServicePort {
            name: port
                .name
                .clone()
                .or(Some(format!("port-{}", port.container_port))),
            port: port.container_port,
            target_port: Some(IntOrString::Int(port.container_port)),
            protocol: port.protocol.or(Some("TCP".to_owned())),
            ..ServicePort::default()
        })
        .collect()
}
