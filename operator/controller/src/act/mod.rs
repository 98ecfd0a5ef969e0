//! Carrying out one action. The plan leaves nothing to choose here.

mod blobs;
mod chambers;
mod deletion;
mod error;

use chamber_api::ChamberCluster;
use rollover::{Action, Change, KeyWrite, World, tags};

use crate::context::Context;
use crate::kms::write;

pub use deletion::hold;
pub use error::Error;

/// What an action left.
#[derive(Debug)]
pub struct Done {
    /// What of it was carried out; all of it where there is no error.
    pub part: Option<Action>,
    /// Why the rest was not.
    pub failed: Option<Error>,
}

impl From<Result<Action, Error>> for Done {
    fn from(done: Result<Action, Error>) -> Self {
        match done {
            Ok(action) => Self {
                part: Some(action),
                failed: None,
            },
            Err(error) => Self {
                part: None,
                failed: Some(error),
            },
        }
    }
}

/// Does what the plan orders.
pub async fn perform(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    action: &Action,
) -> Done {
    if !ctx.lease.is_held() {
        return Err(Error::NotLeading).into();
    }
    let done = if let Action::WritePolicies(writes) = action {
        policies(ctx, cluster, world, writes).await
    } else {
        let done = order(ctx, cluster, world, action).await;
        done.map(|()| action.clone()).into()
    };
    if let (Action::Resize(_), Some(error)) = (action, &done.failed)
        && !error.is_conflict()
    {
        // It may still arrive: what follows must not meet it.
        ctx.fencing_token.renew();
    }
    if action.changes_keys() {
        // Whatever was written or half written: the next look reads the keys.
        ctx.keep_reading(&kube::ResourceExt::uid(cluster).unwrap_or_default(), None);
    }
    done
}

/// Each key's write counts, whatever became of the others.
async fn policies(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    writes: &[KeyWrite],
) -> Done {
    let answers = write::policies(ctx.keys(cluster), world, writes).await;
    let arns: Vec<_> = writes.iter().map(|write| write.arn.as_str()).collect();
    remember(ctx, cluster, Change::Policy, &arns, &answers);
    let mut written = Vec::new();
    let mut refused = Vec::new();
    for (write, answer) in writes.iter().zip(answers) {
        match answer {
            Ok(()) => written.push(write.clone()),
            Err(error) => {
                // What somebody else changed back before it was read was written all the same.
                written.extend(error.was_written().then(|| write.clone()));
                refused.push(error);
            }
        }
    }
    Done {
        part: (!written.is_empty()).then_some(Action::WritePolicies(written)),
        failed: (!refused.is_empty()).then_some(Error::Keys(refused)),
    }
}

/// A key that refuses for other reasons than time, or for a long time, is left alone for a while.
fn remember(
    ctx: &Context,
    cluster: &ChamberCluster,
    change: Change,
    arns: &[&str],
    answers: &[Result<(), write::Error>],
) {
    for (arn, answer) in arns.iter().zip(answers) {
        match answer {
            Ok(()) => ctx.refusals.accepted(cluster, arn, change),
            Err(error) => {
                let passes = error.passes();
                let told = (change, error.to_string());
                ctx.refusals.failed(cluster, arn, told, passes);
            }
        }
    }
}

async fn tags(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    arns: &[String],
    tags: &[(String, String)],
) -> Result<(), Error> {
    let answers = write::tags(ctx.keys(cluster), world, arns, tags).await;
    let named: Vec<_> = arns.iter().map(String::as_str).collect();
    remember(ctx, cluster, Change::Tags, &named, &answers);
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::Keys(refused))
}

/// The tags that say whose a key is.
fn owners(world: &World) -> [(String, String); 2] {
    let owner = &world.spec.owner;
    [
        (tags::OWNER.to_owned(), owner.tag()),
        (tags::NAMESPACE_UID.to_owned(), owner.namespace_uid.clone()),
    ]
}

async fn order(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    action: &Action,
) -> Result<(), Error> {
    match action {
        // Facts and the finalizer are on the resource itself, which the caller writes; policies have an answer each.
        Action::Transition(_)
        | Action::AddFinalizer
        | Action::RemoveFinalizer(_)
        | Action::WritePolicies(_) => Ok(()),
        Action::ClaimKeys {
            arns,
            progress,
            retired_for,
            healed_at,
        } => {
            let mut tags = owners(world).to_vec();
            tags.push((tags::CLUSTER_ID.to_owned(), world.spec.cluster_id.clone()));
            tags.push((tags::ROLLOVER.to_owned(), tags::progress_text(*progress)));
            tags.extend(healed_at.map(|at| (tags::HEALED_AT.to_owned(), at.to_string())));
            let stays = retired_for.iter().cloned();
            tags.extend(stays.map(|id| (tags::RETIRED_FOR.to_owned(), id)));
            self::tags(ctx, cluster, world, arns, &tags).await
        }
        Action::TransferKeys { arns, .. } => {
            self::tags(ctx, cluster, world, arns, &owners(world)).await
        }
        Action::TagRevoked { arns, images } => {
            let pages = tags::revoked_pages(images);
            self::tags(ctx, cluster, world, arns, &pages).await
        }
        Action::TagCommitment { arns, commitment } => {
            let tags = [(tags::COMMITMENT.to_owned(), commitment.clone())];
            self::tags(ctx, cluster, world, arns, &tags).await
        }
        Action::BindBlob {
            from,
            to,
            generation,
        } => blobs::bind(ctx, cluster, &world.spec, (from, to), *generation).await,
        Action::StartSeal(release) => blobs::start_seal(ctx, cluster, world, release).await,
        Action::StoreBlob(measurement) => {
            blobs::store_offer(ctx, cluster, world, measurement).await
        }
        Action::RemoveSealPod => blobs::remove_seal_pod(ctx, cluster).await,
        Action::MakeSet(release) => chambers::make(ctx, cluster, world, release).await,
        Action::Fence(fences) => chambers::fence(ctx, cluster, fences).await,
        Action::Resize(resizes) => chambers::resize(ctx, cluster, resizes).await,
        Action::RemoveSets(names) => chambers::remove(ctx, cluster, names).await,
    }
}
