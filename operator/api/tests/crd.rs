//! The generated CRD: equal to the committed file, and written anew with `BLESS=1`.

use chamber_api::ChamberCluster;
use kube::CustomResourceExt;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crds/chamberclusters.chamber.dev.yaml"
);

#[test]
fn the_committed_crd_is_the_one_the_code_makes() {
    let made = serde_json::to_value(ChamberCluster::crd()).unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FILE, serde_yaml_ng::to_string(&made).unwrap()).unwrap();
    }
    // As values: the order of members depends on what other crates ask of serde_json.
    let committed = std::fs::read_to_string(FILE).unwrap();
    let committed: serde_json::Value = serde_yaml_ng::from_str(&committed).unwrap();
    assert!(
        made == committed,
        "crds/ is behind the code: run `BLESS=1 cargo test -p chamber-api`"
    );
}
