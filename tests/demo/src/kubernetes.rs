//! Objects in and out of the cluster: server-side apply, deletion, logs, and what is wrong with a namespace's pods.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::{ContainerStatus, Namespace, Node, Pod};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams,
    TypeMeta,
};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::Value;

/// Field manager of the demo's and the tests' own writes.
const MANAGER: &str = "demo";

/// Applies one object, as `kubectl apply --server-side --force-conflicts` does.
pub async fn apply(client: &Client, object: &Value) -> Result<DynamicObject> {
    patch(client, object, &PatchParams::apply(MANAGER).force()).await
}

/// Asks whether the object would be accepted; changes nothing.
pub async fn dry_run(client: &Client, object: &Value) -> Result<DynamicObject> {
    patch(
        client,
        object,
        &PatchParams::apply(MANAGER).force().dry_run(),
    )
    .await
}

/// Applies objects one after the other.
pub async fn apply_all(client: &Client, objects: &[Value]) -> Result<()> {
    for object in objects {
        apply(client, object).await?;
    }
    Ok(())
}

/// The objects of a file with several YAML documents; empty documents are left out.
pub fn documents(yaml: &str) -> Result<Vec<Value>> {
    let parsed = serde_yaml_ng::Deserializer::from_str(yaml).map(serde::Deserialize::deserialize);
    let objects: Vec<Value> = parsed.collect::<Result<_, _>>()?;
    Ok(objects
        .into_iter()
        .filter(|object| !object.is_null())
        .collect())
}

/// Deletes a namespace and waits until it is gone with all that is in it. One that is not there is fine.
pub async fn delete_namespace(client: &Client, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match namespaces.delete(name, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("deleting namespace {name}")),
    }
    crate::wait::until(
        &namespaces,
        name,
        crate::wait::MINUTE,
        "the namespace to be gone",
        |found| match found {
            None => crate::wait::Seen::Yes(()),
            Some(_) => crate::wait::Seen::NotYet("it is terminating".into()),
        },
    )
    .await
}

/// What a pod's container wrote so far.
pub async fn logs(client: &Client, namespace: &str, pod: &str) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    pods.logs(pod, &LogParams::default())
        .await
        .with_context(|| format!("log of {namespace}/{pod}"))
}

/// What is wrong with a namespace's pods and with the nodes, in one line. Never fails: it explains failures.
pub async fn troubles(client: &Client, namespace: &str) -> String {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut found: Vec<_> = match pods.list(&ListParams::default()).await {
        Ok(list) => list.iter().filter_map(trouble).collect(),
        Err(error) => vec![format!("pods of {namespace} cannot be listed: {error}")],
    };
    let nodes: Api<Node> = Api::all(client.clone());
    match nodes.list(&ListParams::default()).await {
        Ok(list) => found.extend(list.iter().filter_map(node_trouble)),
        Err(error) => found.push(format!("nodes cannot be listed: {error}")),
    }
    found.join("; ")
}

/// What a node says that it lacks: disk, memory, its own readiness.
fn node_trouble(node: &Node) -> Option<String> {
    let conditions = node.status.iter().flat_map(|status| &status.conditions);
    let wrong = conditions.flatten().filter(|condition| {
        let wanted = if condition.type_ == "Ready" {
            "True"
        } else {
            "False"
        };
        condition.status != wanted
    });
    let said: Vec<_> = wrong
        .map(|condition| {
            let message = condition.message.as_deref().unwrap_or_default();
            format!("{} is {} ({message})", condition.type_, condition.status)
        })
        .collect();
    (!said.is_empty()).then(|| format!("node {}: {}", node.name_any(), said.join(", ")))
}

/// What is wrong with a pod, in one line.
pub fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if is_ready(pod) || status.phase.as_deref() == Some("Succeeded") {
        return None;
    }
    let waiting = status
        .container_statuses
        .iter()
        .flatten()
        .find_map(container_trouble);
    let condition = || {
        let unmet = status.conditions.iter().flatten();
        unmet
            .filter(|condition| condition.status != "True")
            .find_map(|condition| condition.message.clone())
    };
    let why = waiting
        .or_else(condition)
        .unwrap_or_else(|| status.phase.clone().unwrap_or_default());
    Some(format!("pod {}: {why}", pod.name_any()))
}

/// Whether the pod's condition Ready is true.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .filter_map(|status| status.conditions.as_ref());
    conditions
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn container_trouble(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let message = waiting.message.clone().unwrap_or_default();
        return Some(format!(
            "{} {message}",
            waiting.reason.clone().unwrap_or_default()
        ));
    }
    let ended = state.terminated.as_ref()?;
    let message = ended.message.clone().unwrap_or_default();
    Some(format!("ended with {} {message}", ended.exit_code))
}

async fn patch(client: &Client, object: &Value, params: &PatchParams) -> Result<DynamicObject> {
    let types: TypeMeta =
        serde_json::from_value(object.clone()).context("object without apiVersion and kind")?;
    let kind = GroupVersionKind::try_from(&types)?;
    let name = object["metadata"]["name"]
        .as_str()
        .ok_or_else(|| anyhow!("{}: metadata.name is missing", types.kind))?;
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    api.patch(name, params, &Patch::Apply(object))
        .await
        .with_context(|| format!("applying {} {name}", types.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_split_and_empty_ones_dropped() {
        let found = documents("a: 1\n---\n# nothing\n---\nb: 2\n").unwrap();
        assert_eq!(found, [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn trouble_names_the_container_that_waits() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "status": {"phase": "Pending", "containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ErrImageNeverPull", "message": "not there"}},
            }]},
        }))
        .unwrap();
        assert_eq!(trouble(&pod).unwrap(), "pod p: ErrImageNeverPull not there");
    }

    #[test]
    fn a_node_under_pressure_is_named_and_a_sound_one_is_not() {
        let node = |ready: &str, disk: &str| -> Node {
            let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "message": "m"});
            serde_json::from_value(json!({
                "metadata": {"name": "n"},
                "status": {"conditions": [condition("DiskPressure", disk), condition("Ready", ready)]},
            }))
            .unwrap()
        };
        assert_eq!(node_trouble(&node("True", "False")), None);
        assert_eq!(
            node_trouble(&node("Unknown", "True")).unwrap(),
            "node n: DiskPressure is True (m), Ready is Unknown (m)"
        );
    }

    #[test]
    fn a_ready_pod_is_no_trouble() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .unwrap();
        assert_eq!(trouble(&pod), None);
    }
}
