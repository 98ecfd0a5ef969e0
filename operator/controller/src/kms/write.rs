//! Writing keys: one policy write is read, compare, lease, put, read back. KMS has no compare-and-swap.
//!
//! Every key's call is waited for, whatever becomes of the others: what was sent may arrive.

use std::time::Duration;

use aws_sdk_kms::types::Tag;
use futures::future::join_all;
use key_policy::Policy;
use kms_key::Key;
use rollover::{KeyWrite, Share, World};

use crate::kms::error::Error as Refusal;
use crate::kms::keyring::Access;
use crate::kms::read;

/// Readings until a written policy must show: `GetKeyPolicy` may lag behind.
const READ_BACKS: u32 = 5;
/// Between two of them.
const READ_BACK_PAUSE: Duration = Duration::from_secs(1);

/// Why one key was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// KMS or STS refused or was not reached.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A foreign hand wrote the policy since it was looked at.
    #[error("key {0}: its policy was changed by someone else a moment ago; looking again")]
    ChangedUnderneath(String),
    /// The policy that was written does not show.
    #[error("key {0}: its policy was written but reads back differently; looking again")]
    NotReadBack(String),
    /// What is there is no policy document.
    #[error("key {0}: its policy is no policy document: {1}")]
    NoPolicy(String, String),
    /// A tag that KMS's client does not take.
    #[error("key {0}: tag {1} has no name or no value")]
    NoTag(String, String),
    /// The plan names a key that the spec does not.
    #[error("{0} is not in spec.keys.shares")]
    NotInSpec(String),
    /// Another replica leads.
    #[error("key {0}: this replica does not hold the lease any more; nothing was written")]
    NotLeading(String),
}

impl Error {
    /// Whether KMS took the write, although it does not show.
    pub fn was_written(&self) -> bool {
        matches!(self, Self::NotReadBack(_))
    }

    /// Whether time alone may cure it.
    pub fn passes(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.cause.passes(),
            Self::ChangedUnderneath(_) | Self::NotReadBack(_) | Self::NotLeading(_) => true,
            Self::NoPolicy(..) | Self::NoTag(..) | Self::NotInSpec(_) => false,
        }
    }
}

/// Writes all policies of a step, concurrently; an answer for each, in the order of the writes.
pub async fn policies(
    access: Access<'_>,
    world: &World,
    writes: &[KeyWrite],
) -> Vec<Result<(), Error>> {
    let each = writes.iter().map(async |write| {
        let share = share(world, &write.arn)?;
        let key = access.key(&world.spec.owner, share).await;
        let done = policy(access, &key, share, write).await;
        access.telemetry.policy_written(done.is_ok());
        done
    });
    join_all(each).await
}

async fn policy(
    access: Access<'_>,
    key: &Key<'_>,
    share: &Share,
    write: &KeyWrite,
) -> Result<(), Error> {
    let name = &share.name;
    if !found(key, share).await?.equivalent(&write.expected) {
        return Err(Error::ChangedUnderneath(name.clone()));
    }
    if !access.lease.is_held() {
        return Err(Error::NotLeading(name.clone()));
    }
    let refused = |call| Error::Refused(Refusal::of(name)(call));
    let sent = key.put_policy(write.policy.to_json()).await;
    match &sent {
        // The answer was lost, perhaps not the write.
        Err(lost) if lost.may_have_arrived() => {
            let stored = found(key, share).await;
            let there = stored.is_ok_and(|stored| stored.equivalent(&write.policy));
            return if there { Ok(()) } else { sent.map_err(refused) };
        }
        _ => sent.map_err(refused)?,
    }
    for _ in 0..READ_BACKS {
        if found(key, share).await?.equivalent(&write.policy) {
            tracing::info!(key = %name, "policy written and read back");
            return Ok(());
        }
        tokio::time::sleep(READ_BACK_PAUSE).await;
    }
    Err(Error::NotReadBack(name.clone()))
}

async fn found(key: &Key<'_>, share: &Share) -> Result<Policy, Error> {
    let policy = read::policy(key, share).await?;
    policy.map_err(|why| Error::NoPolicy(share.name.clone(), why))
}

/// Adds tags to keys, concurrently; an answer for each. Tags that are there with the same value stay as they are.
pub async fn tags(
    access: Access<'_>,
    world: &World,
    arns: &[String],
    tags: &[(String, String)],
) -> Vec<Result<(), Error>> {
    let each = arns.iter().map(async |arn| {
        let share = share(world, arn)?;
        let tags = tags.iter().map(|(name, value)| {
            let tag = Tag::builder().tag_key(name).tag_value(value).build();
            tag.map_err(|_| Error::NoTag(share.name.clone(), name.clone()))
        });
        let tags = tags.collect::<Result<_, _>>()?;
        let key = access.key(&world.spec.owner, share).await;
        let sent = key.tag(tags).await;
        sent.map_err(|call| Refusal::of(&share.name)(call).into())
    });
    join_all(each).await
}

fn share<'a>(world: &'a World, arn: &str) -> Result<&'a Share, Error> {
    world
        .share(arn)
        .ok_or_else(|| Error::NotInSpec(arn.to_owned()))
}
