//! Which keys that are not known are compared with each other, by variables.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::variables;
use super::used::{KeyUse, RESOURCE};

/// Tells each key with what else these patterns compare it; each is there with what it is compared with, where that is not known.
pub fn tell(keys: &mut BTreeMap<String, KeyUse<'_>>, patterns: &[(&str, Option<&str>)]) {
    for (pattern, with) in patterns {
        let open = variables(pattern).map(str::to_ascii_lowercase);
        let open: BTreeSet<String> = open.filter(|name| keys.contains_key(name)).collect();
        let mut all = open.clone();
        all.extend(with.map(str::to_ascii_lowercase));
        for name in &all {
            let Some(used) = keys.get_mut(name).filter(|_| name != RESOURCE) else {
                continue;
            };
            let written = |values: &[String]| values.iter().any(|value| value == pattern);
            let mut compares = used.compares().into_iter();
            // Where each variable is known it was replaced, but for what cannot be written.
            let replaced = open.is_empty() && !compares.any(|one| written(&one.values));
            used.alone_in_variables |= all.len() == 1 && !replaced;
            let others = all.iter().filter(|other| *other != name);
            used.compared_with.extend(others.cloned());
        }
    }
}
