//! Which EC2 instance a chamber's node is: the security module names its parent instance.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use rollover::Chamber;

use crate::context::Context;

/// Nodes that are read at the same time.
const AT_ONCE: usize = 8;

/// By name of the node: its instance, or why that is not known.
pub type Instances = BTreeMap<String, Result<String, String>>;

/// The instances of the chambers' nodes, each read by its name.
pub async fn instances(ctx: &Context, chambers: &[Chamber]) -> Instances {
    let names: BTreeSet<_> = chambers
        .iter()
        .filter_map(|chamber| chamber.node.clone())
        .collect();
    let nodes = Api::<Node>::all(ctx.client.clone());
    let nodes = &nodes;
    let reads = stream::iter(names).map(|name| async move {
        let found = read(nodes, &name).await;
        (name, found)
    });
    reads.buffer_unordered(AT_ONCE).collect().await
}

async fn read(nodes: &Api<Node>, name: &str) -> Result<String, String> {
    match nodes.get_opt(name).await {
        Ok(Some(node)) => of_node(name, &node),
        Ok(None) => Err(format!("its node {name} is gone")),
        Err(kube::Error::Api(status)) => Err(format!(
            "its node {name} cannot be read ({}): the operator needs `get` of nodes, to tell its instance from others",
            status.code
        )),
        Err(_) => Err(format!("its node {name} cannot be read at the moment")),
    }
}

/// The instance of one chamber's node.
pub fn instance(instances: &Instances, chamber: &Chamber) -> Result<String, String> {
    let Some(name) = &chamber.node else {
        return Err("its pod has no node".to_owned());
    };
    let found = instances.get(name).cloned();
    found.unwrap_or_else(|| Err(format!("its node {name} was not read")))
}

/// `aws:///eu-west-1a/i-0123456789abcdef0`, as the cloud provider writes it.
fn of_node(name: &str, node: &Node) -> Result<String, String> {
    let id = node
        .spec
        .as_ref()
        .and_then(|spec| spec.provider_id.as_deref());
    let path = id.and_then(|id| id.strip_prefix("aws://"));
    let last = path.and_then(|path| path.rsplit('/').next());
    let is_instance = |id: &&str| {
        let hex = id.strip_prefix("i-").unwrap_or_default();
        !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    last.filter(is_instance).map(str::to_owned).ok_or_else(|| {
        format!(
            "its node {name} has no providerID of an EC2 instance ({})",
            id.unwrap_or("none")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: Option<&str>) -> Node {
        let spec = serde_json::json!({"providerID": id});
        serde_json::from_value(serde_json::json!({"metadata": {"name": "n"}, "spec": spec}))
            .unwrap()
    }

    #[test]
    fn the_instance_is_the_end_of_the_providers_id() {
        let of = |id| of_node("n", &node(id));
        assert_eq!(
            of(Some("aws:///eu-west-1a/i-0123456789abcdef0")),
            Ok("i-0123456789abcdef0".to_owned())
        );
        assert_eq!(
            of(Some("aws:///us-gov-west-1b/i-0a")),
            Ok("i-0a".to_owned())
        );
        for other in [
            None,
            Some(""),
            Some("kind://docker/a/b"),
            Some("gce://p/z/i-0123"),
            Some("aws:///eu-west-1a/fargate-1"),
            Some("aws:///eu-west-1a/i-"),
            Some("aws:///eu-west-1a/i-0123-enc4"),
        ] {
            let why = of(other).unwrap_err();
            assert!(why.contains("no providerID of an EC2 instance"), "{why}");
        }
    }
}
