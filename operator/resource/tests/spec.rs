//! Every field of the spec, good and wrong.
#![expect(clippy::unwrap_used, reason = "a test")]

use chamber_api::ChamberCluster;
use chamber_resource::Fault;
use chamber_resource::spec::{Uids, checked};
use jiff::SignedDuration;
use rollover::{Gate, Reason, Spec};
use serde_json::{Value, json};

fn good() -> Value {
    let key = |id: &str| format!("arn:aws:kms:us-east-1:111122223333:key/{id}");
    let admin = "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin";
    json!({
        "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": "signer", "namespace": "n"},
        "spec": {
            "clusterId": "test-local-signer",
            "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
            "keys": {"threshold": 1, "shares": [
                {"name": "a", "arn": key("a"), "assumeRoleArn": admin},
                {"name": "b", "arn": key("b"), "management": "Observed"}
            ]},
            "verification": {"prometheus": {"url": "http://p"}}
        }
    })
}

fn check(object: Value) -> Result<Spec, Fault> {
    let cluster: ChamberCluster = serde_json::from_value(object).unwrap();
    let uids = Uids {
        cluster: "uid".into(),
        namespace: "ns-uid".into(),
    };
    checked(&cluster, &uids, SignedDuration::from_mins(10))
}

#[test]
fn a_good_spec_becomes_the_planners() {
    let spec = check(good()).unwrap();
    assert_eq!(spec.owner.tag(), "uid/n/signer");
    assert_eq!(spec.owner.external_id(), "uid/n/ns-uid/signer");
    assert_eq!(spec.soak_time, SignedDuration::from_mins(2));
    assert!(spec.shares[0].managed && !spec.shares[1].managed);
    let template = &spec.shares[0].template;
    assert_eq!(
        template.enclave_role_arn(),
        "arn:aws:iam::111122223333:role/ChamberEnclaveRole-test-local-signer"
    );
}

/// Where, what, and the reason and words that it must give.
type Case = (&'static str, Value, Reason, &'static str);

fn faults() -> Vec<Case> {
    let mut cases = measurements();
    cases.extend(others());
    cases
}

fn measurements() -> Vec<Case> {
    vec![
        (
            "/spec/release/measurement/imageSha384",
            json!("0x12"),
            Reason::MalformedMeasurement,
            "imageSha384",
        ),
        (
            "/spec/release/measurement/imageSha384",
            json!("AB".repeat(48)),
            Reason::MalformedMeasurement,
            "imageSha384",
        ),
        (
            "/spec/release/measurement/imageSha384",
            json!("0".repeat(96)),
            Reason::ZeroMeasurement,
            "imageSha384",
        ),
        (
            "/spec/release/measurement/imageSha384",
            json!("f".repeat(96)),
            Reason::MalformedMeasurement,
            "imageSha384 is 96 x f",
        ),
        (
            "/spec/release/measurement/pcr8",
            json!("f".repeat(96)),
            Reason::MalformedMeasurement,
            "pcr8 is 96 x f",
        ),
    ]
}

/// Shares a and b under a key of this id in two Regions.
fn shares(regions: [&str; 2], id: &str) -> serde_json::Value {
    let share = |(name, region): (&str, &str)| {
        json!({"name": name, "arn": format!("arn:aws:kms:{region}:111122223333:key/{id}"),
            "management": "Observed"})
    };
    let named = ["a", "b"].into_iter().zip(regions);
    named.map(share).collect()
}

fn others() -> Vec<Case> {
    let same_key = good()["spec"]["keys"]["shares"][0]["arn"].clone();
    vec![
        (
            "/spec/keys/threshold",
            json!(3),
            Reason::ThresholdTooHigh,
            "spec.keys.threshold",
        ),
        (
            "/spec/keys/threshold",
            json!(0),
            Reason::ThresholdTooHigh,
            "spec.keys.threshold",
        ),
        (
            "/spec/keys/threshold",
            json!(-1),
            Reason::ThresholdTooHigh,
            "spec.keys.threshold",
        ),
        (
            "/spec/keys/shares/1/arn",
            same_key,
            Reason::DuplicateKey,
            "share b",
        ),
        (
            "/spec/keys/shares",
            shares(["us-east-1", "eu-west-1"], "mrk-0123"),
            Reason::DuplicateKey,
            "spec.keys.shares a and b name replicas of one multi-Region key (mrk-0123): both hold the same key material",
        ),
        (
            "/spec/keys/shares/1/arn",
            json!("alias/a"),
            Reason::InvalidSpec,
            "shares[b].arn",
        ),
        (
            "/spec/keys/shares/1/arn",
            json!("arn:aws:kms:us-east-1:1:key/b"),
            Reason::InvalidSpec,
            "shares[b].arn",
        ),
        (
            "/spec/keys/shares/1/management",
            json!("Managed"),
            Reason::InvalidSpec,
            "shares[b].assumeRoleArn",
        ),
        (
            "/spec/keys/policy",
            json!({"pins": ["PCR0"]}),
            Reason::InvalidSpec,
            "pins",
        ),
        (
            "/spec/chambers",
            json!({"template": {"spec": {"containers": [{"name": "x"}]}}}),
            Reason::EnclaveContainerMissing,
            "`enclave`",
        ),
        (
            "/spec/chambers",
            json!({"replicas": -1}),
            Reason::InvalidSpec,
            "spec.chambers.replicas",
        ),
        (
            "/spec/verification/soakTime",
            json!("soon"),
            Reason::InvalidSpec,
            "soakTime",
        ),
        (
            "/spec/rollover",
            json!({"settleTime": "-3s"}),
            Reason::InvalidSpec,
            "settleTime",
        ),
    ]
}

