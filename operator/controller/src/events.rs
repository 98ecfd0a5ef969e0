//! Events on the resource, for `kubectl describe`: one per action, and one for what is waited for, where that lasts. A
//! lost one is no harm.

mod recorder;
mod waits;

use chamber_api::{ChamberCluster, conditions};
use kube::{Client, Resource, ResourceExt};
use rollover::{Action, Answer, Owner, Reason, Step, Transition};

use crate::kubernetes;
use recorder::{Recorder, Said};
use waits::Waits;

/// Publishes Events.
pub struct Events {
    recorder: Recorder,
    waits: Waits,
}

impl Events {
    /// One recorder a process: it counts repeated events together.
    pub fn new(client: Client, identity: &str) -> Self {
        Self {
            recorder: Recorder::new(client, identity),
            waits: Waits::default(),
        }
    }

    /// Says that a holder's role was assumed by the external id of before.
    pub async fn outdated(&self, cluster: &ChamberCluster, role: &str, owner: &Owner) {
        let note = format!(
            "the trust policy of {role} names the external id {}, which the next version does not try any more: put {} in its place",
            owner.tag(),
            owner.external_id()
        );
        let said = Said {
            warning: true,
            reason: "ExternalIdOutdated".to_owned(),
            action: "AssumeRole".to_owned(),
            note,
        };
        self.publish(cluster, said).await;
    }

    /// Says why the run manifest is not stored.
    pub async fn unkept(&self, cluster: &ChamberCluster, note: String) {
        let said = Said {
            warning: true,
            reason: "ManifestNotStored".to_owned(),
            action: "StoreManifest".to_owned(),
            note,
        };
        self.publish(cluster, said).await;
    }

    /// Says that an action was done.
    pub async fn acted(&self, cluster: &ChamberCluster, step: Step, action: &Action) {
        let said = Said {
            warning: warns(action),
            reason: step.to_string(),
            action: step.to_string(),
            note: action.to_string(),
        };
        self.publish(cluster, said).await;
    }

    /// What is waited for now, as the status that was just written has it: it is said where it lasts.
    pub async fn stands(&self, cluster: &ChamberCluster, step: Step, reason: Reason, note: &str) {
        if !self.waits.stands(&uid(cluster), reason) {
            return;
        }
        let said = Said {
            warning: stalled(cluster),
            reason: reason.to_string(),
            action: step.to_string(),
            note: note.to_owned(),
        };
        self.publish(cluster, said).await;
    }

    /// Whether what is waited for now has lasted: one call that fails is no fault yet.
    pub fn lasts(&self, cluster: &ChamberCluster, reason: Reason) -> bool {
        let said = cluster
            .status
            .as_ref()
            .and_then(|status| status.reason.as_deref());
        let still = said == Some(<&str>::from(reason));
        self.waits.lasts(&uid(cluster), reason, still)
    }

    /// Something was done, or nothing is waited for.
    pub fn moved(&self, cluster: &ChamberCluster) {
        self.waits.moved(&uid(cluster));
    }

    /// The resource is gone.
    pub fn forget(&self, uid: &str) {
        self.waits.forget(uid);
    }

    async fn publish(&self, cluster: &ChamberCluster, said: Said) {
        let about = cluster.object_ref(&());
        if let Err(error) = self.recorder.publish(about, said).await {
            let error = kubernetes::Error::from(error);
            tracing::warn!(%error, "an Event was lost");
        }
    }
}

fn uid(cluster: &ChamberCluster) -> String {
    cluster.uid().unwrap_or_default()
}

/// Whether a person has to do something, by the condition.
fn stalled(cluster: &ChamberCluster) -> bool {
    let mut conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|found| found.type_ == conditions::STALLED && found.status == "True")
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
