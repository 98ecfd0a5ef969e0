//! Orders in a few words, for the way to a broken law.

use rollover::{Action, Answer, KeyWrite, Note};

use crate::setup::Setup;
use crate::state::{Images, RELEASES};

/// An order in a few words.
pub fn action(setup: &Setup, action: &Action) -> String {
    match action {
        Action::Note(note) => self::note(note),
        Action::ClaimKeys { progress, .. } => format!("tags the keys {progress:?}"),
        Action::TransferKeys { arns, .. } => format!("takes over {} keys", arns.len()),
        Action::TagRevoked { .. } => "tags the keys with what is revoked".to_owned(),
        Action::WritePolicies(writes) => {
            let each: Vec<_> = writes.iter().map(|write| policy(setup, write)).collect();
            format!("writes policies {}", each.join(" "))
        }
        Action::Resize(resizes) => {
            let each = resizes.iter().map(|resize| {
                format!("{} {}->{}", resize.release.revision, resize.from, resize.to)
            });
            format!("resizes {}", each.collect::<Vec<_>>().join(", "))
        }
        Action::BindBlob { .. } => "binds the blob".to_owned(),
        Action::StartSeal(_) => "starts the seal pod".to_owned(),
        Action::StoreBlob(_) => "stores the blob".to_owned(),
        Action::TagCommitment { .. } => "tags the keys with the commitment".to_owned(),
        Action::MakeSet(release) => format!("makes the set of {}", release.revision),
        Action::Fence(_) => "marks the sets as its own".to_owned(),
        Action::RemoveSealPod => "removes the seal pod".to_owned(),
        Action::RemoveSets(names) => format!("removes {}", names.join(" ")),
        Action::AddFinalizer => "holds deletion".to_owned(),
        Action::RemoveFinalizer(undone) => format!("allows deletion, undone: {undone:?}"),
    }
}

fn note(note: &Note) -> String {
    match note {
        Note::Begun {
            from, to, number, ..
        } => {
            let from = from.as_ref().map_or("nothing", |from| &from.revision);
            format!("begins rollover {number}, {from} -> {}", to.revision)
        }
        Note::Answered { verb, answer, .. } => match answer {
            Answer::Refused(why) => format!("refuses {verb}: {why}"),
            _ => format!("does {verb}"),
        },
        Note::Failed { failure, back } => format!("{} failed, back: {back}", failure.revision),
        Note::Recovered { release, number } => format!("adopts {} as {number}", release.revision),
        other => format!("notes {other:?}"),
    }
}

fn policy(setup: &Setup, write: &KeyWrite) -> String {
    let index = setup
        .spec
        .shares
        .iter()
        .position(|share| share.arn == write.arn);
    let images = index.and_then(|index| setup.images(index, &write.policy));
    format!(
        "{}={}",
        write.name,
        images.map_or_else(|| "?".to_owned(), self::images)
    )
}

/// `[v1 v2]`; the image that nobody approved is v4.
pub fn images(images: Images) -> String {
    let each: Vec<_> = (0..=RELEASES)
        .filter(|release| images & (1 << release) != 0)
        .map(|release| format!("v{}", release + 1))
        .collect();
    format!("[{}]", each.join(" "))
}
