//! What can still be done for a resource whose spec cannot be used: deletion and revocation.
//!
//! Both need the keys and what status knows, and neither needs the fields that a fault is mostly in. So those
//! get the schema's defaults, keys that cannot be used are left out, and the rest is checked like any spec.

use std::collections::BTreeSet;

use chamber_api::ChamberCluster;
use chamber_resource::release;
use chamber_resource::spec::{self, Uids};
use jiff::SignedDuration;
use measurement::MANIFEST_REGISTER;
use rollover::Spec;
use serde_json::{Value, json};

/// Fields that neither a deletion nor a revocation needs.
const OPTIONS: [(&str, &str); 8] = [
    ("/spec", "chambers"),
    ("/spec/keys", "acceptAtRisk"),
    ("/spec/rollover", "maxSurge"),
    ("/spec/rollover", "maxUnavailable"),
    ("/spec/rollover", "progressDeadline"),
    ("/spec/rollover", "settleTime"),
    ("/spec/verification", "attestation"),
    ("/spec/verification", "soakTime"),
];

/// The planner's spec with the keys that can be used; none where there is no such key, or no release is known.
///
/// `uids` tell this resource from one of the same name elsewhere.
pub fn spec(cluster: &ChamberCluster, uids: &Uids, drift: SignedDuration) -> Option<Spec> {
    let mut rest = serde_json::to_value(cluster).ok()?;
    for (parent, field) in OPTIONS {
        if let Some(parent) = rest.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.remove(field);
        }
    }
    if let Some(pins) = rest
        .pointer_mut("/spec/keys/policy/pins")
        .and_then(Value::as_array_mut)
    {
        pins.retain(|pin| pin.as_str().and_then(release::register).is_some());
    }
    // A manifest is of all keys, so it fits none of the specs below; what chambers attest is in status and their sets.
    if let Some(spec) = rest.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.remove("manifest");
    }
    if release::of_spec(&cluster.spec).is_err() {
        as_recorded(&mut rest)?;
    }
    let check = |shares: Vec<Value>, threshold: usize| {
        let mut rest = rest.clone();
        *rest.pointer_mut("/spec/keys/shares")? = Value::Array(shares);
        *rest.pointer_mut("/spec/keys/threshold")? = json!(threshold);
        let cluster: ChamberCluster = serde_json::from_value(rest).ok()?;
        spec::checked(&cluster, uids, drift).ok()
    };
    let mut seen = BTreeSet::new();
    let shares = rest.pointer("/spec/keys/shares")?.as_array()?.iter();
    let usable: Vec<_> = shares
        .filter(|share| seen.insert(share["arn"].to_string()))
        .filter(|share| check(vec![(*share).clone()], 1).is_some())
        .cloned()
        .collect();
    let wanted = usize::try_from(cluster.spec.keys.threshold).unwrap_or(1);
    let threshold = wanted.min(usable.len()).max(1);
    check(usable, threshold)
}

/// The release that status knows, in place of the spec's.
fn as_recorded(rest: &mut Value) -> Option<()> {
    let known = ["/status/rollover/to", "/status/current"];
    let known = known.iter().find_map(|at| rest.pointer(at))?;
    let mut measurement = known["measurement"].clone();
    // The spec's release never names it.
    if let Some(registers) = measurement.as_object_mut() {
        registers.remove(&format!("pcr{MANIFEST_REGISTER}"));
    }
    let release = json!({"image": known["image"], "measurement": measurement});
    *rest.pointer_mut("/spec/release")? = release;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(change: impl FnOnce(&mut Value)) -> ChamberCluster {
        let share = |name: &str| {
            json!({"name": name, "arn": format!("arn:aws:kms:eu-west-1:111122223333:key/{name}"),
                "assumeRoleArn": "arn:aws:iam::111122223333:role/Admin"})
        };
        let mut cluster = json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "u"},
            "spec": {
                "clusterId": "one",
                "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 2, "shares": [share("a"), share("b")]},
                "verification": {"prometheus": {"url": "http://p"}},
                "rollover": {"paused": true}
            }
        });
        change(&mut cluster);
        serde_json::from_value(cluster).unwrap()
    }

    fn salvaged(change: impl FnOnce(&mut Value)) -> Option<Spec> {
        let cluster = cluster(change);
        let drift = SignedDuration::from_mins(10);
        assert!(
            spec::checked(&cluster, &Uids::default(), drift).is_err(),
            "there is a fault"
        );
        spec(&cluster, &Uids::default(), drift)
    }

    #[test]
    fn a_fault_in_an_option_leaves_every_key_and_the_pause() {
        let spec =
            salvaged(|cluster| cluster["spec"]["rollover"]["settleTime"] = json!("soon")).unwrap();
        assert_eq!((spec.shares.len(), spec.threshold), (2, 2));
        assert!(spec.paused);
        let spec = salvaged(|cluster| cluster["spec"]["keys"]["threshold"] = json!(9)).unwrap();
        assert_eq!(spec.threshold, 2);
    }

    #[test]
    fn a_manifest_of_all_keys_holds_up_no_salvage_and_a_pin_stays() {
        let spec = salvaged(|cluster| {
            let arn = |name| format!("arn:aws:kms:eu-west-1:111122223333:key/{name}");
            cluster["spec"]["manifest"] = json!({
                "body": {"kind": "Run", "clusterId": "one", "generation": 1, "threshold": 2,
                    "keys": [arn("a"), arn("b")], "signers": ["cd".repeat(48)], "commitment": "11".repeat(32)},
                "signatures": [{"authority": "ab".repeat(32), "signature": "A".repeat(128)}]
            });
            cluster["spec"]["keys"]["policy"] = json!({"profile": "Pinned", "pins": ["pcr16"]});
            cluster["spec"]["rollover"]["settleTime"] = json!("soon");
        });
        let spec = spec.unwrap();
        assert_eq!((spec.shares.len(), spec.threshold), (2, 2));
        assert!(
            spec.shares
                .iter()
                .all(|share| share.template.pins.contains(&16))
        );
    }

    #[test]
    fn a_key_that_cannot_be_used_leaves_the_others() {
        let spec =
            salvaged(|cluster| cluster["spec"]["keys"]["shares"][0]["arn"] = json!("alias/a"))
                .unwrap();
        let names: Vec<_> = spec
            .shares
            .iter()
            .map(|share| share.name.as_str())
            .collect();
        assert_eq!(names, ["b"]);
    }

    #[test]
    fn a_release_that_cannot_be_read_is_what_status_knows_or_nothing() {
        let malformed = |cluster: &mut Value| {
            cluster["spec"]["release"]["measurement"]["imageSha384"] = json!("00");
        };
        assert!(salvaged(malformed).is_none());
        let spec = salvaged(|cluster| {
            malformed(cluster);
            cluster["status"] = json!({"current": {"image": "i", "revision": "r",
                "measurement": {"imageSha384": "cd".repeat(48)}}});
        });
        let image = spec.unwrap().release.measurement.image_sha384;
        assert_eq!(image.to_string(), "cd".repeat(48));
    }
}
