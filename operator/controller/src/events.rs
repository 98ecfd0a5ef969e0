//! Events on the resource: one per action, for `kubectl describe`. A lost one is no harm.

use chamber_api::ChamberCluster;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use rollover::{Action, Answer, Owner, Step, Transition};

use crate::kubernetes;

/// Publishes Events.
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// One recorder a process: it counts repeated events together.
    pub fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter {
            controller: chamber_api::names::MANAGER.to_owned(),
            instance: Some(identity.to_owned()),
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Says that a holder's role was assumed by the external id of before.
    pub async fn outdated(&self, cluster: &ChamberCluster, role: &str, owner: &Owner) {
        let note = format!(
            "the trust policy of {role} names the external id {}, which the next version does not try any more: put {} in its place",
            owner.tag(),
            owner.external_id()
        );
        let event = Event {
            type_: EventType::Warning,
            reason: "ExternalIdOutdated".to_owned(),
            note: Some(note),
            action: "AssumeRole".to_owned(),
            secondary: None,
        };
        self.publish(cluster, &event).await;
    }

    /// Says that an action was done.
    pub async fn acted(&self, cluster: &ChamberCluster, step: Step, action: &Action) {
        let event = Event {
            type_: if warns(action) {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: step.to_string(),
            note: Some(action.to_string()),
            action: step.to_string(),
            secondary: None,
        };
        self.publish(cluster, &event).await;
    }

    async fn publish(&self, cluster: &ChamberCluster, event: &Event) {
        let about = cluster.object_ref(&());
        if let Err(error) = self.recorder.publish(event, &about).await {
            let error = kubernetes::Error::from(error);
            tracing::warn!(%error, "an Event was lost");
        }
    }
}

/// What a person should look at.
fn warns(action: &Action) -> bool {
    matches!(
        action,
        Action::RemoveFinalizer(Some(_))
            | Action::TransferKeys { .. }
            | Action::ClaimKeys {
                healed_at: Some(_),
                ..
            }
            | Action::Transition(
                Transition::Failed { .. }
                    | Transition::AdmissionLost
                    | Transition::Answered {
                        answer: Answer::Refused(_) | Answer::Revoked(_) | Answer::Unrevoked(_),
                        ..
                    }
            )
    )
}
