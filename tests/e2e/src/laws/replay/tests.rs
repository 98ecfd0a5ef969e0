use jiff::Timestamp;

use super::*;

fn bounds() -> Bounds {
    Bounds {
        keys: vec!["a".into(), "b".into()],
        approved: vec!["old".into(), "new".into()],
        others: 1,
    }
}

/// What the last of these breaks; the ones before it break nothing.
fn broken(events: Vec<What>) -> Vec<String> {
    let mut replay = Replay::default();
    let mut last = vec![];
    for (second, what) in events.into_iter().enumerate() {
        assert!(last.is_empty(), "broken too early: {last:?}");
        let at = Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
        last = replay.step(&bounds(), &AuditEvent { at, what });
    }
    last
}

fn put(key: &str, admits: &[&str]) -> What {
    What::PolicyPut {
        key: key.into(),
        admits: admits.iter().map(|&one| one.into()).collect(),
    }
}

fn made(pod: &str, measurement: &str) -> What {
    What::PodMade {
        pod: pod.into(),
        measurement: measurement.into(),
        seals: false,
    }
}

fn unsealed(pod: &str) -> What {
    What::PodSeen {
        pod: pod.into(),
        unsealed: true,
    }
}

fn stopped(pod: &str, by: &str) -> What {
    What::PodStopped {
        pod: pod.into(),
        by: by.into(),
    }
}

/// Two unsealed chambers of the old release, and the keys that admit it.
fn running() -> Vec<What> {
    vec![
        put("a", &["old"]),
        put("b", &["old"]),
        made("one", "old"),
        made("two", "old"),
        unsealed("one"),
        unsealed("two"),
    ]
}

fn then(what: impl IntoIterator<Item = What>) -> Vec<String> {
    broken(running().into_iter().chain(what).collect())
}

#[test]
fn a_rollover_as_it_should_be_breaks_nothing() {
    let both = ["old", "new"];
    let mut steps = vec![
        put("a", &both),
        put("b", &both),
        stopped("one", HANDS[0]),
        What::PodGone { pod: "one".into() },
        made("three", "new"),
        unsealed("three"),
        stopped("two", HANDS[0]),
        What::PodGone { pod: "two".into() },
        put("a", &["new"]),
    ];
    assert_eq!(then(steps.clone()), [""; 0]);
    steps.push(put("b", &["new"]));
    let mut replay = Replay::default();
    for what in running().into_iter().chain(steps) {
        let at = Timestamp::UNIX_EPOCH;
        replay.step(&bounds(), &AuditEvent { at, what });
    }
    assert!(replay.admits_only(&bounds(), "new"));
    assert!(!replay.admits_only(&bounds(), "old"));
}

#[test]
fn a_third_measurement_and_an_unknown_one_are_found() {
    let found = then([put("a", &["old", "new", "other"])]);
    assert!(found[0].contains("3 measurements"), "{found:?}");
    assert!(found[1].contains("nobody asked for"), "{found:?}");
}

#[test]
fn a_pod_before_its_admission_is_found_on_each_key() {
    let found = then([put("a", &["old", "new"]), made("three", "new")]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("law 1") && found[0].contains(" b "),
        "{found:?}"
    );
}

#[test]
fn retiring_what_still_runs_is_found_also_while_it_ends() {
    let found = then([put("a", &["new"])]);
    assert_eq!(found.len(), 2, "{found:?}");
    let found = then([
        What::PodGone { pod: "one".into() },
        stopped("two", TEST),
        put("a", &["new"]),
    ]);
    assert!(found[0].contains("law 4"), "{found:?}");
}

#[test]
fn taking_one_too_many_is_found_when_the_operator_does_it() {
    let twice = |by| then([stopped("one", by), stopped("two", by)]);
    assert!(twice(HANDS[0])[0].contains("law 3"));
    assert!(twice(HANDS[1])[0].contains("law 3"));
    assert_eq!(twice("system:node:node-1"), [""; 0]);
}

#[test]
fn a_sealed_chamber_may_always_go() {
    let sealed = What::PodSeen {
        pod: "one".into(),
        unsealed: false,
    };
    assert_eq!(then([sealed, stopped("one", HANDS[0])]), [""; 0]);
}

#[test]
fn blobs_and_the_seal_are_made_once() {
    let touched = |by: &str| What::BlobTouched {
        name: "x-sealed-1".into(),
        verb: "delete".into(),
        by: by.into(),
    };
    assert!(then([touched(HANDS[1])])[0].contains("law 11"));
    assert_eq!(then([touched(TEST)]), [""; 0]);
    let seal = What::PodMade {
        pod: "x-seal".into(),
        measurement: "old".into(),
        seals: true,
    };
    let gone = What::PodGone {
        pod: "x-seal".into(),
    };
    let found = then([seal.clone(), gone, seal]);
    assert!(found[0].contains("a second seal"), "{found:?}");
}
