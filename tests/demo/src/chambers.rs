//! The `ChamberCluster` of a tenant, as a user would write it.

use serde_json::{Value, json};

use crate::aws::{REGION, Tenant};
use crate::manifests::{
    CHAMBER_CREDENTIALS, KMS_TLS, PROMETHEUS_URL, aws_environment, container_security, nsm_volume,
    pod_security,
};
use crate::releases::{Form, Release};

/// What tests vary; the default is the demo's.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Chambers.
    pub replicas: u32,
    /// Shares that open the master key.
    pub threshold: usize,
    /// From the last policy write to the first start.
    pub settle_time: String,
    /// Time without a rejection before Retire.
    pub soak_time: String,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            replicas: 3,
            threshold: 2,
            settle_time: "2s".into(),
            soak_time: "5s".into(),
        }
    }
}

/// The whole object, for server-side apply.
pub fn chamber_cluster(tenant: &Tenant, release: &Release, shape: &Shape) -> Value {
    let mut object = json!({
        "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": tenant.name, "namespace": tenant.namespace},
        "spec": {
            "clusterId": tenant.cluster_id,
            "release": {"image": release.image, "measurement": release.measurement},
            "keys": {"threshold": shape.threshold, "shares": shares(tenant)},
            "chambers": {"replicas": shape.replicas, "template": template(release.form)},
            "sealing": "Managed",
            "verification": {"prometheus": {"url": PROMETHEUS_URL}, "soakTime": shape.soak_time},
            "rollover": {"maxUnavailable": 1, "maxSurge": 0, "settleTime": shape.settle_time},
        },
    });
    if !release.authorities.is_empty() {
        object["spec"]["release"]["authorities"] = json!(release.authorities);
    }
    object
}

/// One share a key, named a, b, c and so on; the operator manages all of them.
fn shares(tenant: &Tenant) -> Value {
    let share = |(name, arn): (char, String)| {
        json!({
            "name": name.to_string(),
            "arn": arn,
            "management": "Managed",
            "assumeRoleArn": tenant.admin_role_arn(),
        })
    };
    ('a'..='z').zip(tenant.key_arns()).map(share).collect()
}

/// What the operator cannot know: where KMS is, as whom, and where the stand-in of the security module finds its key.
fn template(form: Form) -> Value {
    let (mount, volume) = nsm_volume();
    let (mut environment, mut mounts, mut volumes) =
        (aws_environment(), json!([mount]), json!([volume]));
    if form == Form::Enclave {
        // The agent knows KMS's real endpoints alone: the host's relay leads those to the emulator.
        environment = json!([
            {"name": "AWS_REGION", "value": REGION},
            {"name": "CHAMBER_TEST_KMS", "value": KMS_TLS},
        ]);
        // Sockets of the emulated devices.
        mounts = json!([mounts[0], {"name": "run", "mountPath": "/run"}]);
        volumes = json!([volumes[0], {"name": "run", "emptyDir": {"medium": "Memory"}}]);
    }
    json!({"spec": {
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 15,
        "securityContext": pod_security(),
        "containers": [{
            "name": "enclave",
            "imagePullPolicy": "IfNotPresent",
            "ports": [
                {"name": "http", "containerPort": 9000},
                {"name": "metrics", "containerPort": 3000},
            ],
            "env": environment,
            "envFrom": [{"secretRef": {"name": CHAMBER_CREDENTIALS}}],
            "volumeMounts": mounts,
            "securityContext": container_security(),
        }],
        "volumes": volumes,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_tenant_is_a_share_of_its_own() {
        let tenant = Tenant::new("demo", "signer", "id", 3).unwrap();
        let release = Release {
            name: "v1",
            image: "image".into(),
            measurement: json!({}),
            authorities: Vec::new(),
            form: Form::Process,
        };
        let object = chamber_cluster(&tenant, &release, &Shape::default());
        let shares = object["spec"]["keys"]["shares"].as_array().unwrap();
        let names: Vec<_> = shares
            .iter()
            .map(|share| share["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(shares[2]["arn"], tenant.key_arns()[2]);
    }

    /// What the API server's schema would say first: unknown fields are dropped silently there.
    #[test]
    fn the_object_is_what_the_types_say() {
        let tenant = Tenant::new("demo", "signer", "id", 3).unwrap();
        let release = Release {
            name: "v1",
            image: "image".into(),
            measurement: json!({"imageSha384": "a".repeat(96)}),
            authorities: Vec::new(),
            form: Form::Process,
        };
        let object = chamber_cluster(&tenant, &release, &Shape::default());
        let typed: chamber_api::ChamberCluster = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(&typed.spec).unwrap()["rollover"]["settleTime"],
            "2s"
        );
        assert_eq!(typed.spec.keys.threshold, 2);
    }
}
