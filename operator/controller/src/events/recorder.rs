//! Events, and those that say the same counted together.
//!
//! Not `kube-runtime`'s recorder: it counts what differs in its note alone as the same, and the later notes are lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as Stored;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::Instant;

use crate::locked::lock;

/// What says the same within this time is one Event with a count.
const SERIES: Duration = Duration::from_mins(6);
/// The API server takes notes of 1,024 bytes.
const NOTE: usize = 1_000;

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// Whether a person should look at it.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// What the operator does.
    pub action: String,
    /// A sentence.
    pub note: String,
}

/// One that was published.
struct Known {
    name: String,
    count: i32,
    last: Instant,
}

/// Publishes Events, and counts repeated ones.
pub struct Recorder {
    client: Client,
    identity: String,
    known: Mutex<HashMap<(String, Said), Known>>,
}

impl Recorder {
    /// Says things as this replica.
    pub fn new(client: Client, identity: &str) -> Self {
        Self {
            client,
            identity: identity.to_owned(),
            known: Mutex::default(),
        }
    }

    /// Publishes what is said of an object, or counts it where that was said a moment ago.
    pub async fn publish(&self, about: ObjectReference, mut said: Said) -> Result<(), kube::Error> {
        said.note = cut(&said.note);
        let namespace = about.namespace.clone().unwrap_or_default();
        let events = Api::<Stored>::namespaced(self.client.clone(), &namespace);
        let key = (about.uid.clone().unwrap_or_default(), said);
        let before = {
            let mut known = self.known();
            known.retain(|_, event| event.last.elapsed() < SERIES);
            known
                .get(&key)
                .map(|event| (event.name.clone(), event.count))
        };
        let (name, count) = if let Some((name, count)) = before {
            let count = count.saturating_add(1);
            let now = MicroTime(Timestamp::now());
            let series = json!({"series": {"count": count, "lastObservedTime": now}});
            let params = PatchParams::default();
            events.patch(&name, &params, &Patch::Merge(&series)).await?;
            (name, count)
        } else {
            let event = self.event(about, &key.1);
            let name = event.metadata.name.clone().unwrap_or_default();
            events.create(&PostParams::default(), &event).await?;
            (name, 1)
        };
        let last = Instant::now();
        self.known().insert(key, Known { name, count, last });
        Ok(())
    }

    fn event(&self, about: ObjectReference, said: &Said) -> Stored {
        let now = Timestamp::now();
        let name = about.name.as_deref().unwrap_or_default();
        Stored {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: about.namespace.clone(),
                ..ObjectMeta::default()
            },
            type_: Some(if said.warning { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(said.reason.clone()),
            action: Some(said.action.clone()),
            note: Some(said.note.clone()),
            event_time: Some(MicroTime(now)),
            regarding: Some(about),
            reporting_controller: Some(chamber_api::names::MANAGER.to_owned()),
            reporting_instance: Some(self.identity.clone()),
            ..Stored::default()
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, Said), Known>> {
        lock(&self.known)
    }
}

/// So much of it that the API server takes it.
fn cut(note: &str) -> String {
    if note.len() <= NOTE {
        return note.to_owned();
    }
    format!("{}...", &note[..note.floor_char_boundary(NOTE)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_at_most_what_the_api_server_takes() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"\u{e9}".repeat(800));
        assert!((NOTE..1_024).contains(&long.len()), "{}", long.len());
    }
}
