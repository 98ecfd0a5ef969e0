//! Turns in which objects of ours were edited or deleted, and in which what was seen gets too old to act on.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::api::Fails;
use crate::bench::{SIGNER, TurnBench, arn};

const SERVICE: &str = "/api/v1/namespaces/n/services/signer";
const BUDGET: &str = "/apis/policy/v1/namespaces/n/poddisruptionbudgets/signer";
const SETS: &str = "/apis/apps/v1/namespaces/n/replicasets";
const KEPT: &str = "/apis/apps/v1/namespaces/n/controllerrevisions";

/// The turn after the settle time has made the target's set.
async fn rolling() -> (TurnBench, String) {
    let bench =
        TurnBench::new(|signer| signer["spec"]["rollover"] = json!({"settleTime": "0s"})).await;
    bench.event().await;
    let revision = bench.status()["rollover"]["to"]["revision"].clone();
    let name = format!("signer-{}", revision.as_str().unwrap());
    assert!(
        bench.api.get(&format!("{SETS}/{name}")).is_some(),
        "{}",
        bench.message()
    );
    (bench, name)
}

#[tokio::test(start_paused = true)]
async fn what_somebody_edits_in_a_service_or_a_budget_is_put_right() {
    let bench = TurnBench::new(|_| {}).await;
    bench.event().await;
    let (service, budget) = (
        bench.api.get(SERVICE).unwrap(),
        bench.api.get(BUDGET).unwrap(),
    );
    bench.api.edit(SERVICE, |service| {
        service["spec"]["selector"]["canary"] = json!("yes");
        service["spec"]["type"] = json!("LoadBalancer");
    });
    bench.api.edit(BUDGET, |budget| {
        budget["spec"]["minAvailable"] = json!(0);
        budget["spec"]["maxUnavailable"] = json!(3);
    });
    bench.later().await;
    let mended = bench.api.get(SERVICE).unwrap();
    assert_eq!(mended["spec"]["selector"], service["spec"]["selector"]);
    assert_eq!(
        mended["spec"]["type"], "LoadBalancer",
        "of that we say nothing"
    );
    assert_eq!(bench.api.get(BUDGET).unwrap()["spec"], budget["spec"]);
    let patches = || bench.api.calls(&Method::PATCH, "/signer");
    let before = patches();
    bench.later().await;
    assert_eq!(patches(), before, "nothing is left to be put right");
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_cannot_be_put_right_is_told() {
    let bench = TurnBench::new(|_| {}).await;
    bench.event().await;
    bench
        .api
        .edit(BUDGET, |budget| budget["spec"]["minAvailable"] = json!(0));
    bench.api.fail(
        Method::PATCH,
        "/poddisruptionbudgets/signer",
        99,
        Fails::Refused(403, "Forbidden"),
    );
    bench.later().await;
    assert!(
        bench
            .message()
            .contains("PodDisruptionBudget signer is not"),
        "{}",
        bench.message()
    );
    bench.api.heal();
    bench.later().await;
    assert!(
        !bench.message().contains("PodDisruptionBudget"),
        "{}",
        bench.message()
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_release_was_made_from_is_kept_and_it_is_made_again_from_that() {
    let (bench, name) = rolling().await;
    bench.later().await;
    let path = format!("{SETS}/{name}");
    let set = bench.api.get(&path).unwrap();
    let kept = bench.api.get(&format!("{KEPT}/{name}")).unwrap();
    assert_eq!(kept["data"], set["spec"]["template"]);
    // The spec names another template and another release by now.
    bench.api.edit(SIGNER, |signer| {
        signer["spec"]["chambers"] = json!({"template": {"spec": {"containers": [{"name": "enclave", "env": [{"name": "X", "value": "1"}]}]}}});
        let current = signer["status"]["rollover"]["to"].clone();
        signer["status"] = json!({"current": current, "rollovers": 1, "failure": {"revision": "none", "message": "m"}});
    });
    let cluster: chamber_api::ChamberCluster =
        serde_json::from_value(bench.api.get(SIGNER).unwrap()).unwrap();
    let wanted = chamber_resource::release::of_spec(&cluster.spec)
        .unwrap()
        .revision;
    bench.api.edit(SIGNER, |signer| {
        signer["status"]["failure"]["revision"] = json!(wanted);
    });
    for key in ["a", "b", "c"] {
        let policy = crate::bench::template().render(&[crate::bench::measurement("22")]);
        bench
            .aws
            .put(&arn(key), policy.to_json(), "cluster/n/signer");
        bench.aws.tag(&arn(key), "chamber.dev/rollover", "1/retire");
    }
    bench.ctx.keep_reading("u", None);
    bench.api.remove(&path);
    bench.later().await;
    let again = bench
        .api
        .get(&path)
        .unwrap_or_else(|| panic!("{}", bench.message()));
    assert_eq!(again["spec"]["template"], set["spec"]["template"]);
    // It was made anew: what was kept is of this one now.
    bench.later().await;
    let kept = bench.api.get(&format!("{KEPT}/{name}")).unwrap();
    let uid = &kept["metadata"]["annotations"]["chamber.dev/replica-set"];
    assert_eq!(*uid, bench.api.get(&path).unwrap()["metadata"]["uid"]);
}

#[tokio::test(start_paused = true)]
async fn an_edited_template_of_a_release_is_put_right() {
    let (bench, name) = rolling().await;
    bench.later().await;
    let path = format!("{SETS}/{name}");
    let template = |bench: &TurnBench| bench.api.get(&path).unwrap()["spec"]["template"].clone();
    let before = template(&bench);
    bench.api.edit(&path, |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("evil");
        set["spec"]["template"]["metadata"]["annotations"] = json!({"x": "y"});
    });
    bench.later().await;
    assert_eq!(template(&bench), before);
    // A chart of before does not let the operator keep templates: it says so, and goes on.
    let (bench, name) = rolling().await;
    bench.api.remove(&format!("{KEPT}/{name}"));
    bench.api.fail(
        Method::GET,
        "/controllerrevisions",
        99,
        Fails::Refused(403, "Forbidden"),
    );
    bench.later().await;
    assert!(
        bench.message().contains("ControllerRevision"),
        "{}",
        bench.message()
    );
    assert_eq!(
        bench.status()["reason"],
        "ChamberSealed",
        "{}",
        bench.message()
    );
}

#[tokio::test(start_paused = true)]
async fn a_foreign_hand_that_is_faster_than_reading_back_is_not_fought() {
    let bench = TurnBench::new(|_| {}).await;
    let theirs = bench.aws.key(&arn("b")).policy;
    bench.aws.overwrites(&arn("b"), &theirs);
    for _ in 0..12 {
        bench.later().await;
    }
    assert_eq!(
        bench.status()["reason"],
        "PolicyConflict",
        "{}",
        bench.message()
    );
    let puts = bench.aws.calls("PutKeyPolicy", &arn("b"));
    assert_eq!(puts, 5, "once, and four times again");
    for _ in 0..5 {
        bench.later().await;
    }
    assert_eq!(bench.aws.calls("PutKeyPolicy", &arn("b")), puts);
    let written: &Value = &bench.status()["keyWrites"];
    assert_eq!(written.as_array().unwrap().len(), 3, "{written}");
}

/// How often chambers are looked at until the policies are written, where a call to KMS takes so long.
async fn looks(takes: Duration) -> usize {
    let bench = TurnBench::new(|_| {}).await;
    for key in ["a", "b", "c"] {
        bench
            .aws
            .tag(&arn(key), "chamber.dev/namespace-uid", "n-uid");
        bench.aws.tag(&arn(key), "chamber.dev/rollover", "1/admit");
    }
    bench.aws.slow(takes);
    bench.event().await;
    assert!(bench.admits("a", "22"), "{}", bench.message());
    assert_eq!(bench.aws.calls("PutKeyPolicy", &arn("a")), 1);
    bench.api.calls(&Method::GET, "/pods")
}

#[tokio::test(start_paused = true)]
async fn an_order_that_comes_long_after_the_look_is_given_after_another_one() {
    let soon = looks(Duration::from_millis(10)).await;
    // Nearly what a call may take, twice in a row: the state of a key, and then its grants.
    assert_eq!(looks(Duration::from_millis(2900)).await, soon + 1);
}
