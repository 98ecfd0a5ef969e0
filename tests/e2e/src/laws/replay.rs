//! The world as it was at each moment, and which law was broken then.

use std::collections::{BTreeMap, BTreeSet};

use super::audit_event::{AuditEvent, What};

/// Who takes chambers away on behalf of the operator: it sizes `ReplicaSets`, their controller deletes.
const HANDS: [&str; 2] = [
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:chamber-operator:chamber-operator",
];
/// Who may touch what the operator may not: the test.
const TEST: &str = "admin";
/// Releases at a time.
const RELEASES: usize = 2;

/// What is fixed for one `ChamberCluster`.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// ARNs of its keys.
    pub keys: Vec<String>,
    /// The measurements that were ever asked for.
    pub approved: Vec<String>,
    /// Unsealed chambers that stay when one is taken away: replicas - maxUnavailable.
    pub others: usize,
}

#[derive(Clone, Debug)]
struct Pod {
    measurement: String,
    /// The seal pod: it serves nobody, however ready it is.
    seals: bool,
    unsealed: bool,
    stopped: bool,
}

/// The world, as far as the laws ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    admits: BTreeMap<String, Vec<String>>,
    pods: BTreeMap<String, Pod>,
    sealed: bool,
}

impl Replay {
    /// Takes one event in; gives the laws that it broke.
    pub fn step(&mut self, bounds: &Bounds, event: &AuditEvent) -> Vec<String> {
        let broken = match &event.what {
            What::PolicyPut { key, admits } => self.policy(bounds, key, admits),
            What::PodMade {
                pod,
                measurement,
                seals,
            } => self.made(bounds, pod, measurement, *seals),
            What::PodSeen { pod, unsealed } => {
                if let Some(pod) = self.pods.get_mut(pod) {
                    pod.unsealed = *unsealed && !pod.seals;
                }
                vec![]
            }
            What::PodStopped { pod, by } => self.stopped(bounds, pod, by),
            What::PodGone { pod } => {
                self.pods.remove(pod);
                vec![]
            }
            What::BlobMade { .. } => vec![],
            What::BlobTouched { by, .. } if by == TEST => vec![],
            What::BlobTouched { name, verb, by } => {
                vec![format!("law 11: {by} did {verb} on sealed Secret {name}")]
            }
        };
        let at = event.at;
        broken
            .into_iter()
            .map(|law| format!("{at}: {law}"))
            .collect()
    }

    /// Every key admits these, and nothing else.
    pub fn admits_only(&self, bounds: &Bounds, measurement: &str) -> bool {
        let only = |key| {
            self.admits
                .get(key)
                .is_some_and(|all| all == &[measurement])
        };
        bounds.keys.iter().all(only)
    }

    fn policy(&mut self, bounds: &Bounds, key: &str, admits: &[String]) -> Vec<String> {
        if !bounds.keys.iter().any(|ours| ours == key) {
            return vec![];
        }
        let mut broken = Vec::new();
        let distinct: BTreeSet<_> = admits.iter().collect();
        if distinct.len() > RELEASES {
            broken.push(format!(
                "law 2: {key} admits {} measurements",
                distinct.len()
            ));
        }
        for one in distinct {
            if !bounds.approved.contains(one) {
                broken.push(format!("law 2: {key} admits {one}, which nobody asked for"));
            }
        }
        for (name, pod) in &self.pods {
            if !admits.contains(&pod.measurement) {
                broken.push(format!(
                    "law 4: {key} no longer admits pod {name}, which is there"
                ));
            }
        }
        self.admits.insert(key.to_owned(), admits.to_vec());
        broken
    }

    fn made(&mut self, bounds: &Bounds, name: &str, measurement: &str, seals: bool) -> Vec<String> {
        let mut broken = Vec::new();
        for key in &bounds.keys {
            let admits = self.admits.get(key);
            if !admits.is_some_and(|all| all.iter().any(|one| one == measurement)) {
                broken.push(format!("law 1: pod {name} was made before {key} admits it"));
            }
        }
        if seals && std::mem::replace(&mut self.sealed, true) {
            broken.push(format!("law 11: a second seal, pod {name}"));
        }
        let pod = Pod {
            measurement: measurement.to_owned(),
            seals,
            unsealed: false,
            stopped: false,
        };
        self.pods.insert(name.to_owned(), pod);
        broken
    }

    fn stopped(&mut self, bounds: &Bounds, name: &str, by: &str) -> Vec<String> {
        let Some(pod) = self.pods.get_mut(name) else {
            return vec![];
        };
        let again = std::mem::replace(&mut pod.stopped, true);
        let felt = pod.unsealed && !again;
        let left = self
            .pods
            .values()
            .filter(|pod| pod.unsealed && !pod.stopped);
        let left = left.count();
        if felt && HANDS.contains(&by) && left < bounds.others {
            return vec![format!(
                "law 3: {name} was taken away with {left} other unsealed chambers, {} are needed",
                bounds.others
            )];
        }
        vec![]
    }
}

#[cfg(test)]
mod tests;
