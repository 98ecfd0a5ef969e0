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

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "arn:aws:kms:*:111122223333:key/*";

    fn of(known: &str, patterns: &[&str]) -> (Vec<String>, bool) {
        let list: Vec<_> = patterns.iter().map(|one| (*one).to_owned()).collect();
        let (found, exhausted) = examples(known, &[&list]);
        let short = |arn: String| {
            arn.replace("arn:aws:kms:", "")
                .replace(":111122223333:key/", "/")
        };
        (found.into_iter().map(short).collect(), exhausted)
    }

    #[test]
    fn each_key_that_is_told_apart_is_there_once_with_one_beside_it() {
        let named = "arn:aws:kms:eu-west-1:111122223333:key/a";
        let (found, exhausted) = of(ANY, &[named, named]);
        assert_eq!(
            found,
            [
                "us-east-1/a",
                "eu-west-1/a",
                "us-east-1/another",
                "eu-west-1/another"
            ]
        );
        assert!(exhausted);
        // Where the Region is known, it is no other's.
        let known = "arn:aws:kms:ap-south-1:111122223333:key/*";
        let in_any = "arn:aws:kms:*:111122223333:key/a";
        assert_eq!(
            of(known, &[in_any]).0,
            ["ap-south-1/a", "ap-south-1/another"]
        );
        // Every key is in the list: there is no second outcome to see.
        assert_eq!(
            of(ANY, &["*"]),
            (
                vec![
                    "us-east-1/another".to_owned(),
                    "eu-west-1/another".to_owned()
                ],
                false
            )
        );
    }

    #[test]
    fn stars_and_variables_are_no_parts_of_a_key() {
        let (found, _) = of(ANY, &["arn:aws:kms:*:111122223333:key/a"]);
        assert!(!found.iter().any(|one| one.starts_with("x/")), "{found:?}");
        let variable = "arn:aws:kms:us-east-1:111122223333:key/${aws:PrincipalTag/key}";
        let (found, exhausted) = of(ANY, &["arn:aws:kms:us-east-1:111122223333:key/a", variable]);
        assert!(!found.iter().any(|one| one.contains('$')), "{found:?}");
        assert!(!exhausted, "a variable may be any key");
    }
}
