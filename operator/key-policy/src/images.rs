//! The images that a policy names.

use measurement::Pcr;

use crate::project::DECRYPT;
use crate::{IMAGE_SHA384, Policy};

/// The `ImageSha384` values that statement 3 names, whoever it is for; none where it has no such condition.
pub fn images(policy: &Policy) -> Vec<String> {
    named_images(policy).cloned().collect()
}

/// The same, as they are written there.
pub(crate) fn named_images(policy: &Policy) -> impl Iterator<Item = &String> {
    let statement = policy.statement(DECRYPT.into());
    let conditions = statement.map(|statement| &statement.conditions);
    let named = conditions.into_iter().flatten();
    let named = named.filter(|condition| condition.key.eq_ignore_ascii_case(IMAGE_SHA384));
    let values = named.flat_map(|condition| &condition.values);
    let nobody = |value: &&String| Pcr::parse(value).is_ok_and(|pcr| pcr.is_nobody());
    values.filter(move |value| !nobody(value))
}
