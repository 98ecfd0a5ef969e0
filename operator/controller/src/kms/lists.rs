//! What goes beside a key's policy, grants and other policies: advice that no step rests on, so it is asked seldom.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{GrantListEntry, GrantOperation};
use key_policy::{Grant, KeyLists, Unread};
use rollover::Share;
use tokio::time::{Instant, timeout};

use crate::kms::error::Error;

/// Lists are asked for again after this long.
const GOOD_FOR: Duration = Duration::from_mins(5);
/// The same where a call failed that may succeed by itself.
const AGAIN: Duration = Duration::from_mins(1);
/// What all pages of a list may take together: a turn does not wait long for advice.
const PATIENCE: Duration = Duration::from_secs(5);
/// Grants on a page: the most that KMS gives.
const PAGE: i32 = 100;

const LIST_POLICIES: &str = "kms:ListKeyPolicies";
const LIST_GRANTS: &str = "kms:ListGrants";

type Listed<T> = Result<Vec<T>, Unread>;

/// The lists of one key, kept for a while.
#[derive(Debug, Default)]
pub struct Lists(Mutex<Option<Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    due: Instant,
    policy_names: Listed<String>,
    grants: Listed<Grant>,
}

impl Lists {
    /// The key's lists, asked for where they are old.
    pub async fn read(&self, client: &Client, share: &Share) -> KeyLists {
        let before = self.kept().clone();
        if let Some(kept) = before.as_ref().filter(|kept| Instant::now() < kept.due) {
            return kept.lists();
        }
        let (names, grants) = futures::join!(
            within(share, LIST_POLICIES, policy_names(client, share)),
            within(share, LIST_GRANTS, grants(client, share))
        );
        let passes = |error: Option<&Error>| error.is_some_and(Error::passes);
        let passes = passes(names.as_ref().err()) || passes(grants.as_ref().err());
        let (known_names, known_grants) = match before {
            Some(kept) => (Some(kept.policy_names), Some(kept.grants)),
            None => (None, None),
        };
        let kept = Kept {
            due: Instant::now() + if passes { AGAIN } else { GOOD_FOR },
            policy_names: newest(names, LIST_POLICIES, known_names),
            grants: newest(grants, LIST_GRANTS, known_grants),
        };
        let lists = kept.lists();
        *self.kept() = Some(kept);
        lists
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn lists(&self) -> KeyLists {
        let unread = [self.policy_names.as_ref().err(), self.grants.as_ref().err()];
        KeyLists {
            policy_names: self.policy_names.clone().unwrap_or_default(),
            grants: self.grants.clone().unwrap_or_default(),
            unread: unread.into_iter().flatten().cloned().collect(),
        }
    }
}

/// What was listed now. A failure that passes hides nothing that was known: what is told does not come and go.
fn newest<T>(
    listed: Result<Vec<T>, Error>,
    permission: &'static str,
    before: Option<Listed<T>>,
) -> Listed<T> {
    listed.or_else(|error| match before {
        Some(known) if error.passes() => known,
        _ => Err(Unread {
            permission,
            code: error.code,
        }),
    })
}

async fn within<T>(
    share: &Share,
    call: &'static str,
    list: impl Future<Output = Result<Vec<T>, Error>>,
) -> Result<Vec<T>, Error> {
    let listed = timeout(PATIENCE, list).await;
    listed.unwrap_or_else(|_| Err(Error::no_answer(&share.name, call)))
}

async fn policy_names(client: &Client, share: &Share) -> Result<Vec<String>, Error> {
    let list = client.list_key_policies().key_id(&share.arn);
    let mut pages = list.into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(name) = pages.next().await {
        names.push(name.map_err(|error| Error::new(&share.name, LIST_POLICIES, &error))?);
    }
    Ok(names)
}

async fn grants(client: &Client, share: &Share) -> Result<Vec<Grant>, Error> {
    let list = client.list_grants().key_id(&share.arn).limit(PAGE);
    let mut pages = list.into_paginator().items().send();
    let mut grants = Vec::new();
    while let Some(grant) = pages.next().await {
        let grant = grant.map_err(|error| Error::new(&share.name, LIST_GRANTS, &error))?;
        grants.push(of_sdk(grant));
    }
    Ok(grants)
}

fn of_sdk(grant: GrantListEntry) -> Grant {
    let operations = grant.operations.unwrap_or_default();
    let grantee = [grant.grantee_principal, grant.grantee_service_principal];
    let operations = operations.iter().map(GrantOperation::as_str);
    Grant::listed(grant.grant_id, grant.name, grantee, operations)
}
