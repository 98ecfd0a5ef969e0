//! Events on the resource: one per action, for `kubectl describe`. A lost one is no harm.

use chamber_api::ChamberCluster;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use rollover::{Action, Answer, Note, Owner, Step, Verb};

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
            note: Some(sentence(action)),
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
            | Action::Note(
                Note::Failed { .. }
                    | Note::AdmissionLost
                    | Note::Answered {
                        answer: Answer::Refused(_) | Answer::Revoked(_) | Answer::Unrevoked(_),
                        ..
                    }
            )
    )
}

/// What was done.
pub fn sentence(action: &Action) -> String {
    match action {
        Action::Note(note) => noted(note),
        Action::AddFinalizer => {
            "a deletion now waits until the policies hold one measurement".to_owned()
        }
        Action::RemoveFinalizer(None) => "a deletion need not wait any more".to_owned(),
        Action::RemoveFinalizer(Some(undone)) => {
            format!("deletion leaves something undone: {undone}")
        }
        Action::ClaimKeys {
            arns,
            healed_at: Some(_),
            ..
        } => format!(
            "put this cluster's tags back on {}: something had removed them (Terraform: ignore_changes of tags)",
            arns.join(", ")
        ),
        Action::ClaimKeys { arns, progress, .. } => format!(
            "tagged {} keys as this cluster's, {}",
            arns.len(),
            rollover::tags::progress_text(*progress)
        ),
        Action::TransferKeys { arns, from } => {
            format!("took over {} from {from}", arns.join(", "))
        }
        Action::TagRevoked { arns, .. } => {
            format!("tagged {} keys with what was revoked", arns.len())
        }
        Action::WritePolicies(writes) => {
            let names: Vec<_> = writes.iter().map(|write| write.name.as_str()).collect();
            format!("wrote the policies of keys {}", names.join(", "))
        }
        Action::BindBlob { to, .. } => format!("bound the sealed blob to measurement {}", to.id()),
        Action::StartSeal(release) => {
            format!("started the seal pod on release {}", release.revision)
        }
        Action::StoreBlob(measurement) => format!(
            "stored the sealed blob for measurement {}",
            measurement.id()
        ),
        Action::TagCommitment { arns, .. } => format!(
            "tagged {} keys with the commitment to the master key",
            arns.len()
        ),
        Action::RemoveSealPod => "removed the seal pod".to_owned(),
        Action::Resize(resizes) => {
            let parts: Vec<_> = resizes
                .iter()
                .map(|resize| {
                    format!(
                        "release {}: {} -> {} chambers",
                        resize.release.revision, resize.from, resize.to
                    )
                })
                .collect();
            parts.join(", ")
        }
        Action::MakeSet(release) => format!("made the ReplicaSet of release {}", release.revision),
        Action::Fence(fences) => format!("marked {} ReplicaSets as this leader's", fences.len()),
        Action::RemoveSets(names) => format!("removed {}", names.join(", ")),
    }
}

/// What was noted, as a sentence.
pub fn noted(note: &Note) -> String {
    match note {
        Note::Begun {
            from: Some(from),
            to,
            ..
        } => format!("a rollover begins: {} -> {}", from.revision, to.revision),
        Note::Begun {
            from: None,
            to,
            found,
            ..
        } => {
            let kept = found
                .iter()
                .map(|(arn, kept)| format!("; {arn} keeps {} until Retire", kept.image_sha384));
            let kept: String = kept.collect();
            format!("the first start of release {} begins{kept}", to.revision)
        }
        Note::TurnedBack => "turning back to the release before".to_owned(),
        Note::Failed { failure, back } => {
            let then = if *back {
                "turning back to the release before"
            } else {
                "everything stays as it is (spec.rollover.onFailure is Pause)"
            };
            format!(
                "release {} failed: {}; {then}",
                failure.revision, failure.why
            )
        }
        Note::FailureForgotten => "the spec names another release than the failed one".to_owned(),
        Note::Answered { verb, answer, .. } => answered(*verb, answer),
        Note::Committed(_) => "the commitment to the master key was found".to_owned(),
        Note::Admitted => "every key admits the live releases".to_owned(),
        Note::AdmissionLost => {
            "a key no longer admits the live releases; admitting again".to_owned()
        }
        Note::RetireBegun => {
            "the old measurement is being retired; from now on the only way is forward".to_owned()
        }
        Note::Finished => "the rollover is complete".to_owned(),
        Note::Recovered { release, .. } => format!(
            "release {} was found running and is recovered",
            release.revision
        ),
    }
}

fn each(images: &[(measurement::Pcr, String)]) -> String {
    let each: Vec<_> = images
        .iter()
        .map(|(image, why)| format!("{image} ({why})"))
        .collect();
    each.join(", ")
}

fn answered(verb: Verb, answer: &Answer) -> String {
    match answer {
        Answer::Aborted(failure) => format!(
            "aborted: release {} is left for the release before",
            failure.revision
        ),
        Answer::Retried => "what failed is tried again".to_owned(),
        Answer::Revoked(images) => format!(
            "revoked imageSha384 {}: chambers that run it stay sealed when they restart",
            each(images)
        ),
        Answer::Unrevoked(images) => {
            format!("the revocation of imageSha384 {} is given up", each(images))
        }
        Answer::Transferred { keys, unread } => {
            let left = if unread.is_empty() {
                String::new()
            } else {
                format!(
                    "; not read: {}, ask again when they can be",
                    unread.join(", ")
                )
            };
            format!("keys of this cluster now: {}{left}", keys.join(", "))
        }
        Answer::Refused(why) => format!("{verb} was refused: {why}"),
    }
}
