//! Facts that cannot be observed, for status: what an action notes, and what a verb came to.

use std::collections::BTreeMap;

use measurement::{Measurement, Pcr};
use strum::{Display, IntoStaticStr, VariantNames};

use crate::{Failure, Release};

/// A fact for status.
#[derive(Clone, Debug, PartialEq, IntoStaticStr, VariantNames)]
pub enum Transition {
    /// A rollover begins.
    Begun {
        /// The current release.
        from: Option<Release>,
        /// The target.
        to: Release,
        /// What single keys' policies admit beside these, by ARN.
        found: BTreeMap<String, Measurement>,
        /// Its number, above every one that status or keys know.
        number: u64,
    },
    /// The target changed: the same steps back to the release before.
    TurnedBack,
    /// The target has failed.
    Failed {
        /// Which release, and why.
        failure: Failure,
        /// The same steps back to the release before; otherwise the rollover stays where it is.
        back: bool,
    },
    /// The spec names another release than the one that failed.
    FailureForgotten,
    /// A verb was answered.
    Answered {
        /// Which verb.
        verb: Verb,
        /// Which asking.
        token: String,
        /// What came of it.
        answer: Answer,
    },
    /// The commitment to the master key, found where status does not know it (lost, or a resource made again).
    Committed(String),
    /// The run manifest takes the place of the seal permit under which the target was begun: its enclaves attest one
    /// register more.
    ManifestTaken(Release),
    /// Every chamber of the release of this revision attested, for the first time in this cluster.
    Attested(String),
    /// All policies, read back, hold both measurements.
    Admitted,
    /// A policy that held both no longer does: the settle time must count anew.
    AdmissionLost,
    /// From now on the only way is forward.
    RetireBegun,
    /// The rollover has ended.
    Finished,
    /// Status was lost; this release is found running and admitted everywhere.
    Recovered {
        /// The release.
        release: Release,
        /// The number of the last rollover, from the keys.
        number: u64,
    },
}

/// What a person can ask for once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub enum Verb {
    /// Leave the target and return to the release before.
    Abort,
    /// Try again what failed.
    Retry,
    /// Take images out of every policy at once.
    Revoke,
    /// Give revocations up.
    Unrevoke,
    /// Take keys over from their owner.
    Transfer,
}

/// What came of a verb.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The target is left, and remembered as aborted.
    Aborted(Failure),
    /// What failed is forgotten.
    Retried,
    /// The images are never admitted again; each with why, in the asker's words.
    Revoked(Vec<(Pcr, String)>),
    /// The images may be admitted again; each with why, in the asker's words.
    Unrevoked(Vec<(Pcr, String)>),
    /// No key has the owner's tags any more.
    Transferred {
        /// Names of the shares whose keys are this cluster's.
        keys: Vec<String>,
        /// Names of those whose keys could not be read.
        unread: Vec<String>,
        /// Those whose keys carry the tags of yet another owner, with it.
        others: Vec<(String, String)>,
    },
    /// Nothing was done; why not, and what can be done.
    Refused(String),
}
