//! What the generated cases are made of, to be read beside their answers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::generate::Case;

/// How often each part of a statement occurs: effects, ways to name principals and resources, operators and keys.
pub fn of(cases: &[Case]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for case in cases {
        count(&mut counted, "action", case.action);
        count(&mut counted, "principal", case.principal);
        for policy in case.identity.iter().chain([&case.policy]) {
            let statements = match &policy["Statement"] {
                Value::Array(many) => many.as_slice(),
                one => std::slice::from_ref(one),
            };
            for statement in statements {
                of_statement(&mut counted, statement);
            }
        }
    }
    counted
}

fn of_statement(counted: &mut BTreeMap<String, usize>, statement: &Value) {
    let members = statement.as_object().into_iter().flatten();
    for (name, value) in members.filter(|(name, _)| *name != "Condition") {
        match (name.as_str(), value) {
            ("Effect", effect) => count(counted, "effect", effect.as_str().unwrap_or_default()),
            (_, Value::String(all)) if all == "*" => count(counted, name, "all"),
            _ => count(counted, name, "named"),
        }
    }
    let block = statement["Condition"].as_object().into_iter().flatten();
    for (operator, keys) in block {
        count(counted, "operator", operator);
        for (key, values) in keys.as_object().into_iter().flatten() {
            count(counted, "key", &key.to_lowercase());
            if values.to_string().contains("${") {
                count(counted, "key", "with a variable");
            }
        }
    }
}

fn count(counted: &mut BTreeMap<String, usize>, kind: &str, what: &str) {
    *counted.entry(format!("{kind}: {what}")).or_default() += 1;
}
