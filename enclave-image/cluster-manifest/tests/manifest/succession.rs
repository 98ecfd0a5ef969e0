//! From one generation to the next: what an authority, or a parent instance, could get wrong, each with its refusal.

use cluster_manifest::{
    Digest, Kind, Manifest, Mismatch, NotSuccessor, check_rewrap, check_successor,
};

use crate::common::{permit, run};
use crate::sealer::{Sealer, unsealed};

/// What an authority signs after [`run`].
fn next() -> Manifest {
    after(&run())
}

fn after(previous: &Manifest) -> Manifest {
    Manifest {
        generation: previous.generation + 1,
        previous: Some(previous.digest().unwrap()),
        threshold: 1,
        keys: vec!["arn:aws:kms:us-east-1:111122223333:key/c".into()],
        ..previous.clone()
    }
}

/// What makes a manifest another one.
type Edit<'a> = &'a dyn Fn(&mut Manifest);

#[test]
fn the_next_generation_has_other_keys_and_the_same_master_key() {
    assert_eq!(check_successor(&next(), &run()), Ok(()));
    assert_eq!(check_successor(&after(&next()), &next()), Ok(()));
}

#[test]
fn what_does_not_follow_is_refused_by_field() {
    let cases: [(&str, Edit<'_>); 4] = [
        ("cluster id", &|m| m.cluster_id = "another".into()),
        ("generation", &|m| m.generation = 3),
        ("generation", &|m| m.generation = u32::MAX),
        ("commitment", &|m| {
            m.kind = Kind::Run {
                commitment: [1; 32],
            };
        }),
    ];
    for (field, edit) in cases {
        let mut other = next();
        edit(&mut other);
        let refused = check_successor(&other, &run());
        assert!(
            matches!(refused, Err(NotSuccessor::Field { field: found, .. }) if found == field),
            "{refused:?}"
        );
    }
}

#[test]
fn the_manifest_before_is_the_one_that_is_named() {
    let mut other = run();
    other.keys.reverse();
    for given in [other, permit(), next()] {
        let refused = check_successor(&next(), &given).unwrap_err();
        let (named, given) = (run().digest().unwrap(), given.digest().unwrap());
        let named = named.to_string();
        assert_eq!(refused, NotSuccessor::Previous { named, given });
    }
    let refused = check_successor(&run(), &run()).unwrap_err();
    assert!(matches!(&refused, NotSuccessor::Previous { named, .. } if named == "none"));
    assert!(
        refused
            .to_string()
            .contains(&run().digest().unwrap().to_string())
    );
}

#[test]
fn there_is_no_generation_after_the_last() {
    let last = Manifest {
        generation: u32::MAX,
        previous: Some(Digest::from_bytes([1; 48])),
        ..run()
    };
    let again = Manifest {
        previous: Some(last.digest().unwrap()),
        ..last.clone()
    };
    let refused = check_successor(&again, &last);
    assert!(
        matches!(refused, Err(NotSuccessor::Field { field, .. }) if field == "generation"),
        "{refused:?}"
    );
}

#[test]
fn neither_of_the_two_is_a_seal_permit() {
    let to_permit = Manifest {
        kind: Kind::SealPermit,
        ..next()
    };
    let refused = check_successor(&to_permit, &run()).unwrap_err();
    assert_eq!(refused, NotSuccessor::Permit("of the new generation"));
    let from_permit = Manifest {
        kind: run().kind,
        ..after(&permit())
    };
    let refused = check_successor(&from_permit, &permit()).unwrap_err();
    assert_eq!(refused, NotSuccessor::Permit("of the generation before"));
}

#[test]
fn the_blob_is_the_one_that_the_manifest_before_speaks_of() {
    let sealer = Sealer::new();
    let inner = sealer.seal(&run());
    assert_eq!(
        check_rewrap(&next(), &run(), &inner, &sealer.root()),
        Ok(())
    );
    let mut other = run();
    other.threshold = 1;
    let refused = check_rewrap(&next(), &run(), &sealer.seal(&other), &sealer.root());
    let threshold = Mismatch::Field {
        field: "threshold",
        blob: "1".into(),
        manifest: "2".into(),
    };
    assert_eq!(refused, Err(NotSuccessor::Blob(threshold)));
    // Whatever the blob is, the two manifests have to follow each other.
    let refused = check_rewrap(&after(&next()), &run(), &inner, &sealer.root());
    assert!(matches!(refused, Err(NotSuccessor::Previous { .. })));
}

#[test]
fn a_blob_of_format_1_has_no_next_generation() {
    let refused = check_rewrap(&next(), &run(), &unsealed(&run()), &Sealer::new().root());
    assert_eq!(refused, Err(NotSuccessor::Format1));
}
