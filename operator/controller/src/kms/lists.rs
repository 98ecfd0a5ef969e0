//! What goes beside a key's policy, grants and other policies: advice that no step rests on, so it is asked seldom.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use key_policy::{Grant, KeyLists, Unread};
use kms_key::{Error, Key, Listed};
use tokio::time::{Instant, timeout};

use crate::locked::lock;

/// Lists are asked for again after this long.
const GOOD_FOR: Duration = Duration::from_mins(5);
/// The same where a call failed that may succeed by itself.
const AGAIN: Duration = Duration::from_mins(1);
/// What all pages of a list may take together: a turn does not wait long for advice.
const PATIENCE: Duration = Duration::from_secs(5);

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
    pub async fn read(&self, key: &Key<'_>) -> KeyLists {
        let before = self.kept().clone();
        if let Some(kept) = before.as_ref().filter(|kept| Instant::now() < kept.due) {
            return kept.lists();
        }
        let (names, grants) = futures::join!(
            within(Key::LIST_POLICIES, key.policy_names()),
            within(Key::LIST_GRANTS, key.grants())
        );
        let passes = |error: Option<&Error>| error.is_some_and(Error::passes);
        let passes = passes(names.as_ref().err()) || passes(grants.as_ref().err());
        let (known_names, known_grants) = match before {
            Some(kept) => (Some(kept.policy_names), Some(kept.grants)),
            None => (None, None),
        };
        let kept = Kept {
            due: Instant::now() + if passes { AGAIN } else { GOOD_FOR },
            policy_names: newest(names, Key::LIST_POLICIES, known_names),
            grants: newest(grants, Key::LIST_GRANTS, known_grants),
        };
        let lists = kept.lists();
        *self.kept() = Some(kept);
        lists
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        lock(&self.0)
    }
}

impl Kept {
    fn lists(&self) -> KeyLists {
        kms_key::lists(self.policy_names.clone(), self.grants.clone())
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
    call: &'static str,
    list: impl Future<Output = Result<Vec<T>, Error>>,
) -> Result<Vec<T>, Error> {
    let listed = timeout(PATIENCE, list).await;
    listed.unwrap_or_else(|_| Err(Error::no_answer(call)))
}
