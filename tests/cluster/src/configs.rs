//! Configuration files of the components.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::Subnet;

/// Image of the pause container.
pub const PAUSE_IMAGE: &str = "cluster.local/pause:1";

/// Inside the namespaces, where `/run` is the cluster's own.
pub const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// The EC2 instance that the node says it is.
pub const INSTANCE: &str = "i-0123456789abcdef0";

/// Writes every configuration file into the cluster's folder.
pub fn write(dir: &Path, subnet: Subnet, cgroup: &str) -> Result<()> {
    let node_ip = &subnet.node_ip();
    fs::create_dir_all(dir.join("cni"))?;
    let run = dir.display().to_string();
    for user in ["admin", "kcm", "scheduler", "kubelet"] {
        fs::write(
            dir.join(format!("{user}.kubeconfig")),
            kubeconfig(&run, node_ip, user),
        )?;
    }
    fs::write(dir.join("audit-policy.yaml"), audit_policy())?;
    fs::write(dir.join("kubelet.yaml"), kubelet(&run, node_ip, cgroup))?;
    fs::write(dir.join("containerd.toml"), containerd(&run))?;
    fs::write(
        dir.join("cni/10-bridge.conflist"),
        cni(&run, &subnet.pods()),
    )?;
    fs::write(dir.join("Corefile"), corefile(&run, node_ip))?;
    Ok(())
}

/// JSON is YAML.
fn kubeconfig(run: &str, node_ip: &str, user: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
        "clusters": [{"name": "cluster", "cluster": {
            "server": format!("https://{node_ip}:6443"),
            "certificate-authority": format!("{run}/pki/ca.crt")}}],
        "users": [{"name": user, "user": {
            "client-certificate": format!("{run}/pki/{user}.crt"),
            "client-key": format!("{run}/pki/{user}.key")}}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": user}}]
    })
    .to_string()
}

/// Every write but the node's housekeeping, with the object where order matters; reads that tests ask about.
fn audit_policy() -> String {
    let writes = ["create", "update", "patch", "delete", "deletecollection"];
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "resources": [{"group": "coordination.k8s.io"}, {"group": "events.k8s.io"}, {"group": "", "resources": ["events", "nodes", "nodes/status"]}], "userGroups": ["system:nodes", "system:masters"]},
            {"level": "RequestResponse", "verbs": ["create", "delete"], "resources": [{"group": "", "resources": ["pods"]}]},
            {"level": "RequestResponse", "verbs": ["patch", "update"], "resources": [{"group": "", "resources": ["pods/status"]}]},
            {"level": "RequestResponse", "verbs": writes, "resources": [{"group": "apps", "resources": ["replicasets"]}]},
            {"level": "RequestResponse", "verbs": writes, "resources": [{"group": "chamber.dev"}]},
            {"level": "Metadata", "verbs": writes},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts:chamber-operator"]},
            {"level": "Metadata", "verbs": ["get", "list"], "resources": [
                {"group": "", "resources": ["pods", "secrets"]}, {"group": "apps", "resources": ["replicasets"]}]},
            {"level": "None"}
        ]
    })
    .to_string()
}

fn kubelet(run: &str, node_ip: &str, cgroup: &str) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": format!("{run}/pki/ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{cgroup}"), "cgroupsPerQOS": true,
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": false, "failSwapOn": false,
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
        "clusterDNS": [node_ip], "clusterDomain": "cluster.local",
        "tlsCertFile": format!("{run}/pki/kubelet.crt"),
        "tlsPrivateKeyFile": format!("{run}/pki/kubelet.key"),
        "podLogsDir": format!("{run}/pod-logs"),
        "volumePluginDir": format!("{run}/volume-plugins"),
        // Pods search no domain of the machine.
        "resolvConf": "",
        // In bytes: a hundredth of a large disk is more than a whole cluster needs.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "200Mi", "imagefs.available": "200Mi"},
        "imageGCHighThresholdPercent": 100,
        "syncFrequency": "1s", "nodeStatusUpdateFrequency": "4s",
        // As a node of EC2 has it: the security modules of emulated enclaves name this instance.
        "providerID": format!("aws:///us-east-1a/{INSTANCE}"),
        "maxPods": 200, "port": 10250, "readOnlyPort": 0, "healthzPort": 10248
    })
    .to_string()
}

