//! The pod template: the user's, with what every chamber needs put in.

use std::collections::BTreeMap;

use chamber_api::{ChamberCluster, names};
use kube::ResourceExt;
use rollover::Release;
use serde_json::{Map, Value, json};

/// Seconds that a chamber serves on after it was told to go, so that clients lose no request.
const DRAIN_SECONDS: u32 = 5;

/// The template of a chamber.
pub fn chamber(
    cluster: &ChamberCluster,
    release: &Release,
    labels: &BTreeMap<String, String>,
    managed_sealing: bool,
) -> Value {
    let mut env = identity(cluster, release);
    if managed_sealing {
        env.extend(manifest(cluster));
        let secret = names::sealed_secret(&cluster.name_any(), &release.blob_id());
        env.push(json!({"name": "TEE_AUTO_UNSEAL_BLOB", "valueFrom": {
            "secretKeyRef": {"name": secret, "key": names::BLOB_KEY}}}));
    }
    let mut template = common(cluster, release, labels);
    if let Some(enclave) = enclave(&mut template) {
        put_env(enclave, env);
        enclave
            .entry("readinessProbe")
            .or_insert_with(|| probe("/readyz", 1));
        enclave
            .entry("livenessProbe")
            .or_insert_with(|| probe("/healthz", 10));
        enclave
            .entry("lifecycle")
            .or_insert_with(|| json!({"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}}));
    }
    template
}

/// The template of the seal pod: runs once, answers nobody.
pub fn seal(
    cluster: &ChamberCluster,
    release: &Release,
    labels: &BTreeMap<String, String>,
    request: &str,
) -> Value {
    let mut env = identity(cluster, release);
    env.extend(manifest(cluster));
    env.push(json!({"name": "CHAMBER_SEAL_REQUEST", "value": request}));
    let mut template = common(cluster, release, labels);
    template["spec"]["restartPolicy"] = json!("Never");
    if let Some(enclave) = enclave(&mut template) {
        put_env(enclave, env);
        for answers in [
            "readinessProbe",
            "livenessProbe",
            "startupProbe",
            "lifecycle",
        ] {
            enclave.remove(answers);
        }
    }
    template
}

/// The cluster manifest as the host passes it on. It is public, and believed for its signatures alone.
fn manifest(cluster: &ChamberCluster) -> Option<Value> {
    let value = chamber_resource::manifest::text(&cluster.spec)?;
    Some(json!({"name": "CHAMBER_MANIFEST", "value": value}))
}

/// Who this pod is, and the only image that its host may boot.
fn identity(cluster: &ChamberCluster, release: &Release) -> Vec<Value> {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    vec![
        json!({"name": "CHAMBER_CLUSTER_ID", "value": cluster.spec.cluster_id}),
        json!({"name": "CHAMBER_IMAGE_SHA384", "value": release.measurement.image_sha384.to_string()}),
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
    ]
}

fn common(cluster: &ChamberCluster, release: &Release, labels: &BTreeMap<String, String>) -> Value {
    let mut template = with_containers(&cluster.spec.chambers.template);
    for (name, value) in labels {
        template["metadata"]["labels"][name] = json!(value);
    }
    if let Some(enclave) = enclave(&mut template) {
        enclave.insert("image".to_owned(), json!(release.image));
    }
    template
}

/// The user's template, or the generated one where it has no containers.
pub fn with_containers(template: &Value) -> Value {
    if template.pointer("/spec/containers").is_some() {
        return template.clone();
    }
    let mut generated = if template.is_object() {
        template.clone()
    } else {
        json!({})
    };
    generated["spec"] = json!({
        "automountServiceAccountToken": false,
        // No seccomp profile: the runtime's default forbids AF_VSOCK, which a host reaches its enclave by.
        "securityContext": {"runAsNonRoot": true},
        "containers": [{
            "name": names::ENCLAVE_CONTAINER,
            "ports": [
                {"name": "http", "containerPort": 9000},
                {"name": names::METRICS_PORT, "containerPort": 3000}
            ],
            "resources": {"limits": {"aws.ec2.nitro/nitro_enclaves": "1"}},
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]}
            }
        }]
    });
    generated
}

fn enclave(template: &mut Value) -> Option<&mut Map<String, Value>> {
    let containers = template.pointer_mut("/spec/containers")?.as_array_mut()?;
    let enclave = containers
        .iter_mut()
        .find(|container| container["name"] == names::ENCLAVE_CONTAINER)?;
    enclave.as_object_mut()
}

/// The operator's variables replace the user's of the same name.
fn put_env(enclave: &mut Map<String, Value>, env: Vec<Value>) {
    let given = enclave.remove("env").unwrap_or_default();
    let mut all: Vec<Value> = given.as_array().cloned().unwrap_or_default();
    all.retain(|variable| env.iter().all(|ours| ours["name"] != variable["name"]));
    all.extend(env);
    enclave.insert("env".to_owned(), Value::Array(all));
}

