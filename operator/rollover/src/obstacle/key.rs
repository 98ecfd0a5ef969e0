//! Keys: their state, their policies, and whose they are.

use std::fmt::{self, Display, Formatter};

use jiff::Timestamp;
use key_policy::{Denial, Finding, NotOurs};

use super::KeyName;
use crate::tags::{self, Progress};
use crate::{Reason, Refusal};

/// What is wrong with a key or its policy.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyObstacle {
    /// Disabled, pending deletion, or in another state that cannot decrypt; KMS's word.
    NotEnabled(KeyName, String),
    /// Its policy is no policy document; why.
    Unparsable(KeyName, String),
    /// The policy names another enclave role, though a rollover of this cluster ended on the key.
    OtherRole {
        /// The key.
        key: KeyName,
        /// The principals found.
        found: String,
        /// The role expected.
        expected: String,
    },
    /// Its policy is not the template's.
    NotOurs {
        /// The key.
        key: KeyName,
        /// What was found.
        fault: NotOurs,
        /// The resource, for the command that prints the policy.
        cluster: String,
        /// `spec.keys.policy.adopt` would have the operator write it.
        adoptable: bool,
    },
    /// A Deny of others keeps a release from decrypting, or may.
    Denied {
        /// The key.
        key: KeyName,
        /// The Deny, and whether it is certain.
        denial: Denial,
        /// The release.
        revision: String,
    },
    /// A statement of others names a principal that was deleted.
    DeletedPrincipal {
        /// The key.
        key: KeyName,
        /// The statement.
        statement: String,
        /// The id in it.
        id: String,
    },
    /// An error of the lint.
    Unsound(KeyName, Box<Finding>),
    /// What is to be written cannot be made of what was found.
    NotProjected(String, NotOurs),
    /// It admits what nobody named; the image, and why it is not taken over.
    UnknownMeasurement(KeyName, String, String),
    /// Something else changes these keys' policies back again and again.
    Conflict(Vec<String>),
    /// These keys' policies were changed, and `driftPolicy` is Report.
    Drift(Vec<String>),
    /// These keys' holders are asked to change their policies.
    AwaitingHolder {
        /// Names of the shares.
        keys: Vec<String>,
        /// The resource, for the command that prints the policy.
        cluster: String,
    },
    /// KMS refuses what would change keys.
    Refuses(Vec<Refusal>),
}

impl KeyObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotEnabled(..) => Reason::KeyNotEnabled,
            Self::Unparsable(..) => Reason::PolicyUnparsable,
            Self::OtherRole { .. } => Reason::KeyOfAnotherCluster,
            Self::NotOurs { fault, .. } => match fault {
                NotOurs::ForeignRole { .. } => Reason::KeyOfAnotherCluster,
                NotOurs::DeletedPrincipal { .. } => Reason::DeletedPrincipal,
                _ => Reason::PolicyNotOurs,
            },
            Self::Denied { denial, .. } => match denial {
                Denial::Certain { .. } => Reason::ForeignDeny,
                Denial::Depends { .. } => Reason::PolicyDependsOnUnknown,
            },
            Self::DeletedPrincipal { .. } => Reason::DeletedPrincipal,
            Self::Unsound(..) | Self::NotProjected(..) => Reason::PolicyUnsound,
            Self::UnknownMeasurement(..) => Reason::UnknownMeasurement,
            Self::Conflict(_) => Reason::PolicyConflict,
            Self::Drift(_) => Reason::PolicyDrift,
            Self::AwaitingHolder { .. } => Reason::AwaitingKeyHolder,
            Self::Refuses(_) => Reason::KeyRefusesWrite,
        }
    }
}

