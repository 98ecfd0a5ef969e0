//! Keys that the resources of a policy tell apart, where the ARN of the key is not known.

use std::collections::BTreeSet;

use super::outcomes::{self, Relation};
use super::overlap;
use super::pattern::{Pattern, has_variable};
use crate::arn::Arn;

/// Regions and keys that a policy would not name.
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const ANOTHER: &str = "key/another";
/// What may stand where a pattern has a wildcard: the first that no pattern has.
const FILLS: [&str; 8] = ["x", "y", "z", "w", "v", "q", "j", "k"];
/// Patterns of which examples are made, and of which the parts are tried with those of each other.
const MOST: usize = 64;
const MOST_PAIRED: usize = 6;

/// Keys that can be the one that is known in part (an ARN with a star for a part that is not), and whether every other
/// key would be answered as one of them. The lists are those of the policy's statements that it may be in or not, and
/// the instances are what patterns with variables may be.
pub fn examples(known: &str, lists: &[&[String]], instances: &[String]) -> (Vec<String>, bool) {
    let patterns = lists.iter().copied().flatten();
    let variables = patterns.clone().any(|one| has_variable(one));
    let own: Vec<_> = known.splitn(6, ':').collect();
    let head = own.get(..3).map(|head| head.join(":")).unwrap_or_default();
    let account = own.get(4).copied().unwrap_or_default();
    let part = |index: usize, of: &str| {
        let own = own.get(index).copied().unwrap_or("*");
        if own.contains('*') { of } else { own }.to_owned()
    };
    let known = Pattern::plain(known);
    let texts: Vec<_> = patterns.chain(instances).take(MOST).collect();
    let mut seen = BTreeSet::new();
    let mut examples = Vec::new();
    for (region, key) in parts(&texts) {
        let arn = format!("{head}:{}:{account}:{}", part(3, &region), part(5, &key));
        if known.matches(&arn) && seen.insert(arn.clone()) {
            examples.push(arn);
        }
    }
    if variables {
        return (examples, false);
    }
    let lists = distinct(lists);
    let mut seen = BTreeSet::new();
    // The last is the plainest.
    examples.reverse();
    examples.retain(|key| seen.insert(outcome(&lists, key)));
    examples.reverse();
    let exhausted = every_outcome(&lists, &seen);
    (examples, exhausted)
}

/// Regions and keys that these patterns name, and others, the plainest last.
fn parts(texts: &[&String]) -> Vec<(String, String)> {
    let unused = |fill: &&str| !texts.iter().any(|text| text.contains(*fill));
    let fill = FILLS.into_iter().find(unused).unwrap_or("~");
    let arns: Vec<_> = texts.iter().filter_map(|text| Arn::parse(text)).collect();
    let (few, more) = arns.split_at(arns.len().min(MOST_PAIRED));
    let mut regions = REGIONS.map(str::to_owned).to_vec();
    // A pattern may take the name of another, and has not this character.
    let mut keys = vec![format!("key/{fill}"), ANOTHER.to_owned()];
    for arn in few {
        add(&mut regions, arn.region, fill);
        add(&mut keys, arn.resource, fill);
    }
    for (index, one) in few.iter().enumerate() {
        for other in &few[..index] {
            add_common(&mut regions, one.region, other.region, fill);
            add_common(&mut keys, one.resource, other.resource, fill);
        }
    }
    let mut parts = Vec::new();
    for arn in more {
        let (mut region, mut key) = (vec![REGIONS[1].to_owned()], vec![ANOTHER.to_owned()]);
        add(&mut region, arn.region, fill);
        add(&mut key, arn.resource, fill);
        parts.extend(region.into_iter().zip(key));
    }
    for key in &keys {
        parts.extend(regions.iter().map(|region| (region.clone(), key.clone())));
    }
    parts
}

/// A text that a part of a pattern matches, before those that are there.
fn add(known: &mut Vec<String>, part: &str, fill: &str) {
    let one = fill.chars().next().unwrap_or_default();
    let example = Pattern::plain(part).example(fill, one);
    if !part.contains('$') && part != "*" && !known.contains(&example) {
        known.insert(0, example);
    }
}

/// A text that two such parts match, likewise.
fn add_common(known: &mut Vec<String>, one: &str, other: &str, fill: &str) {
    let (one, other) = (Pattern::plain(one), Pattern::plain(other));
    let common = overlap::common(&one, &other, fill.chars().next().unwrap_or_default());
    if let Some(common) = common.filter(|common| !common.is_empty()) {
        add(known, &common, fill);
    }
}

/// The lists, each once.
fn distinct(lists: &[&[String]]) -> Vec<Vec<Pattern>> {
    let distinct: BTreeSet<_> = lists.iter().copied().collect();
    let patterns = |list: &[String]| list.iter().map(|one| Pattern::plain(one)).collect();
    distinct.into_iter().map(patterns).collect()
}

/// In which of the lists a key is.
fn outcome(lists: &[Vec<Pattern>], key: &str) -> Vec<bool> {
    let listed = |list: &Vec<Pattern>| list.iter().any(|pattern| pattern.matches(key));
    lists.iter().map(listed).collect()
}

/// Whether each outcome that the lists can have together is among those that were seen.
fn every_outcome(lists: &[Vec<Pattern>], seen: &BTreeSet<Vec<bool>>) -> bool {
    let relation = |one: usize, other: usize| {
        let (one, other) = (&lists[one], &lists[other]);
        if one.len().saturating_mul(other.len()) > MOST {
            return Relation::default();
        }
        let inside = |one: &Pattern| other.iter().any(|other| overlap::contains(other, one));
        let beside = |one: &Pattern| other.iter().all(|other| overlap::apart(one, other));
        Relation {
            within: one.iter().all(inside),
            apart: one.iter().all(beside),
        }
    };
    outcomes::all_seen(lists.len(), relation, |_| false, seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "arn:aws:kms:*:111122223333:key/*";

    fn of(known: &str, patterns: &[&str]) -> (Vec<String>, bool) {
        let list: Vec<_> = patterns.iter().map(|one| (*one).to_owned()).collect();
        let (found, exhausted) = examples(known, &[&list], &[]);
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
        assert_eq!(found, ["eu-west-1/a", "eu-west-1/another"]);
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
            (vec!["eu-west-1/another".to_owned()], false)
        );
    }

    /// No key is in a list and not in another that holds all of it.
    #[test]
    fn lists_of_keys_are_told_apart_in_each_way_in_which_they_can_be() {
        let list = |one: &str| vec![one.to_owned()];
        let one = list("arn:aws:kms:us-east-1:111122223333:key/a");
        let wide = list("arn:aws:kms:*:111122223333:key/a");
        let apart = list("arn:aws:kms:*:111122223333:key/b");
        let begins = list("arn:aws:kms:*:111122223333:key/a*");
        let ends = list("arn:aws:kms:*:111122223333:key/*b");
        for (lists, count) in [
            (vec![&one[..], &wide], 3),
            (vec![&wide, &apart], 3),
            // A key in both is an example of neither.
            (vec![&begins, &ends], 4),
        ] {
            let (found, exhausted) = examples(ANY, &lists, &[]);
            assert_eq!((found.len(), exhausted), (count, true), "{found:?}");
        }
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
