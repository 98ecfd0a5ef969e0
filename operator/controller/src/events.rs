//! Events on the resource: one per action, for `kubectl describe`. A lost one is no harm.

use chamber_api::ChamberCluster;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use rollover::{Action, Note, Step};

use crate::context::Context;

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
}

/// Says that an action was done.
pub async fn acted(ctx: &Context, cluster: &ChamberCluster, step: Step, action: &Action) {
    let event = Event {
        type_: EventType::Normal,
        reason: step.to_string(),
        note: Some(sentence(action)),
        action: step.to_string(),
        secondary: None,
    };
    let published = ctx
        .events
        .recorder
        .publish(&event, &cluster.object_ref(&()))
        .await;
    if let Err(error) = published {
        tracing::warn!(%error, "an Event was lost");
    }
}

/// What was done.
pub fn sentence(action: &Action) -> String {
    match action {
        Action::Note(note) => noted(note),
        Action::ClaimKeys { arns } => format!("tagged {} keys as this cluster's", arns.len()),
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
        Action::RemoveSets(names) => format!("removed {}", names.join(", ")),
    }
}

fn noted(note: &Note) -> String {
    match note {
        Note::Begun {
            from: Some(from),
            to,
        } => format!("a rollover begins: {} -> {}", from.revision, to.revision),
        Note::Begun { from: None, to } => {
            format!("the first start of release {} begins", to.revision)
        }
        Note::TurnedBack { to, .. } => format!("turning back to release {}", to.revision),
        Note::Admitted => "every key admits the live releases".to_owned(),
        Note::AdmissionLost => {
            "a key no longer admits the live releases; admitting again".to_owned()
        }
        Note::RetireBegun => {
            "the old measurement is being retired; from now on the only way is forward".to_owned()
        }
        Note::Finished => "the rollover is complete".to_owned(),
        Note::Adopted(release) => format!(
            "release {} was found running and is adopted",
            release.revision
        ),
    }
}