fn faults_of_verification() -> Vec<Case> {
    let (url, invalid) = ("/spec/verification/prometheus/url", Reason::InvalidSpec);
    let unsealed = json!({"unsealed": "sum by (pod) (up)"});
    vec![
        (url, json!("http://me:s3cr3t@p:9090/a"), invalid, "password"),
        (url, json!("http://s3cr3t@p"), invalid, "password"),
        (url, json!("http://p/?token=s3cr3t"), invalid, "query"),
        (url, json!("s3cr3t"), invalid, "prometheus.url"),
        (
            "/spec/verification/queries",
            unsealed,
            invalid,
            "spec.verification.queries.unsealed",
        ),
    ]
}

#[test]
fn chambers_are_asked_to_attest_by_default_where_our_agent_is_in_them() {
    for (sealing, attestation, expected) in [
        ("Managed", None, Ok(Gate::Preferred)),
        ("Managed", Some("Required"), Ok(Gate::Required)),
        ("Managed", Some("Preferred"), Ok(Gate::Preferred)),
        ("Managed", Some("Disabled"), Ok(Gate::Disabled)),
        ("External", None, Ok(Gate::Disabled)),
        ("External", Some("Disabled"), Ok(Gate::Disabled)),
        ("External", Some("Required"), Err(Reason::InvalidSpec)),
        ("External", Some("Preferred"), Err(Reason::InvalidSpec)),
    ] {
        let mut object = good();
        object["spec"]["sealing"] = json!(sealing);
        if let Some(attestation) = attestation {
            object["spec"]["verification"]["attestation"] = json!(attestation);
        }
        let found = check(object).map(|spec| spec.gate);
        assert_eq!(
            found.map_err(|fault| fault.reason),
            expected,
            "{sealing} {attestation:?}"
        );
    }
}

#[test]
fn a_url_with_a_password_is_refused_without_being_repeated() {
    for (pointer, value, _, names) in faults_of_verification() {
        let mut object = good();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[member] = value;
        let fault = check(object).unwrap_err();
        assert!(fault.message.contains(names), "{}", fault.message);
        assert!(!fault.message.contains("s3cr3t"), "{}", fault.message);
    }
}

#[test]
fn keys_that_hold_no_common_material_are_no_replicas() {
    let key = |partition: &str, region: &str, account: &str, id: &str| {
        format!("arn:{partition}:kms:{region}:{account}:key/{id}")
    };
    let first = key("aws", "us-east-1", "111122223333", "mrk-0123");
    for second in [
        key("aws", "eu-west-1", "111122223333", "mrk-4567"),
        key("aws", "eu-west-1", "444455556666", "mrk-0123"),
        key("aws-cn", "cn-north-1", "111122223333", "mrk-0123"),
    ] {
        let mut object = good();
        object["spec"]["keys"]["shares"][0]["arn"] = json!(first);
        object["spec"]["keys"]["shares"][1]["arn"] = json!(second);
        assert_eq!(
            check(object).map(|spec| spec.shares.len()),
            Ok(2),
            "{second}"
        );
    }
    let mut object = good();
    object["spec"]["keys"]["shares"] = shares(["us-east-1", "eu-west-1"], "no-mrk");
    assert_eq!(check(object).map(|spec| spec.shares.len()), Ok(2));
}

fn faults_of_accepted_keys() -> Vec<Case> {
    let accepted = "/spec/keys/acceptAtRisk";
    let all = json!(["a", "b"]);
    vec![
        (accepted, json!(["z"]), Reason::InvalidSpec, "acceptAtRisk"),
        (accepted, all, Reason::ThresholdTooHigh, "acceptAtRisk"),
    ]
}

/// As an API server would let them through whose CRD has no rules.
#[test]
fn every_fault_that_the_schema_sees_is_seen_again_with_a_reason_and_the_field() {
    for (pointer, value, reason, names) in faults()
        .into_iter()
        .chain(faults_of_accepted_keys())
        .chain(faults_of_verification())
    {
        let mut object = good();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[member] = value;
        let fault = check(object).unwrap_err();
        assert_eq!(fault.reason, reason, "{pointer}: {}", fault.message);
        assert!(
            fault.message.contains(names),
            "{pointer}: {}",
            fault.message
        );
    }
}
