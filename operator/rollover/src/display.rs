//! Actions in words: the Event on the resource, the line of a story, and the answer to a verb are this one rendering.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use measurement::{Measurement, Pcr};

use crate::{Action, Answer, KeyWrite, Release, Resize, Transition, tags};

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(note) => note.fmt(f),
            Self::AddFinalizer => {
                write!(f, "holds deletion until the policies hold one measurement")
            }
            Self::RemoveFinalizer(None) => write!(f, "allows deletion"),
            Self::RemoveFinalizer(Some(undone)) => write!(f, "allows deletion, but {undone}"),
            Self::ClaimKeys {
                arns,
                progress,
                healed_at,
                ..
            } => {
                let (count, progress) = (arns.len(), tags::progress_text(*progress));
                claimed(f, count, &progress, healed_at.is_some())
            }
            Self::TransferKeys { arns, from } => {
                write!(f, "takes over {} keys of {from}", arns.len())
            }
            Self::TagRevoked { arns, images } => {
                let each = images.iter().map(|image| short(image));
                write!(f, "tags {} keys, revoked {}", arns.len(), list(each, " "))
            }
            Self::WritePolicies(writes) => {
                write!(
                    f,
                    "writes policies {}",
                    list(writes.iter().map(written), " ")
                )
            }
            Self::BindBlob { to, .. } => {
                write!(f, "binds the sealed blob to {}", image(&to.image_sha384))
            }
            Self::StartSeal(release) => write!(f, "starts the seal pod on {}", release.revision),
            Self::StoreBlob(measurement) => {
                write!(
                    f,
                    "stores the sealed blob for {}",
                    image(&measurement.image_sha384)
                )
            }
            Self::TagCommitment { arns, .. } => {
                write!(
                    f,
                    "tags {} keys with the commitment to the master key",
                    arns.len()
                )
            }
            Self::RemoveSealPod => write!(f, "removes the seal pod"),
            Self::MakeSet(release) => write!(f, "makes the ReplicaSet of {}", release.revision),
            Self::Fence(fences) => write!(f, "marks {} ReplicaSets as this leader's", fences.len()),
            Self::Resize(resizes) => {
                write!(f, "resizes {}", list(resizes.iter().map(resized), ", "))
            }
            Self::RemoveSets(names) => write!(f, "removes {}", names.join(", ")),
        }
    }
}

impl Display for Transition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun {
                from: Some(from),
                to,
                ..
            } => write!(f, "begins, {} -> {}", from.revision, to.revision),
            Self::Begun {
                from: None,
                to,
                found,
                ..
            } => first_start(f, to, found),
            Self::TurnedBack => write!(f, "turns back to the release before"),
            Self::Failed { failure, back } => {
                let then = if *back {
                    "turns back to the release before"
                } else {
                    "everything stays as it is (spec.rollover.onFailure is Pause)"
                };
                write!(f, "{} failed: {}; {then}", failure.revision, failure.why)
            }
            Self::FailureForgotten => {
                write!(f, "forgets the failure: the spec names another release")
            }
            Self::Answered { verb, answer, .. } => match answer {
                Answer::Refused(why) => write!(f, "{verb} is refused: {why}"),
                answer => answer.fmt(f),
            },
            Self::Committed(_) => write!(f, "finds the commitment to the master key"),
            Self::ManifestTaken(release) => {
                write!(f, "takes the run manifest for {}", release.revision)
            }
            Self::Attested(revision) => write!(
                f,
                "every chamber of {revision} attests: from now on silence is no answer"
            ),
            Self::Admitted => write!(f, "every key admits the live releases"),
            Self::AdmissionLost => {
                write!(f, "a key no longer admits the live releases; admits again")
            }
            Self::RetireBegun => {
                write!(f, "begins to retire: from now on the only way is forward")
            }
            Self::Finished => write!(f, "the rollover is complete"),
            Self::Recovered { release, .. } => {
                write!(f, "recovers {}, which was found running", release.revision)
            }
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(failure) => {
                write!(
                    f,
                    "aborts {}, turns back to the release before",
                    failure.revision
                )
            }
            Self::Retried => write!(f, "tries again what failed"),
            Self::Revoked(images) => write!(
                f,
                "revokes {}; chambers that run it stay sealed when they restart",
                list(images.iter().map(reasoned), ", ")
            ),
            Self::Unrevoked(images) => {
                write!(
                    f,
                    "gives up the revocation of {}",
                    list(images.iter().map(reasoned), ", ")
                )
            }
            Self::Transferred {
                keys,
                unread,
                others,
            } => transferred(f, keys, unread, others),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

fn claimed(f: &mut Formatter<'_>, count: usize, progress: &str, again: bool) -> fmt::Result {
    if !again {
        return write!(f, "tags {count} keys as this cluster's ({progress})");
    }
    write!(
        f,
        "tags {count} keys as this cluster's again ({progress}): something had removed the tags (Terraform: ignore_changes of tags)"
    )
}

fn first_start(
    f: &mut Formatter<'_>,
    to: &Release,
    found: &BTreeMap<String, Measurement>,
) -> fmt::Result {
    write!(f, "begins, the first start of {}", to.revision)?;
    found.iter().try_for_each(|(arn, kept)| {
        let key = arn.rsplit('/').next().unwrap_or(arn);
        write!(f, "; {key} keeps {}", image(&kept.image_sha384))
    })
}

/// Whose the keys are after a transfer: what was not moved is named, so that a misspelt owner is seen.
fn transferred(
    f: &mut Formatter<'_>,
    keys: &[String],
    unread: &[String],
    others: &[(String, String)],
) -> fmt::Result {
    write!(f, "keys of this cluster now: {}", keys.join(", "))?;
    if !others.is_empty() {
        let others = others
            .iter()
            .map(|(name, owner)| format!("{name} ({owner})"));
        write!(f, "; not moved, of another owner: {}", list(others, ", "))?;
    }
    if !unread.is_empty() {
        let names = unread.join(", ");
        write!(f, "; not read: {names}, ask again when they can be")?;
    }
    Ok(())
}

/// `a=[0123456789 abcdef0123]`: what the policy admits from now on.
fn written(write: &KeyWrite) -> String {
    let images = key_policy::images(&write.policy);
    let images = list(images.iter().map(|image| short(image)), " ");
    let pinned = if key_policy::binds(&write.policy) {
        " (Pinned)"
    } else {
        ""
    };
    format!("{}=[{images}]{pinned}", write.name)
}

fn resized(resize: &Resize) -> String {
    let Resize {
        release, from, to, ..
    } = resize;
    format!("{} {from}->{to}", release.revision)
}

fn reasoned((pcr, why): &(Pcr, String)) -> String {
    format!("{} ({why})", image(pcr))
}

fn image(pcr: &Pcr) -> String {
    short(&pcr.to_string())
}

/// Ten characters of an image, as status has them.
fn short(image: &str) -> String {
    image.chars().take(10).collect()
}

fn list(each: impl Iterator<Item = String>, between: &str) -> String {
    each.collect::<Vec<_>>().join(between)
}