fn containerd(run: &str) -> String {
    format!(
        r#"version = 2
root = "{run}/containerd/root"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{run}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
"#
    )
}

fn cni(run: &str, pods: &str) -> String {
    json!({
        "cniVersion": "0.4.0", "name": "pods",
        "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
             "ipam": {"type": "host-local", "dataDir": format!("{run}/ipam"), "ranges": [[{"subnet": pods}]],
                      "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": true}}
        ]
    })
    .to_string()
}

fn corefile(run: &str, node_ip: &str) -> String {
    format!(
        r".:53 {{
    bind {node_ip}
    errors
    health 127.0.0.1:8081
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {run}/admin.kubeconfig
    }}
    cache 5
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn parse(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_file_is_written_and_names_the_clusters_own_places() {
        let dir = std::env::temp_dir().join(format!("cluster-configs-{}", std::process::id()));
        write(&dir, Subnet(3), "group").unwrap();
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        let run = dir.display().to_string();

        let admin = parse(&read("admin.kubeconfig"));
        assert_eq!(
            admin["clusters"][0]["cluster"]["server"],
            "https://10.200.3.2:6443"
        );
        assert_eq!(
            admin["users"][0]["user"]["client-key"],
            format!("{run}/pki/admin.key")
        );
        let kubelet = parse(&read("kubelet.yaml"));
        assert_eq!(kubelet["cgroupRoot"], "/group");
        assert_eq!(kubelet["clusterDNS"], json!(["10.200.3.2"]));
        assert_eq!(
            kubelet["containerRuntimeEndpoint"],
            format!("unix://{CONTAINERD_SOCKET}")
        );
        let containerd = read("containerd.toml");
        assert!(containerd.contains(&format!("root = \"{run}/containerd/root\"")));
        assert!(containerd.contains(&format!("sandbox_image = \"{PAUSE_IMAGE}\"")));
        assert!(read("Corefile").contains("bind 10.200.3.2"));
        let cni = parse(&read("cni/10-bridge.conflist"));
        assert_eq!(cni["plugins"][0]["type"], "bridge");
        let range = &cni["plugins"][0]["ipam"]["ranges"][0][0];
        assert_eq!(range["subnet"], "10.244.3.0/24");
        assert!(kubelet["providerID"].as_str().unwrap().ends_with(INSTANCE));
        fs::remove_dir_all(&dir).unwrap();
    }

    /// The level of the first rule that matches, as the API server takes it.
    fn level(verb: &str, group: &str, resource: &str, user_group: &str) -> String {
        let has = |list: &Value, word: &str| {
            list.as_array()
                .is_none_or(|all| all.iter().any(|one| one == word))
        };
        let policy = parse(&audit_policy());
        let rules = policy["rules"].as_array().unwrap();
        let matches = |rule: &&Value| {
            let resources = rule["resources"].as_array();
            let meant = |one: &Value| one["group"] == group && has(&one["resources"], resource);
            has(&rule["verbs"], verb)
                && has(&rule["userGroups"], user_group)
                && resources.is_none_or(|all| all.iter().any(meant))
        };
        let rule = rules.iter().find(matches).unwrap();
        rule["level"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_audit_log_holds_what_tests_order_by() {
        let operator = "system:serviceaccounts:chamber-operator";
        let other = "system:serviceaccounts:kube-system";
        assert_eq!(level("create", "", "pods", other), "RequestResponse");
        assert_eq!(
            level("delete", "", "pods", "system:nodes"),
            "RequestResponse"
        );
        assert_eq!(
            level("patch", "apps", "replicasets", other),
            "RequestResponse"
        );
        assert_eq!(
            level("patch", "", "pods/status", "system:nodes"),
            "RequestResponse"
        );
        assert_eq!(level("get", "", "secrets", other), "Metadata");
        assert_eq!(level("list", "", "pods", operator), "Metadata");
        assert_eq!(
            level("update", "coordination.k8s.io", "leases", operator),
            "Metadata"
        );
        assert_eq!(
            level("update", "coordination.k8s.io", "leases", "system:nodes"),
            "None"
        );
        assert_eq!(level("watch", "", "pods", other), "None");
    }
}
