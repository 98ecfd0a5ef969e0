//! What is applied around the operator: namespaces, KMS emulator, Prometheus, Secrets, helper pods.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::aws::{REGION, Tenant};

/// Namespace of the KMS emulator.
pub const AWS_NAMESPACE: &str = "aws";
/// Namespace of Prometheus.
pub const MONITORING_NAMESPACE: &str = "monitoring";
/// Namespace and name of the operator's release.
pub const OPERATOR: &str = "chamber-operator";
/// Secret with the operator's access key.
pub const OPERATOR_CREDENTIALS: &str = "chamber-operator-aws";
/// Secret with the chambers' session, in the tenant's namespace.
pub const CHAMBER_CREDENTIALS: &str = "chamber-aws";
/// Secret with a session of the admin role, in the tenant's namespace; only probes use it.
pub const ADMIN_CREDENTIALS: &str = "admin-aws";
/// Secret with the stand-in for the security module's signing key, in the tenant's namespace.
pub const NSM_SIGNER: &str = "nsm-signer";
/// KMS and STS as pods reach them.
pub const KMS_URL: &str = "http://kms-emulator.aws:4566";
/// KMS over TLS.
pub const KMS_TLS: &str = "kms-emulator.aws:443";
/// Prometheus as the operator reaches it.
pub const PROMETHEUS_URL: &str = "http://prometheus.monitoring:9090";

/// The namespaces that every environment has.
pub const NAMESPACES: &str = include_str!("../manifests/namespaces.yaml");
/// Deployment and Service of the KMS emulator.
pub const KMS_EMULATOR: &str = include_str!("../manifests/kms-emulator.yaml");
/// Prometheus, with the right to find pods.
pub const PROMETHEUS: &str = include_str!("../manifests/prometheus.yaml");

/// A namespace that admits restricted pods only.
pub fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    })
}

/// A Secret.
pub fn secret(namespace: &str, name: &str, data: &BTreeMap<&str, &str>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": data,
    })
}

/// The Secrets that a tenant's pods use. `nsm_signer` is the file form of the stand-in's signing key.
pub fn tenant_secrets(tenant: &Tenant, nsm_signer: &str) -> [Value; 3] {
    let signer = BTreeMap::from([("nsm-signer.json", nsm_signer)]);
    [
        secret(
            &tenant.namespace,
            CHAMBER_CREDENTIALS,
            &tenant.chamber.environment(),
        ),
        secret(
            &tenant.namespace,
            ADMIN_CREDENTIALS,
            &tenant.admin.environment(),
        ),
        secret(&tenant.namespace, NSM_SIGNER, &signer),
    ]
}

/// A pod's security context as the restricted standard wants it.
pub fn pod_security() -> Value {
    json!({"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}})
}

/// A container's security context as the restricted standard wants it.
pub fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

/// Where a pod finds KMS.
pub fn aws_environment() -> Value {
    json!([
        {"name": "AWS_REGION", "value": REGION},
        {"name": "AWS_ENDPOINT_URL_KMS", "value": KMS_URL},
        {"name": "AWS_ENDPOINT_URL_STS", "value": KMS_URL},
    ])
}

/// The volume of the stand-in's signing key, as container mount and pod volume.
pub fn nsm_volume() -> (Value, Value) {
    let mount = json!({"name": "nsm", "mountPath": "/etc/nsm", "readOnly": true});
    let volume = json!({"name": "nsm", "secret": {"secretName": NSM_SIGNER}});
    (mount, volume)
}

/// A pod that runs once: `dev-chamber` of `image` with `arguments`.
pub fn helper_pod(
    namespace: &str,
    name: &str,
    image: &str,
    arguments: &[String],
    extra: Value,
) -> Value {
    let mut container = json!({
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/dev-chamber"],
        "args": arguments,
        "securityContext": container_security(),
    });
    if let (Some(container), Value::Object(extra)) = (container.as_object_mut(), extra) {
        container.extend(extra);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "demo-helper"}},
        "spec": {
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 2,
            "securityContext": pod_security(),
            "containers": [container],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::documents;

    #[test]
    fn files_are_objects_with_a_name() {
        for file in [NAMESPACES, KMS_EMULATOR, PROMETHEUS] {
            let objects = documents(file).unwrap();
            assert!(objects.len() > 1);
            for object in objects {
                assert!(object["kind"].is_string() && object["metadata"]["name"].is_string());
            }
        }
    }

    #[test]
    fn helper_pods_take_what_is_added_to_their_container() {
        let pod = helper_pod("n", "p", "i", &["probe".into()], json!({"envFrom": [1]}));
        assert_eq!(pod["spec"]["containers"][0]["envFrom"], json!([1]));
        assert_eq!(pod["spec"]["containers"][0]["args"], json!(["probe"]));
    }
}
