//! What operator and command line need of a chamber's pod.

use chamber_api::names;
use k8s_openapi::api::core::v1::Pod;

/// The port of a pod's host process; none where its container `enclave` names no port `metrics`.
pub fn host_port(pod: &Pod) -> Option<u16> {
    let mut containers = pod.spec.as_ref()?.containers.iter();
    let enclave = containers.find(|container| container.name == names::ENCLAVE_CONTAINER)?;
    let mut ports = enclave.ports.iter().flatten();
    let port = ports.find(|port| port.name.as_deref() == Some(names::METRICS_PORT))?;
    u16::try_from(port.container_port).ok()
}
