//! Turns in which status says what a key is to be, and `kubectl chamber plan --document` comes to the same.

use chamber_api::ChamberCluster;
use chamber_resource::persisted_state;
use chamber_resource::spec::{Uids, checked};
use jiff::{SignedDuration, Timestamp};
use key_policy::Policy;
use rollover::{KeyFacts, KeyState, Reading, World};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::bench::{SIGNER, TurnBench, arn};

/// What the command line makes of the resource as it is, and the keys as they are.
fn document(bench: &TurnBench, share: &str) -> String {
    let cluster: ChamberCluster = serde_json::from_value(bench.api.get(SIGNER).unwrap()).unwrap();
    let uids = Uids {
        cluster: "cluster".into(),
        namespace: "n-uid".into(),
    };
    let spec = checked(&cluster, &uids, SignedDuration::ZERO).unwrap();
    let now = Timestamp::now();
    let readings = spec.shares.iter().map(|share| {
        let key = bench.aws.key(&share.arn);
        let facts = KeyFacts {
            read_at: now,
            state: KeyState::Enabled,
            tags: key.tags,
            policy: Policy::parse(&key.policy).map_err(|why| why.to_string()),
            described: None,
        };
        (share.arn.clone(), Reading::Facts(facts.into()))
    });
    let readings = readings.collect();
    let record = persisted_state::read(cluster.status.as_ref().unwrap());
    let world = World::of_keys(now, spec, record, readings);
    let mut shares = world.spec.shares.iter();
    let share = shares.find(|known| known.name == share).unwrap();
    rollover::document(&world, share).unwrap().canonical_text()
}

#[tokio::test(start_paused = true)]
async fn status_and_the_command_line_ask_for_the_same_policy() {
    for first in [true, false] {
        let bench = TurnBench::new(|signer| {
            if first {
                signer["status"] = json!({});
            } else {
                // Nothing of a release before: no ReplicaSet speaks for it here.
                let rollover = signer["status"]["rollover"].as_object_mut().unwrap();
                rollover.remove("from");
                signer["status"].as_object_mut().unwrap().remove("current");
            }
        })
        .await;
        let bare = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Action": "kms:*",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Resource": "*"}]});
        bench
            .aws
            .put(&arn("c"), bare.to_string(), "cluster/n/signer");
        bench.event().await;
        assert_eq!(
            bench.status()["reason"],
            "PolicyNotOurs",
            "{}",
            bench.message()
        );
        let keys = bench.status()["keys"].clone();
        for (index, name) in ["a", "b", "c"].iter().enumerate() {
            let document = document(&bench, name);
            let desired = &keys[index]["desired"];
            let sha256 = hex::encode(Sha256::digest(document.as_bytes()));
            assert_eq!(
                desired["sha256"], sha256,
                "{first} {name}: {desired} {document}"
            );
        }
        assert!(
            keys[2]["asked"].as_str().unwrap().contains("--document c"),
            "{keys}"
        );
    }
}
