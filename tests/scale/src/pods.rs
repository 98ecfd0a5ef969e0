//! The pods that are unsealed, as kubelets know them and Prometheus samples them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Namespace and name.
pub type Name = (String, String);

/// Since when each is unsealed.
#[derive(Default)]
pub struct Pods(Mutex<BTreeMap<Name, Timestamp>>);

impl Pods {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Name, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is unsealed since then.
    pub fn unsealed(&self, pod: Name, since: Timestamp) {
        self.all().insert(pod, since);
    }

    /// It is gone.
    pub fn gone(&self, pod: &Name) {
        self.all().remove(pod);
    }

    /// Those of a namespace whose names begin so, with the time since when they are unsealed.
    pub fn of(&self, namespace: &str, start: &str) -> Vec<(String, Timestamp)> {
        let from = (namespace.to_owned(), start.to_owned());
        let all = self.all();
        all.range(from..)
            .take_while(|((found, name), _)| found == namespace && name.starts_with(start))
            .map(|((_, name), since)| (name.clone(), *since))
            .collect()
    }
}
