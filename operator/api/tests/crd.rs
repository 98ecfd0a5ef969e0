//! The generated CRD: equal to the committed files, and written anew with `BLESS=1`.

use chamber_api::ChamberCluster;
use kube::CustomResourceExt;

/// For `kubectl apply`, and the copy in the chart: helm reads no file outside of it.
const FILES: [&str; 2] = [
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crds/chamberclusters.chamber.dev.yaml"
    ),
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../charts/chamber-operator/files/chamberclusters.chamber.dev.yaml"
    ),
];

#[test]
fn the_committed_crds_are_the_one_the_code_makes() {
    let made = serde_json::to_value(ChamberCluster::crd()).unwrap();
    for file in FILES {
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(file, serde_yaml_ng::to_string(&made).unwrap()).unwrap();
        }
        // As values: the order of members depends on what other crates ask of serde_json.
        let committed = std::fs::read_to_string(file).unwrap();
        let committed: serde_json::Value = serde_yaml_ng::from_str(&committed).unwrap();
        assert!(
            made == committed,
            "{file} is behind the code: run `make crds`"
        );
    }
}

/// kubectl and helm read YAML 1.1, in which `Off` is false: a word that is to be a text would need quotes.
#[test]
fn no_word_of_an_enum_is_something_else_without_quotes() {
    fn words(value: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(words) = value["enum"].as_array() {
            let texts = words.iter().filter_map(|word| word.as_str());
            found.extend(texts.map(str::to_lowercase));
        }
        let members = value.as_object().into_iter().flat_map(|map| map.values());
        let items = value.as_array().into_iter().flatten();
        members.chain(items).for_each(|value| words(value, found));
    }
    let crd = serde_json::to_value(ChamberCluster::crd()).unwrap();
    let mut found = Vec::new();
    words(&crd, &mut found);
    assert!(found.contains(&"required".to_owned()), "{found:?}");
    for word in [
        "on", "off", "yes", "no", "y", "n", "true", "false", "null", "~",
    ] {
        assert!(!found.contains(&word.to_owned()), "{word}");
    }
}

/// Server-side apply merges lists by what they say of themselves; a form shows an error at its field, with its kind.
#[test]
fn every_list_says_how_it_is_merged_and_every_rule_where_it_fails_and_why() {
    fn look(path: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        let said = |word: &str| schema.get(word).is_some();
        if schema["type"] == "array" && !said("x-kubernetes-list-type") {
            found.push(format!("{path} does not say how it is merged"));
        }
        let rules = schema["x-kubernetes-validations"].as_array();
        for rule in rules.into_iter().flatten() {
            // The rule of a plain value is about that value; of metadata, an API server's schema knows no fields.
            let plain = !said("properties") || path.is_empty();
            if rule.get("reason").is_none() || !(plain || rule.get("fieldPath").is_some()) {
                found.push(format!("{path}: {rule} does not say where or why"));
            }
        }
        let atomic = schema["x-kubernetes-map-type"] == "atomic";
        let properties = schema["properties"].as_object().filter(|_| !atomic);
        for (name, property) in properties.into_iter().flatten() {
            look(&format!("{path}.{name}"), property, found);
        }
        if let Some(items) = schema.get("items") {
            look(&format!("{path}[]"), items, found);
        }
    }
    let crd = serde_json::to_value(ChamberCluster::crd()).unwrap();
    let mut found = Vec::new();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(schema["type"], "object");
    look("", schema, &mut found);
    assert_eq!(found, [""; 0]);
}

/// What the rules of the schema say of ARNs, for each partition and for what is none.
#[test]
fn arns_of_every_partition_are_taken() {
    let crd = serde_json::to_value(ChamberCluster::crd()).unwrap();
    let share = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/keys/properties/shares/items/properties";
    let pattern = |field: &str| {
        let found = crd.pointer(&format!("{share}/{field}/pattern")).unwrap();
        regex::Regex::new(found.as_str().unwrap()).unwrap()
    };
    let (key, role) = (pattern("arn"), pattern("assumeRoleArn"));
    for partition in key_policy::PARTITIONS {
        assert!(key.is_match(&format!(
            "arn:{partition}:kms:eusc-de-east-1:111122223333:key/k-1"
        )));
        assert!(role.is_match(&format!("arn:{partition}:iam::111122223333:role/path/Name")));
    }
    for other in ["aws-", "aws-x", "awsx", "gcp", ""] {
        assert!(
            !key.is_match(&format!("arn:{other}:kms:r:111122223333:key/k")),
            "{other}"
        );
        assert!(
            !role.is_match(&format!("arn:{other}:iam::111122223333:role/R")),
            "{other}"
        );
    }
    assert!(!key.is_match("arn:aws:kms:eu-west-1:111122223333:alias/a"));
}