impl Display for KeyObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnabled(key, state) => write!(
                f,
                "{key} is {state}: no share under it can be decrypted. Enable it (cancel its deletion first, if that is scheduled), or accept it in spec.keys.acceptAtRisk"
            ),
            Self::Unparsable(key, why) => write!(
                f,
                "the policy of {key} is no policy document: {why}. Write the five statements into it"
            ),
            Self::OtherRole {
                key,
                found,
                expected,
            } => write!(
                f,
                "the policy of {key} names {found} where this cluster's enclave role is {expected}, and by the key's tag {} a rollover of this cluster has ended there. Put spec.enclaveRoleAccountId right, or the policy; a key that was moved from another owner is taken over once that tag is removed",
                tags::ROLLOVER
            ),
            Self::NotOurs {
                key,
                fault,
                cluster,
                adoptable,
            } => not_ours(f, key, fault, cluster, *adoptable),
            Self::Denied {
                key,
                denial,
                revision,
            } => denied(f, key, denial, revision),
            Self::DeletedPrincipal { key, statement, id } => write!(
                f,
                "in the policy of {key} statement `{statement}`, which is not the operator's, names {id}, the id of a role or user that was deleted, and KMS refuses every policy with such a principal. Take it out of the statement, or name the role there by its ARN"
            ),
            Self::Unsound(key, error) => write!(
                f,
                "the policy of {key} has the error {}: {}. {}",
                error.rule, error.message, error.cure
            ),
            Self::NotProjected(name, fault) => write!(f, "the policy of key {name}: {fault}"),
            Self::UnknownMeasurement(key, image, why) => write!(
                f,
                "the policy of {key} admits {image}, which is neither the target nor a release that this cluster ran ({why}). Remove it from statement AllowChamberEnclaveDecryptWithAttestation"
            ),
            Self::Conflict(keys) => write!(
                f,
                "the policy of key {} was put right again and again within an hour, and something else changes it back. Stop that writer (Terraform: ignore_changes = [policy, tags, tags_all]), then set the annotation chamber.dev/retry to a new value",
                keys.join(", ")
            ),
            Self::Drift(keys) => write!(
                f,
                "the policy of key {} does not hold exactly the current release in the profile of spec.keys.policy, and driftPolicy there is Report: put it right, or set driftPolicy to Repair",
                keys.join(", ")
            ),
            Self::AwaitingHolder { keys, cluster } => write!(
                f,
                "waiting for the holder of key {}: status.keys says what is asked for, and `kubectl chamber plan {cluster} --document <key>` prints the policy",
                keys.join(", ")
            ),
            Self::Refuses(refusals) => {
                let messages: Vec<_> = refusals.iter().map(|one| one.message.as_str()).collect();
                f.write_str(&messages.join("; "))
            }
        }
    }
}

fn not_ours(
    f: &mut Formatter<'_>,
    key: &KeyName,
    fault: &NotOurs,
    cluster: &str,
    adoptable: bool,
) -> fmt::Result {
    let name = &key.name;
    write!(
        f,
        "the policy of {key}: {fault}. `kubectl chamber plan {cluster} --document {name}` prints the policy that it needs"
    )?;
    if adoptable {
        f.write_str("; spec.keys.policy.adopt: true has the operator write it")?;
    }
    Ok(())
}

fn denied(f: &mut Formatter<'_>, key: &KeyName, denial: &Denial, revision: &str) -> fmt::Result {
    match denial {
        Denial::Certain { by } => write!(
            f,
            "the policy of {key} has the foreign Deny `{by}`, which would keep release {revision} from decrypting. Remove it or except the enclave role from it"
        ),
        Denial::Depends { by, on } => write!(
            f,
            "the policy of {key} has the foreign Deny `{by}`, and whether it keeps release {revision} from decrypting depends on {}. Say what holds for the chambers in spec.keys.policy.assume (of registers, in spec.release.measurement), or except the enclave role from the Deny",
            on.join(", ")
        ),
    }
}

/// Whose a key is.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimObstacle {
    /// It has the tags of another owner.
    Anothers {
        /// The key.
        key: KeyName,
        /// That owner, as people name it.
        owner: String,
        /// This resource's external id.
        ours: String,
        /// This resource.
        cluster: String,
    },
    /// Its tag is ahead of status.
    Ahead {
        /// Name of the share.
        key: String,
        /// What status knows.
        known: Progress,
        /// What the tag says.
        tagged: Progress,
    },
    /// Its tag is lost, and its policy is not what this cluster wrote last.
    Lost(KeyName),
    /// Its lost tag is there again; the key (by its share's name) is left alone until then.
    Healing(String, Timestamp),
}

impl ClaimObstacle {
    /// The one word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Anothers { .. } => Reason::KeyOwnedByAnother,
            Self::Ahead { .. } => Reason::StatusBehindKeys,
            Self::Lost(_) => Reason::ClaimLost,
            Self::Healing(..) => Reason::ClaimSettling,
        }
    }
}

impl Display for ClaimObstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anothers {
                key,
                owner,
                ours,
                cluster,
            } => write!(
                f,
                "{key} has the tags of another owner, {owner}; this ChamberCluster is {ours}. Give it a key of its own; where that one is gone, or gives its keys up, `kubectl chamber transfer {cluster} --from '{owner}'` takes them over"
            ),
            Self::Ahead { key, known, tagged } => write!(
                f,
                "status knows rollovers up to {}, the tag {} on key {key} says {}: status was restored from a backup, or the tag was written by somebody else. Remove the resource's status, so that what runs is found and recovered; or remove the tag, if it is on this key alone",
                tags::progress_text(*known),
                tags::ROLLOVER,
                tags::progress_text(*tagged)
            ),
            Self::Lost(key) => write!(
                f,
                "{key} has lost the tag {}, and its policy is not what this cluster wrote last: another cluster may have it now. Put the policy right (kubectl chamber plan shows it) or write the tag by hand, if the key is this cluster's",
                tags::OWNER
            ),
            Self::Healing(key, until) => write!(
                f,
                "the tag {} of key {key} was lost and is there again; its policy is left alone until {until:.0}, so that another cluster's claim would be seen",
                tags::OWNER
            ),
        }
    }
}
