//! Keys that the resources of a policy tell apart, where the ARN of the key is not known.

use std::collections::BTreeSet;

use super::pattern::Pattern;
use crate::arn::Arn;

/// Regions and keys that a policy would not name.
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const ANOTHER: &str = "key/another";

/// Keys that can be the one that is known in part (an ARN with a star for a part that is not), and whether every other
/// key would be answered as one of them. The lists are those of the policy's statements.
pub fn examples(known: &str, lists: &[&[String]]) -> (Vec<String>, bool) {
    let mut regions = REGIONS.map(str::to_owned).to_vec();
    let mut keys = vec![ANOTHER.to_owned()];
    let patterns = lists.iter().copied().flatten();
    for arn in patterns.clone().filter_map(|pattern| Arn::parse(pattern)) {
        add(&mut regions, arn.region);
        add(&mut keys, arn.resource);
    }
    let own: Vec<_> = known.splitn(6, ':').collect();
    let head = own.get(..3).map(|head| head.join(":")).unwrap_or_default();
    let account = own.get(4).copied().unwrap_or_default();
    let part = |index: usize, of: &str| {
        let own = own.get(index).copied().unwrap_or("*");
        if own.contains('*') { of } else { own }.to_owned()
    };
    let known = Pattern::plain(known);
    let mut examples = Vec::new();
    for key in &keys {
        for region in &regions {
            let arn = format!("{head}:{}:{account}:{}", part(3, region), part(5, key));
            if known.matches(&arn) && !examples.contains(&arn) {
                examples.push(arn);
            }
        }
    }
    let exhausted = !patterns.into_iter().any(|one| one.contains("${"));
    let exhausted = exhausted && every_outcome(lists, &examples);
    (examples, exhausted)
}

/// A text that a part of a pattern matches, before those that are there.
fn add(known: &mut Vec<String>, part: &str) {
    let example = Pattern::plain(part).example('x');
    if !part.contains('$') && part != "*" && !known.contains(&example) {
        known.insert(0, example);
    }
}

/// Whether the keys show each outcome that the lists can have together: one is in a list, or is not.
fn every_outcome(lists: &[&[String]], keys: &[String]) -> bool {
    let different: BTreeSet<_> = lists.iter().copied().collect();
    let listed = |key: &String, list: &[String]| {
        let mut patterns = list.iter().map(|one| Pattern::plain(one));
        patterns.any(|pattern| pattern.matches(key))
    };
    let outcome =
        |key: &String| -> Vec<bool> { different.iter().map(|list| listed(key, list)).collect() };
    let seen: BTreeSet<_> = keys.iter().map(outcome).collect();
    let most = u32::try_from(different.len()).ok();
    most.and_then(|count| 2_usize.checked_pow(count)) == Some(seen.len())
}
