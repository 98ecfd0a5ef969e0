//! Turns what happens into lines: one for each change of step, key, chamber, and nothing else.

use std::collections::BTreeMap;

use chamber_api::names::{ENCLAVE_CONTAINER, ROLE_LABEL};
use chamber_api::{ChamberCluster, ChamberClusterStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::printer::{Kind, Line};
use crate::kubernetes;
use crate::releases::Releases;

/// Remembers what was told.
pub struct Narrator {
    releases: Releases,
    step: String,
    reason: String,
    keys: BTreeMap<String, String>,
    pods: BTreeMap<String, &'static str>,
}

impl Narrator {
    /// With nothing told yet.
    pub fn new(releases: Releases) -> Self {
        Self {
            releases,
            step: String::new(),
            reason: String::new(),
            keys: BTreeMap::new(),
            pods: BTreeMap::new(),
        }
    }

    /// The step that was told last.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// What changed in the `ChamberCluster`.
    pub fn cluster(&mut self, object: &ChamberCluster) -> Vec<Line> {
        let Some(status) = &object.status else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        let step = status.step.clone().unwrap_or_default();
        if !step.is_empty() && self.step != step {
            lines.push(line(Kind::Step, self.step_text(&step, status)));
            self.step = step;
        }
        lines.extend(self.key_lines(status));
        lines.extend(self.reason_line(status));
        lines
    }

    /// What changed with a pod.
    pub fn pod(&mut self, pod: &Pod) -> Vec<Line> {
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        let state = if pod.metadata.deletion_timestamp.is_some() {
            "stops"
        } else if pod
            .labels()
            .get(ROLE_LABEL)
            .is_some_and(|role| role == "seal")
        {
            match phase {
                Some("Running") => "makes the master key",
                Some("Succeeded") => "offers the sealed blob",
                Some("Failed") => "failed",
                _ => "starts",
            }
        } else if kubernetes::is_ready(pod) {
            "unsealed"
        } else if phase == Some("Running") {
            "sealed"
        } else {
            "starts"
        };
        self.pod_line(pod, state)
    }

    /// A pod is gone.
    pub fn gone(&mut self, pod: &Pod) -> Vec<Line> {
        let lines = self.pod_line(pod, "gone");
        self.pods.remove(&pod.name_any());
        lines
    }

    fn pod_line(&mut self, pod: &Pod, state: &'static str) -> Vec<Line> {
        let name = pod.name_any();
        if self.pods.insert(name.clone(), state) == Some(state) {
            return Vec::new();
        }
        let image = pod.spec.iter().flat_map(|spec| &spec.containers);
        let image = image
            .filter(|container| container.name == ENCLAVE_CONTAINER)
            .find_map(|container| container.image.clone())
            .unwrap_or_default();
        let release = self.releases.name_of(&image);
        vec![line(Kind::Chamber, format!("{name} ({release}) {state}"))]
    }

    fn step_text(&self, step: &str, status: &ChamberClusterStatus) -> String {
        let Some(rollover) = status.rollover.as_ref().filter(|_| step != "Settled") else {
            return step.to_owned();
        };
        let to = self.releases.name_of(&rollover.to.image);
        match &rollover.from {
            Some(from) => format!("{step}: {} -> {to}", self.releases.name_of(&from.image)),
            None => format!("{step}: {to}"),
        }
    }

    fn key_lines(&mut self, status: &ChamberClusterStatus) -> Vec<Line> {
        let mut lines = Vec::new();
        for key in &status.keys {
            let names: Vec<_> = key
                .admitted
                .iter()
                .map(|found| self.releases.name_of(found))
                .collect();
            let text = match (key.state.as_str(), names.is_empty()) {
                ("Enabled", true) => "admits nobody".to_owned(),
                ("Enabled", false) => format!("admits {}", names.join(" and ")),
                (state, _) => state.to_owned(),
            };
            if self.keys.insert(key.name.clone(), text.clone()).as_ref() != Some(&text) {
                lines.push(line(Kind::Key, format!("{} {text}", key.name)));
            }
        }
        lines
    }

    fn reason_line(&mut self, status: &ChamberClusterStatus) -> Option<Line> {
        let reason = status.reason.clone().unwrap_or_default();
        if self.reason == reason {
            return None;
        }
        self.reason = reason;
        let message = status.message.as_deref().unwrap_or_default();
        (!self.reason.is_empty()).then(|| line(Kind::Wait, format!("{}: {message}", self.reason)))
    }
}

fn line(kind: Kind, text: String) -> Line {
    Line { kind, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::{Form, Release};
    use serde_json::{Value, json};

    fn narrator() -> Narrator {
        let release = |name: &'static str, digit: &str| Release {
            name,
            image: format!("chamber:{name}"),
            measurement: json!({"imageSha384": digit.repeat(96)}),
            authorities: Vec::new(),
            form: Form::Process,
        };
        Narrator::new(Releases {
            v1: release("v1", "a"),
            v2: release("v2", "b"),
            v3: release("v3", "d"),
        })
    }

    fn cluster(status: &Value) -> ChamberCluster {
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer"},
            "spec": {
                "clusterId": "id",
                "release": {"image": "i", "measurement": {"imageSha384": "a"}},
                "keys": {"threshold": 1, "shares": []},
                "verification": {"prometheus": {"url": "http://p"}},
            },
            "status": status,
        }))
        .unwrap()
    }

    fn pod(phase: &str, ready: bool) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "signer-x"},
            "spec": {"containers": [{"name": "enclave", "image": "chamber:v2"}]},
            "status": {"phase": phase, "conditions": [
                {"type": "Ready", "status": if ready { "True" } else { "False" }}
            ]},
        }))
        .unwrap()
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn tells_each_change_once() {
        let mut narrator = narrator();
        let state = cluster(&json!({
            "step": "Admit",
            "keys": [{"name": "a", "arn": "x", "state": "Enabled", "inSync": true,
                "admitted": ["aaaaaaaaaa", "bbbbbbbbbb"]}],
        }));
        let lines = narrator.cluster(&state);
        assert_eq!(texts(&lines), ["Admit", "a admits v1 and v2"]);
        assert!(narrator.cluster(&state).is_empty());
    }

    #[test]
    fn tells_a_pod_from_start_to_end() {
        let mut narrator = narrator();
        let mut said = Vec::new();
        for state in [
            pod("Pending", false),
            pod("Running", false),
            pod("Running", false),
            pod("Running", true),
        ] {
            said.extend(narrator.pod(&state));
        }
        said.extend(narrator.gone(&pod("Running", true)));
        let expected =
            ["starts", "sealed", "unsealed", "gone"].map(|state| format!("signer-x (v2) {state}"));
        assert_eq!(texts(&said), expected);
    }

    #[test]
    fn a_ready_seal_pod_is_not_called_unsealed() {
        let mut seal = pod("Running", true);
        seal.labels_mut().insert(ROLE_LABEL.into(), "seal".into());
        let lines = narrator().pod(&seal);
        assert_eq!(texts(&lines), ["signer-x (v2) makes the master key"]);
    }

    #[test]
    fn tells_why_nothing_moves() {
        let mut narrator = narrator();
        let state = cluster(&json!({"reason": "Settling", "message": "2 s left"}));
        assert_eq!(texts(&narrator.cluster(&state)), ["Settling: 2 s left"]);
        assert!(narrator.cluster(&cluster(&json!({}))).is_empty());
    }
}
