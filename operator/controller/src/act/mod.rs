//! Carrying out one action. The plan leaves nothing to choose here.

mod blobs;
mod chambers;
pub mod deletion;

use chamber_api::ChamberCluster;
use rollover::{Action, World, tags};

use crate::context::Context;
use crate::kms::write;

/// Why an action failed; the world is looked at anew after a pause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or was not reached.
    #[error("Kubernetes API: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// KMS or STS refused or was not reached.
    #[error("{0}")]
    Key(String),
    /// A foreign hand wrote the policy since it was looked at.
    #[error("the policy of key {0} was changed by someone else a moment ago; looking again")]
    ChangedUnderneath(String),
    /// The policy that was written does not show.
    #[error("the policy of key {0} was written but reads back differently; looking again")]
    NotReadBack(String),
    /// Another replica leads.
    #[error("this replica does not hold the lease; nothing was written")]
    NotLeading,
    /// A blob could not be bound or stored.
    #[error("sealed blob: {0}")]
    Blob(String),
}

impl Error {
    /// Something changed since the look: the order that met it was not taken, and looking again is all there is to do.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Kubernetes(error) => {
                matches!(&**error, kube::Error::Api(status) if status.is_conflict())
            }
            _ => false,
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

/// Does what the plan orders.
pub async fn perform(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    action: &Action,
) -> Result<(), Error> {
    if !ctx.lease.is_held() {
        return Err(Error::NotLeading);
    }
    let done = order(ctx, cluster, world, action).await;
    if let (Action::Resize(_), Err(error)) = (action, &done)
        && !error.is_conflict()
    {
        // It may still arrive: what follows must not meet it.
        ctx.fence.renew();
    }
    if action.changes_keys() {
        // Whatever was written or half written: the next look reads the keys.
        ctx.keep_reading(&kube::ResourceExt::uid(cluster).unwrap_or_default(), None);
    }
    done
}

async fn order(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &World,
    action: &Action,
) -> Result<(), Error> {
    match action {
        // Facts and the finalizer are on the resource itself, which the caller writes.
        Action::Note(_) | Action::AddFinalizer | Action::RemoveFinalizer(_) => Ok(()),
        Action::ClaimKeys {
            arns,
            progress,
            healed_at,
        } => {
            let spec = &world.spec;
            let progress = tags::progress_text(*progress);
            let healed_at = healed_at.map(|at| (tags::HEALED_AT.to_owned(), at.to_string()));
            let mut tags = vec![
                (tags::OWNER.to_owned(), spec.owner.clone()),
                (tags::CLUSTER_ID.to_owned(), spec.cluster_id.clone()),
                (tags::ROLLOVER.to_owned(), progress),
            ];
            tags.extend(healed_at);
            write::tags(ctx, cluster, world, arns, &tags).await
        }
        Action::TagRevoked { arns, images } => {
            let pages = tags::revoked_pages(images);
            write::tags(ctx, cluster, world, arns, &pages).await
        }
        Action::TagCommitment { arns, commitment } => {
            let tags = [(tags::COMMITMENT.to_owned(), commitment.clone())];
            write::tags(ctx, cluster, world, arns, &tags).await
        }
        Action::WritePolicies(writes) => write::policies(ctx, cluster, world, writes).await,
        Action::BindBlob { from, to } => blobs::bind(ctx, cluster, &world.spec, from, to).await,
        Action::StartSeal(release) => blobs::start_seal(ctx, cluster, world, release).await,
        Action::StoreBlob(measurement) => blobs::store_offer(ctx, cluster, measurement).await,
        Action::RemoveSealPod => blobs::remove_seal_pod(ctx, cluster).await,
        Action::MakeSet(release) => chambers::make(ctx, cluster, world, release).await,
        Action::Fence(fences) => chambers::fence(ctx, cluster, fences).await,
        Action::Resize(resizes) => chambers::resize(ctx, cluster, resizes).await,
        Action::RemoveSets(names) => chambers::remove(ctx, cluster, names).await,
    }
}
