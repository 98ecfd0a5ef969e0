//! What the version before has stored is read in full, and what a later one may store keeps nobody from reading the rest.
#![expect(clippy::unwrap_used, reason = "a test")]

use chamber_api::{ChamberCluster, names};
use chamber_resource::spec::{Uids, checked};
use chamber_resource::{bounds, persisted_state, release};
use jiff::SignedDuration;
use rollover::Phase;
use serde_json::{Value, json};

fn stored() -> Value {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/stored/in-a-rollover.yaml"
    );
    serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_rollover_of_the_version_before_goes_on() {
    let cluster: ChamberCluster = serde_json::from_value(stored()).unwrap();
    let spec = checked(&cluster, &Uids::default(), SignedDuration::from_mins(10)).unwrap();
    assert_eq!((spec.max_unavailable, spec.max_surge), (1, 0));
    assert!(
        spec.shares
            .iter()
            .all(|share| share.template.pins == [8].into())
    );
    assert_eq!(bounds::of(&cluster).unwrap().replicas, 3);

    let record = persisted_state::read(cluster.status.as_ref().unwrap());
    let rollover = record.rollover.unwrap();
    assert_eq!(rollover.from.unwrap().revision, "aaaaaaaaaa");
    assert_eq!(rollover.to.revision, "bbbbbbbbbb");
    assert!(matches!(rollover.phase, Phase::Admitted { .. }));
    assert_eq!(rollover.found.len(), 1);
    assert_eq!((record.rollovers, record.revoked.len()), (3, 1));
    assert_eq!(record.commitment.as_deref(), Some("c0ffee"));
    assert_eq!(record.failure.unwrap().revision, "cccccccccc");
    assert_eq!(record.handled.retry, spec.verbs.retry);
}

/// An operator that is rolled back meets the status of the later one.
#[test]
fn words_that_are_not_known_yet_keep_nobody_from_reading_the_rest() {
    let mut later = stored();
    later["status"]["step"] = json!("Rewrap");
    later["status"]["reason"] = json!("KeyRetired");
    later["status"]["history"][0]["outcome"] = json!("Rekeyed");
    later["status"]["keys"][0]["generation"] = json!(2);
    let cluster: ChamberCluster = serde_json::from_value(later).unwrap();
    let record = persisted_state::read(cluster.status.as_ref().unwrap());
    assert_eq!(record.rollover.unwrap().to.revision, "bbbbbbbbbb");
}

/// Objects of the version before are found under their names, and what it reads again is as it wrote it.
#[test]
fn releases_of_the_version_before_are_of_generation_1_and_keep_their_names() {
    let cluster: ChamberCluster = serde_json::from_value(stored()).unwrap();
    let record = persisted_state::read(cluster.status.as_ref().unwrap());
    let rollover = record.rollover.unwrap();
    let (from, to) = (rollover.from.unwrap(), rollover.to);
    assert_eq!((from.generation, to.generation), (1, 1));
    let measured = from.measurement.id();
    let secret = names::sealed_secret("signer", &from.blob_id());
    assert_eq!(secret, format!("signer-sealed-{measured}"));
    let set = names::replica_set("signer", &to.set_id());
    assert_eq!(set, "signer-bbbbbbbbbb");
    let written = serde_json::to_value(release::to_status(&to)).unwrap();
    assert_eq!(written, stored()["status"]["rollover"]["to"]);
}

#[test]
fn a_later_generation_is_in_the_names_and_in_status_and_none_is_no_release() {
    let mut later = stored();
    later["status"]["current"]["generation"] = json!(3);
    let cluster: ChamberCluster = serde_json::from_value(later.clone()).unwrap();
    let current = persisted_state::read(cluster.status.as_ref().unwrap());
    let current = current.current.unwrap();
    assert!(current.blob_id().ends_with("-g3"));
    assert_eq!(current.set_id(), "aaaaaaaaaa-g3");
    let written = serde_json::to_value(release::to_status(&current)).unwrap();
    assert_eq!(written, later["status"]["current"]);
    for none in [0, -1, 1_i64 << 32] {
        later["status"]["current"]["generation"] = json!(none);
        let cluster: ChamberCluster = serde_json::from_value(later.clone()).unwrap();
        let status = cluster.status.unwrap();
        assert_eq!(release::of_status(status.current.as_ref().unwrap()), None);
    }
}
