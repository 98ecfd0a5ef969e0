//! Configuration files of the components.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

/// Image of the pause container.
pub const PAUSE_IMAGE: &str = "cluster.local/pause:1";

/// Writes every configuration file into the cluster's folder.
pub fn write(dir: &Path, node_ip: &str, cgroup: &str) -> Result<()> {
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
    fs::write(dir.join("cni/10-bridge.conflist"), cni(&run))?;
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

/// Every write, with the object where order matters; reads of the operator alone.
fn audit_policy() -> String {
    let writes = ["create", "update", "patch", "delete", "deletecollection"];
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "resources": [{"group": "coordination.k8s.io"}, {"group": "events.k8s.io"}, {"group": "", "resources": ["events", "nodes", "nodes/status"]}], "userGroups": ["system:nodes", "system:masters"]},
            {"level": "RequestResponse", "verbs": ["create", "delete"], "resources": [{"group": "", "resources": ["pods"]}]},
            {"level": "RequestResponse", "verbs": writes, "resources": [{"group": "apps", "resources": ["replicasets"]}]},
            {"level": "RequestResponse", "verbs": writes, "resources": [{"group": "chamber.dev"}]},
            {"level": "Metadata", "verbs": writes},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts:chamber-operator"]},
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
        "containerRuntimeEndpoint": format!("unix://{run}/containerd.sock"),
        "clusterDNS": [node_ip], "clusterDomain": "cluster.local",
        "tlsCertFile": format!("{run}/pki/kubelet.crt"),
        "tlsPrivateKeyFile": format!("{run}/pki/kubelet.key"),
        "podLogsDir": format!("{run}/pod-logs"),
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "syncFrequency": "1s", "nodeStatusUpdateFrequency": "4s",
        "maxPods": 200, "port": 10250, "readOnlyPort": 0, "healthzPort": 10248
    })
    .to_string()
}

fn containerd(run: &str) -> String {
    format!(
        r#"version = 2
root = "{run}/containerd/root"
state = "{run}/containerd/state"
[grpc]
  address = "{run}/containerd.sock"
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

fn cni(run: &str) -> String {
    json!({
        "cniVersion": "0.4.0", "name": "pods",
        "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
             "ipam": {"type": "host-local", "dataDir": format!("{run}/ipam"), "ranges": [[{"subnet": "10.244.0.0/24"}]],
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