fn probe(path: &str, period: u32) -> Value {
    json!({"httpGet": {"path": path, "port": names::METRICS_PORT}, "periodSeconds": period, "failureThreshold": 3})
}

#[cfg(test)]
mod tests {
    use super::*;
    use measurement::{Measurement, Pcr};

    fn cluster(template: &Value) -> ChamberCluster {
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "u"},
            "spec": {
                "clusterId": "test-local-signer",
                "release": {"image": "chamber:v1", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": []},
                "chambers": {"template": template},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }))
        .unwrap()
    }

    fn release() -> Release {
        Release {
            image: "chamber:v1".into(),
            measurement: Measurement::image(Pcr::from_bytes([0xab; 48])),
            revision: "0123456789".into(),
            generation: 1,
        }
    }

    #[test]
    fn the_users_template_stays_and_the_image_and_blob_are_put_in() {
        let given = json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"newField": {"x": 1}, "containers": [
            {"name": "sidecar", "image": "s"},
            {"name": "enclave", "env": [{"name": "POD_NAME", "value": "wrong"}, {"name": "AWS_REGION", "value": "us-east-1"}],
             "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}]}});
        let made = chamber(
            &cluster(&given),
            &release(),
            &BTreeMap::from([("l".into(), "v".into())]),
            true,
        );
        assert_eq!(made["metadata"]["annotations"]["a"], "b");
        assert_eq!(made["metadata"]["labels"]["l"], "v");
        assert_eq!(made["spec"]["newField"]["x"], 1);
        assert_eq!(
            made["spec"]["containers"][0],
            json!({"name": "sidecar", "image": "s"})
        );
        let enclave = &made["spec"]["containers"][1];
        assert_eq!(enclave["image"], "chamber:v1");
        assert_eq!(enclave["lifecycle"]["preStop"]["sleep"]["seconds"], 1);
        assert_eq!(enclave["readinessProbe"]["httpGet"]["path"], "/readyz");
        let names: Vec<_> = enclave["env"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "AWS_REGION",
                "CHAMBER_CLUSTER_ID",
                "CHAMBER_IMAGE_SHA384",
                "POD_NAME",
                "POD_NAMESPACE",
                "TEE_AUTO_UNSEAL_BLOB"
            ]
        );
        assert_eq!(
            enclave["env"][2]["value"],
            release().measurement.image_sha384.to_string()
        );
        assert_eq!(
            enclave["env"][3]["valueFrom"]["fieldRef"]["fieldPath"],
            "metadata.name"
        );
    }

    #[test]
    fn external_sealing_gets_no_blob() {
        let made = chamber(&cluster(&json!({})), &release(), &BTreeMap::new(), false);
        assert!(!made.to_string().contains("TEE_AUTO_UNSEAL_BLOB"));
    }

    #[test]
    fn the_manifest_goes_to_chambers_and_to_the_seal_pod() {
        let mut cluster = cluster(&json!({}));
        let arn = "arn:aws:kms:us-east-1:111122223333:key/a";
        cluster.spec.keys.shares =
            serde_json::from_value(json!([{"name": "a", "arn": arn, "management": "Observed"}]))
                .unwrap();
        let made = chamber(&cluster, &release(), &BTreeMap::new(), true);
        assert!(!made.to_string().contains("CHAMBER_MANIFEST"));
        let manifest = json!({
            "body": {"kind": "SealPermit", "clusterId": "test-local-signer", "generation": 1,
                "threshold": 1, "keys": [arn], "signers": ["cd".repeat(48)]},
            "signatures": [{"authority": "ab".repeat(32), "signature": "A".repeat(128)}]
        });
        cluster.spec.manifest = Some(serde_json::from_value(manifest).unwrap());
        let text = chamber_resource::manifest::text(&cluster.spec).unwrap();
        let variable = json!({"name": "CHAMBER_MANIFEST", "value": text});
        for made in [
            chamber(&cluster, &release(), &BTreeMap::new(), true),
            seal(&cluster, &release(), &BTreeMap::new(), "{}"),
        ] {
            let env = made["spec"]["containers"][0]["env"].as_array().unwrap();
            assert!(env.contains(&variable), "{env:?}");
        }
    }

    #[test]
    fn the_seal_pod_runs_once_and_is_probed_by_nobody() {
        let made = seal(&cluster(&json!({})), &release(), &BTreeMap::new(), "{}");
        assert_eq!(made["spec"]["restartPolicy"], "Never");
        let enclave = &made["spec"]["containers"][0];
        assert!(enclave.get("readinessProbe").is_none() && enclave.get("lifecycle").is_none());
        assert!(enclave.to_string().contains("CHAMBER_SEAL_REQUEST"));
    }
}
