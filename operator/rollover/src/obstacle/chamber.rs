//! Chambers and their `ReplicaSets`.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;

use crate::{Chamber, Reason, Release};

/// What keeps chambers from running what they should.
#[derive(Clone, Debug, PartialEq)]
pub enum ChamberObstacle {
    /// Not all of them are unsealed yet.
    Sealed {
        /// Unsealed ones.
        unsealed: u32,
        /// Those wanted.
        wanted: u32,
        /// Revision of the target.
        revision: String,
        /// Pods that are waited for.
        sealed: Vec<String>,
        /// What one of them says of itself.
        says: Option<Words>,
    },
    /// One cannot start; what Kubernetes says.
    Failing(Named, String),
    /// No node has room for one; what Kubernetes says.
    Unschedulable(Named, String),
    /// One is still ending.
    Terminating(Named),
    /// One should be gone since then: its node is lost.
    NodeLost(Named, Option<Timestamp>),
    /// One has no `ReplicaSet` of this cluster.
    Orphan(Named),
    /// A disruption budget allows less than would be stopped.
    Budget {
        /// Unsealed chambers that would be stopped.
        stops: u32,
        /// What the budgets allow.
        allowed: u32,
    },
    /// A `ReplicaSet` that nobody wants has chambers that cannot be stopped: name, chambers, revision.
    Unwanted(String, u32, String),
    /// Status says that the first release is started, and others serve.
    BeforeTheFirst {
        /// The target.
        target: String,
        /// The `ReplicaSet` whose chambers serve.
        set: String,
        /// Its release.
        revision: String,
    },
    /// Status is lost, and several releases have `ReplicaSets`.
    Several,
    /// Status is lost, and keys admit something else than what the only `ReplicaSet` runs.
    NotAdmitted {
        /// The `ReplicaSet`.
        set: String,
        /// The image that it runs.
        image: String,
    },
    /// A `ReplicaSet` is gone, and what it was made from is not known any more.
    TemplateLost {
        /// Its release.
        release: Box<Release>,
        /// The revision that the spec names.
        named: String,
    },
    /// Fewer chambers than wanted are unsealed, and nothing is in flight.
    NotReady {
        /// Unsealed ones.
        unsealed: u32,
        /// Those wanted.
        wanted: u32,
        /// What one of the others says of itself.
        says: Option<Words>,
    },
}

/// What a chamber says of itself: its pod, and its words.
pub type Words = (String, String);

/// A chamber in a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its pod.
    pub pod: String,
    /// Revision of its release.
    pub revision: String,
    /// Its node.
    pub node: Option<String>,
}

impl From<&Chamber> for Named {
    fn from(chamber: &Chamber) -> Self {
        Self {
            pod: chamber.name.clone(),
            revision: chamber.revision.clone(),
            node: chamber.node.clone(),
        }
    }
}

impl Named {
    fn node(&self) -> &str {
        self.node.as_deref().unwrap_or("(none)")
    }
}

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "chamber {} of release {}", self.pod, self.revision)
    }
}

impl ChamberObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Sealed { .. } => Reason::ChamberSealed,
            Self::Failing(..) => Reason::ChamberFailing,
            Self::Unschedulable(..) => Reason::ChamberUnschedulable,
            Self::Terminating(_) => Reason::ChamberTerminating,
            Self::NodeLost(..) => Reason::NodeLost,
            Self::Budget { .. } => Reason::DisruptionBudget,
            Self::TemplateLost { .. } => Reason::TemplateLost,
            Self::NotReady { .. } => Reason::ChambersNotReady,
            Self::Orphan(_)
            | Self::Unwanted(..)
            | Self::BeforeTheFirst { .. }
            | Self::Several
            | Self::NotAdmitted { .. } => Reason::UnexpectedChambers,
        }
    }
}

impl Display for ChamberObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed {
                unsealed,
                wanted,
                revision,
                sealed,
                says,
            } => {
                let pods = match sealed.as_slice() {
                    [] => "the next pod".to_owned(),
                    pods => pods.join(", "),
                };
                write!(
                    f,
                    "{unsealed} of {wanted} chambers run release {revision} unsealed; waiting for {pods}"
                )?;
                said(f, says.as_ref())
            }
            Self::Failing(chamber, why) => write!(f, "{chamber} cannot start: {why}"),
            Self::Unschedulable(chamber, why) => write!(
                f,
                "no node has room for {chamber}: {why}. Add nodes or room (enclave slots, huge pages, CPU); it goes on by itself, and the release is not blamed"
            ),
            Self::Terminating(chamber) => {
                write!(f, "{chamber} is still ending on node {}", chamber.node())
            }
            Self::NodeLost(chamber, by) => write!(
                f,
                "{chamber} should be gone since {}: node {} seems lost. When it is certain that the node is off, delete its Node object or force-delete the pod; until then what it runs stays admitted",
                by.map_or_else(String::new, |by| format!("{by:.0}")),
                chamber.node()
            ),
            Self::Orphan(chamber) => write!(
                f,
                "{chamber} on node {} has no ReplicaSet of this cluster: nothing ends it, and nothing makes it again. Delete the pod",
                chamber.node()
            ),
            Self::Budget { stops, allowed } => write!(
                f,
                "{stops} unsealed chambers would be stopped, and the disruption budgets over them allow {allowed} now"
            ),
            Self::NotReady {
                unsealed,
                wanted,
                says,
            } => {
                write!(f, "{unsealed} of {wanted} chambers are unsealed")?;
                said(f, says.as_ref())
            }
            other => other.unexplained(f),
        }
    }
}

fn said(f: &mut Formatter<'_>, says: Option<&Words>) -> fmt::Result {
    match says {
        Some((pod, why)) => write!(f, ". {pod} says: {why}"),
        None => Ok(()),
    }
}

impl ChamberObstacle {
    /// What is there and has no explanation.
    fn unexplained(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwanted(set, count, revision) => write!(
                f,
                "ReplicaSet {set} has {count} chambers of release {revision}, which is neither current nor the target, and too few others are unsealed to stop them: scale it to 0"
            ),
            Self::BeforeTheFirst {
                target,
                set,
                revision,
            } => write!(
                f,
                "status says that the first release {target} is started, but ReplicaSet {set} has unsealed chambers of release {revision}: status was lost, or written by somebody else. Remove the resource's status, so that what runs is found and recovered"
            ),
            Self::NotAdmitted { set, image } => write!(
                f,
                "status is lost, and not every key's policy admits exactly the release that ReplicaSet {set} runs ({image}). Set the policies to it"
            ),
            Self::TemplateLost { release, named } => write!(
                f,
                "the ReplicaSet of release {0} ({1}) is gone, and spec.release with spec.chambers.template is now {named}: nothing tells what {0} ran. Write image, measurement and template of {0} back into the spec, or name a release to go on to",
                release.revision, release.image
            ),
            _ => f.write_str(
                "status is lost and ReplicaSets of several releases are there: scale those that are not wanted to 0 and delete them",
            ),
        }
    }
}
