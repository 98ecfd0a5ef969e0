//! What a difference names, and what it leaves out.

use key_policy::{Policy, Whole, adopt, diff};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::properties::{policy, reserialised, statement};
use crate::common::{SEED, release, template};

/// A policy of these statements.
fn of(statements: &[Value]) -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Policy::parse(&document.to_string()).unwrap()
}

fn allow(who: &str, actions: &Value) -> Value {
    let principal = format!("arn:aws:iam::111122223333:{who}");
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"})
}

/// As a tool writes them that gives no Sids.
fn without_sids() -> Vec<Value> {
    let mut enclave = allow(
        "role/ChamberEnclaveRole-prod-us-east-1-mainnet",
        &json!("kms:Decrypt"),
    );
    let image = json!({"kms:RecipientAttestation:ImageSha384": "a1".repeat(48)});
    enclave["Condition"] = json!({ "StringEqualsIgnoreCase": image });
    vec![
        allow("root", &json!("kms:*")),
        allow("role/backup", &json!(["kms:DescribeKey"])),
        allow(
            "role/auditor",
            &json!(["kms:GetKeyPolicy", "kms:ListGrants"]),
        ),
        enclave,
    ]
}

/// Every change as `sign statement whole what`.
fn told(before: &Policy, after: &Policy) -> Vec<String> {
    let changes = diff(before, after);
    let told = changes.iter().map(|change| {
        let sign = if change.added { '+' } else { '-' };
        format!(
            "{sign} {} {:?} {}",
            change.statement, change.whole, change.what
        )
    });
    told.collect()
}

/// The statements that are named, each once.
fn named(before: &Policy, after: &Policy) -> Vec<(String, Whole)> {
    let changes = diff(before, after).into_iter();
    let mut named: Vec<_> = changes
        .map(|change| (change.statement, change.whole))
        .collect();
    named.dedup();
    named
}

#[test]
fn an_inserted_statement_is_one_that_is_added() {
    let before = without_sids();
    let mut after = before.clone();
    after.insert(1, allow("role/inventory", &json!(["kms:ListResourceTags"])));
    after[3]["Action"] = json!(["KMS:listgrants", "kms:GetKeyPolicy"]);
    after[4]["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:ImageSha384"] =
        json!(["a1".repeat(48)]);
    let (before, after) = (of(&before), of(&after));
    let what = [
        "Action kms:ListResourceTags",
        "Effect Allow",
        "Principal AWS arn:aws:iam::111122223333:role/inventory",
        "Resource *",
    ];
    assert_eq!(
        told(&before, &after),
        what.map(|what| format!("+ #1 Added {what}"))
    );
    assert_eq!(
        told(&after, &before),
        what.map(|what| format!("- #1 Removed {what}"))
    );
}

#[test]
fn a_policy_that_is_taken_over_gets_five_statements_and_loses_none() {
    let before = of(&without_sids());
    let after = adopt(&before, &template(), &[release(1)]);
    assert_eq!(after.statements().len(), 5 + 4);
    let named = named(&before, &after);
    assert_eq!(named.len(), 5, "{named:?}");
    assert!(
        named
            .iter()
            .all(|(name, whole)| *whole == Whole::Added && !name.contains('#')),
        "{named:?}"
    );
}

#[test]
fn what_changes_in_a_statement_without_sid_is_told_alone_and_by_its_place_before() {
    let before = without_sids();
    let mut after = before.clone();
    after[2]["Action"] = json!(["kms:GetKeyPolicy", "kms:ListAliases"]);
    // It moves as well.
    after.rotate_right(1);
    let changes = told(&of(&before), &of(&after));
    assert_eq!(
        changes,
        [
            "- #2 Changed Action kms:ListGrants",
            "+ #2 Changed Action kms:ListAliases"
        ]
    );
    // Spelling does not count beside what changes.
    after[3]["Action"] = json!(["KMS:GETKEYPOLICY", "kms:ListAliases"]);
    after[3]["Principal"] = json!({"AWS": ["arn:aws:iam::111122223333:role/auditor"]});
    assert_eq!(told(&of(&before), &of(&after)), changes);
}

#[test]
fn spelling_does_not_count_in_a_statement_that_changes() {
    let mut statement = without_sids().remove(3);
    statement["Principal"]["AWS"] = json!("arn:aws:iam::111122223333:root");
    let before = of(std::slice::from_ref(&statement));
    statement["Principal"]["AWS"] = json!(["111122223333"]);
    let image = json!({"kms:recipientattestation:imagesha384": ["a1".repeat(48), "b2".repeat(48)]});
    statement["Condition"] = json!({ "StringEqualsIgnoreCase": image });
    let added = format!(
        "+ #0 Changed Condition StringEqualsIgnoreCase kms:recipientattestation:imagesha384 {}",
        "b2".repeat(48)
    );
    assert_eq!(told(&before, &of(&[statement])), [added]);
}

