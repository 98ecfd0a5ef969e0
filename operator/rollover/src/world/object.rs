//! Objects beside pods and Secrets that a cluster needs, where something is wrong with them.

use crate::Reason;

/// An object that somebody else made under a name of ours, or that the API server does not take.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectProblem {
    /// Which object.
    pub object: Object,
    /// `NotOurs` or `ObjectRefused`.
    pub reason: Reason,
    /// The object, what was found, and the cure, in one stable line.
    pub message: String,
}

/// What the object is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// Clients or drains rely on it; a rollover does not.
    Surroundings,
    /// The `ReplicaSet` of a release: without it nothing of that release starts.
    ReplicaSet {
        /// The release's revision.
        revision: String,
    },
}
