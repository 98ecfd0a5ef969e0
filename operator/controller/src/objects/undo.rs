//! What to change in an object of ours so that it is again as it was made.

use serde_json::{Value, json};

/// Fields that nobody else has a say in: what is added to them changes which pods they are about, or how many may go.
const OURS_ALONE: [&str; 2] = ["/selector", "/maxUnavailable"];

/// The merge patch that makes `found` hold what `wanted` says; none where it does. What others add elsewhere stays.
pub fn patch(found: &Value, wanted: &Value) -> Option<Value> {
    let labels = |object: &Value| object["metadata"]["labels"].clone();
    let (is, to_be) = (&found["spec"], &wanted["spec"]);
    let mut spec = to_be.clone();
    let mut edited = !holds(is, to_be) || !holds(&labels(found), &labels(wanted));
    for path in OURS_ALONE {
        let Some(there) = is.pointer(path) else {
            continue;
        };
        let nothing = json!({});
        let ours = to_be.pointer(path);
        let (parent, field) = path.rsplit_once('/')?;
        let into = spec.pointer_mut(parent)?;
        match ours {
            None => into[field] = Value::Null,
            Some(_) => nothing_else(there, ours.unwrap_or(&nothing), &mut into[field]),
        }
        edited |= ours.is_none_or(|ours| there != ours);
    }
    edited.then(|| json!({"metadata": {"labels": labels(wanted)}, "spec": spec}))
}

/// Whether everything that is wanted is there; lists are taken as a whole.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().all(|(name, member)| {
            let found = found.get(name);
            found.is_some_and(|found| holds(found, member))
        }),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| holds(a, b))
        }
        (found, wanted) => found == wanted,
    }
}

/// Takes away, in a merge patch, the members that are there and not wanted.
fn nothing_else(found: &Value, wanted: &Value, patch: &mut Value) {
    let (Some(found), Some(members)) = (found.as_object(), wanted.as_object()) else {
        return;
    };
    for (name, member) in found {
        match members.get(name) {
            None => patch[name] = Value::Null,
            Some(wanted) => nothing_else(member, wanted, &mut patch[name]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(spec: &Value) -> Value {
        json!({"metadata": {"labels": {"l": "v"}}, "spec": spec})
    }

    fn wanted() -> Value {
        budget(&json!({"minAvailable": 2, "selector": {"matchLabels": {"a": "1"}}}))
    }

    #[test]
    fn what_the_api_server_and_others_add_is_no_edit() {
        let found = json!({"metadata": {"labels": {"l": "v", "theirs": "1"}, "uid": "u"}, "status": {},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"a": "1"}}, "sessionAffinity": "None"}});
        assert_eq!(patch(&found, &wanted()), None);
    }

    #[test]
    fn a_changed_number_a_narrower_selector_and_another_bound_are_undone() {
        let edits = [
            (
                json!({"minAvailable": 0, "selector": {"matchLabels": {"a": "1"}}}),
                Value::Null,
            ),
            (
                json!({"minAvailable": 2, "selector": {"matchLabels": {"a": "1", "b": "2"}}}),
                json!("b"),
            ),
            (
                json!({"maxUnavailable": 3, "selector": {"matchLabels": {"a": "1"}}}),
                json!("max"),
            ),
        ];
        for (spec, kind) in edits {
            let patch = patch(&budget(&spec), &wanted()).unwrap();
            assert_eq!(patch["spec"]["minAvailable"], 2);
            let nulls = patch.to_string().contains("null");
            assert_eq!(nulls, kind != Value::Null, "{patch}");
        }
    }

    #[test]
    fn a_port_that_somebody_added_or_took_away_is_undone() {
        let ports = |ports: Value| json!({"metadata": {}, "spec": {"ports": ports}});
        let ours = ports(json!([{"port": 1}]));
        assert_eq!(
            patch(&ports(json!([{"port": 1, "protocol": "TCP"}])), &ours),
            None
        );
        assert!(patch(&ports(json!([{"port": 1}, {"port": 2}])), &ours).is_some());
        assert!(patch(&ports(json!([])), &ours).is_some());
    }
}