#[test]
fn what_means_the_same_counts_before_what_looks_the_same() {
    let mut without = allow("role/a", &json!("kms:Sign"));
    let mut empty = without.clone();
    // A list of nothing means something else than no list, and has no line.
    empty["Resource"] = json!([]);
    without.as_object_mut().unwrap().remove("Resource");
    let (before, after) = (of(std::slice::from_ref(&without)), of(&[empty, without]));
    assert_eq!(named(&before, &after), [("#0".to_owned(), Whole::Added)]);
}

#[test]
fn a_statement_of_which_little_stays_goes_and_another_comes() {
    let before = without_sids();
    let mut after = before.clone();
    after.remove(1);
    after.push(allow("role/other", &json!(["kms:Sign", "kms:Verify"])));
    let both = named(&of(&before), &of(&after));
    assert_eq!(
        both,
        [
            ("#1".to_owned(), Whole::Removed),
            ("#3".to_owned(), Whole::Added)
        ]
    );
    let alone = (of(&before[1..2]), of(&after[3..]));
    let wholes = named(&alone.0, &alone.1);
    assert_eq!(
        wholes,
        [
            ("#0".to_owned(), Whole::Removed),
            ("#0".to_owned(), Whole::Added)
        ]
    );
    let text: Vec<_> = diff(&of(&before), &of(&after))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(text.contains(&"- #1: Effect Allow".to_owned()), "{text:?}");
    assert!(
        text.contains(&"+ #3 (added): Effect Allow".to_owned()),
        "{text:?}"
    );
    // A name says of which of the two policies it is.
    let named = template().render(&[release(1)]);
    let text: Vec<_> = diff(&of(&[]), &named)
        .iter()
        .map(ToString::to_string)
        .collect();
    let break_glass = "+ EnableIAMRootPermissionsBreakGlass: Effect Allow".to_owned();
    assert!(text.contains(&break_glass), "{text:?}");
}

#[test]
fn a_statement_of_which_half_stays_is_another() {
    // Effect and Resource stay; with one action more there is less in common than not.
    let before = of(&[allow("role/a", &json!("kms:Sign"))]);
    let after = of(&[allow("role/b", &json!("kms:Verify"))]);
    assert_eq!(
        named(&before, &after),
        [
            ("#0".to_owned(), Whole::Removed),
            ("#0".to_owned(), Whole::Added)
        ]
    );
}

#[test]
fn a_longer_statement_is_not_more_similar_for_its_length() {
    let before = allow("role/a", &json!(["kms:Sign", "kms:Verify"]));
    let near = allow("role/a", &json!(["kms:Sign"]));
    let long = allow(
        "role/a",
        &json!([
            "kms:Sign",
            "kms:GetPublicKey",
            "kms:DescribeKey",
            "kms:ListGrants"
        ]),
    );
    assert_eq!(
        named(&of(&[before]), &of(&[long, near])),
        [
            ("#0".to_owned(), Whole::Changed),
            ("#0".to_owned(), Whole::Added)
        ]
    );
}

#[test]
fn the_most_similar_statements_belong_together() {
    let many = |who: &str, more: &str| {
        allow(
            who,
            &json!(["kms:ListAliases", "kms:ListGrants", "kms:ListKeys", more]),
        )
    };
    let before = [many("role/a", "kms:Sign"), many("role/b", "kms:Sign")];
    let after = [many("role/b", "kms:Verify"), many("role/a", "kms:Verify")];
    let expected = [
        "- #0 Changed Action kms:Sign",
        "+ #0 Changed Action kms:Verify",
        "- #1 Changed Action kms:Sign",
        "+ #1 Changed Action kms:Verify",
    ];
    assert_eq!(told(&of(&before), &of(&after)), expected);
}

#[test]
fn a_statement_belongs_to_one_other_at_most() {
    let actions = |last: &str| json!(["kms:A", "kms:B", "kms:C", "kms:D", last]);
    let one = allow("role/a", &actions("kms:E"));
    let other = allow("role/a", &actions("kms:F"));
    let after = allow(
        "role/a",
        &json!(["kms:A", "kms:B", "kms:C", "kms:D", "kms:E", "kms:G"]),
    );
    assert_eq!(
        named(&of(&[other, one]), &of(&[after])),
        [
            ("#0".to_owned(), Whole::Removed),
            ("#1".to_owned(), Whole::Changed)
        ]
    );
}

#[test]
fn among_equally_similar_ones_the_nearest_belong_together() {
    let before = [1, 2, 3].map(|n| allow("role/a", &json!([format!("kms:Before{n}"), "kms:Sign"])));
    let after = [1, 2, 3].map(|n| allow("role/a", &json!([format!("kms:After{n}"), "kms:Sign"])));
    let changes = told(&of(&before), &of(&after));
    let expected = [0, 1, 2].map(|index| {
        let n = index + 1;
        [
            format!("- #{index} Changed Action kms:before{n}"),
            format!("+ #{index} Changed Action kms:after{n}"),
        ]
    });
    let lower: Vec<_> = changes
        .iter()
        .map(|line| line.replace("kms:B", "kms:b").replace("kms:A", "kms:a"))
        .collect();
    assert_eq!(lower, expected.concat());
}

#[test]
fn a_sid_counts_before_what_is_said() {
    let with = |sid: &str, mut statement: Value| {
        statement["Sid"] = json!(sid);
        statement
    };
    let one = allow("role/a", &json!("kms:Sign"));
    let other = allow("role/b", &json!(["kms:ListAliases", "kms:ListKeys"]));
    // The same Sid, and nearly nothing else.
    let changed = named(
        &of(&[with("A", one.clone())]),
        &of(&[with("A", other.clone())]),
    );
    assert_eq!(changed, [("A".to_owned(), Whole::Changed)]);
    // The same in all but its Sid.
    let renamed = named(
        &of(&[with("A", one.clone())]),
        &of(&[with("B", one.clone())]),
    );
    assert_eq!(
        renamed,
        [
            ("A".to_owned(), Whole::Removed),
            ("B".to_owned(), Whole::Added)
        ]
    );
    // Twice the same Sid: by what is said, and told apart by the place.
    let before = of(&[with("A", one.clone()), with("A", other.clone())]);
    let third = with("A", allow("user/c", &json!("kms:Verify")));
    let after = of(&[third, with("A", other.clone()), with("A", one.clone())]);
    assert_eq!(
        named(&before, &after),
        [("A (#0)".to_owned(), Whole::Added)]
    );
    let single = of(&[with("A", other)]);
    assert_eq!(
        named(&before, &single),
        [("A (#0)".to_owned(), Whole::Removed)]
    );
}

#[test]
fn statements_that_are_there_twice_are_counted() {
    let statement = allow("role/a", &json!("kms:Sign"));
    let (single, twice) = (
        of(std::slice::from_ref(&statement)),
        of(&[statement.clone(), statement]),
    );
    assert_eq!(named(&single, &twice), [("#1".to_owned(), Whole::Added)]);
    assert_eq!(named(&twice, &single), [("#1".to_owned(), Whole::Removed)]);
}

#[test]
fn a_rollover_changes_statement_three_alone() {
    let (before, after) = (
        template().render(&[release(1)]),
        template().render(&[release(1), release(2)]),
    );
    let expected = "AllowChamberEnclaveDecryptWithAttestation".to_owned();
    assert_eq!(named(&before, &after), [(expected, Whole::Changed)]);
    assert!(diff(&after, &Policy::parse(SEED).unwrap()).is_empty());
}

/// The statements of a document in another order.
fn shuffled(document: &Value, order: &[usize]) -> Value {
    let mut statements = document["Statement"].as_array().unwrap().clone();
    let mut shuffled = document.clone();
    let taken = order
        .iter()
        .map(|index| statements.remove(index % statements.len().max(1)));
    shuffled["Statement"] = taken.collect();
    shuffled
}

proptest! {
    #[test]
    fn a_policy_in_another_order_and_spelling_has_no_difference(
        (document, order) in policy().prop_flat_map(|document| {
            let count = document["Statement"].as_array().unwrap().len();
            (Just(document), prop::collection::vec(any::<usize>(), count))
        })
    ) {
        let policy = Policy::parse(&document.to_string()).unwrap();
        let other = reserialised(&shuffled(&document, &order));
        let other = Policy::parse(&other.to_string()).unwrap();
        prop_assert_eq!(told(&policy, &other), Vec::<String>::new());
        // Where all is equal nothing is compared: one more statement has them compared one by one.
        let mut longer = shuffled(&document, &order);
        longer["Statement"].as_array_mut().unwrap().push(json!({"Sid": "One more", "Effect": "Deny"}));
        let longer = Policy::parse(&reserialised(&longer).to_string()).unwrap();
        prop_assert_eq!(told(&policy, &longer), ["+ One more Added Effect Deny"]);
    }

    #[test]
    fn an_inserted_statement_is_named_and_no_other(document in policy(), inserted in statement(), at in any::<usize>()) {
        let mut longer = document.clone();
        let statements = longer["Statement"].as_array_mut().unwrap();
        let at = at % (statements.len() + 1);
        statements.insert(at, inserted.clone());
        let (before, after) = (Policy::parse(&document.to_string()).unwrap(), Policy::parse(&longer.to_string()).unwrap());
        let alone = |statement: &Value| {
            let changes = diff(&of(&[]), &of(std::slice::from_ref(statement)));
            changes.into_iter().map(|change| change.what).collect::<Vec<_>>()
        };
        let changes = diff(&before, &after);
        let what: Vec<_> = changes.iter().map(|change| change.what.clone()).collect();
        prop_assert_eq!(what, alone(&inserted));
        prop_assert!(changes.iter().all(|change| change.added && change.whole == Whole::Added));
        // A twin of it may be named in its place.
        let mut others = document["Statement"].as_array().unwrap().iter();
        let has_twin = others.any(|other| of(std::slice::from_ref(other)).equivalent(&of(std::slice::from_ref(&inserted))));
        if !has_twin && inserted.get("Sid").is_none() {
            let name = format!("#{at}");
            prop_assert!(changes.iter().all(|change| change.statement == name), "{:?}", changes);
        }
        let back = diff(&after, &before);
        prop_assert!(back.iter().all(|change| !change.added && change.whole == Whole::Removed));
        prop_assert_eq!(back.len(), changes.len());
    }
}
