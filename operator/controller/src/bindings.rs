//! Which namespaces may use which keys and roles, by the operator's configuration.
//!
//! Without a binding every namespace may name every key that the operator's role can reach through
//! the holders' roles; `ExternalId` and the session policy keep one namespace from borrowing another's session.

use chamber_api::ChamberCluster;
use kube::ResourceExt;
use rollover::Reason;
use serde::Deserialize;
use wildmatch::WildMatch;

use chamber_resource::Fault;

/// Namespaces and what they may use; `*` stands for any text, `?` for one character.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// Namespaces.
    namespaces: Vec<String>,
    /// ARNs of keys.
    keys: Vec<String>,
    /// ARNs of roles that the operator may assume for these keys.
    #[serde(default)]
    roles: Vec<String>,
}

/// Reads the bindings from JSON: a list of objects with `namespaces`, `keys` and `roles`.
pub fn parse(json: &str) -> Result<Bindings, String> {
    serde_json::from_str(json).map(Bindings).map_err(|error| {
        format!("{error}. Expected [{{\"namespaces\": [...], \"keys\": [...], \"roles\": [...]}}]")
    })
}

/// All bindings; none at all binds nobody.
#[derive(Clone, Debug, Default)]
pub struct Bindings(Vec<Binding>);

impl Bindings {
    /// Whether the namespace may use the keys and roles that the resource names.
    pub fn check(&self, cluster: &ChamberCluster) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let namespace = cluster.namespace().unwrap_or_default();
        for share in &cluster.spec.keys.shares {
            let role = share.assume_role_arn.as_deref();
            if !self
                .0
                .iter()
                .any(|binding| binding.gives(&namespace, &share.arn, role))
            {
                let role = role.map_or_else(String::new, |role| format!(" with role {role}"));
                return Err(Fault {
                    reason: Reason::NamespaceNotBound,
                    message: format!(
                        "spec.keys.shares[{}]: {}{role} is not bound to namespace {namespace}. Ask who runs the operator to add it to the chart's value `bindings`",
                        share.name, share.arn
                    ),
                });
            }
        }
        Ok(())
    }
}

impl Binding {
    fn gives(&self, namespace: &str, key: &str, role: Option<&str>) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns
                .iter()
                .any(|pattern| WildMatch::new(pattern).matches(text))
        };
        any(&self.namespaces, namespace)
            && any(&self.keys, key)
            && role.is_none_or(|role| any(&self.roles, role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(namespace: &str, key: &str, role: Option<&str>) -> ChamberCluster {
        let mut share = json!({"name": "a", "arn": key});
        if let Some(role) = role {
            share["assumeRoleArn"] = json!(role);
        }
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": namespace},
            "spec": {
                "clusterId": "one",
                "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": [share]},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }))
        .unwrap()
    }

    #[test]
    fn a_namespace_uses_what_it_is_bound_to_and_nothing_else() {
        let text = json!([{"namespaces": ["prod-*"], "keys": ["arn:aws:kms:*:1:key/*"], "roles": ["arn:aws:iam::1:role/Admin"]}]);
        let bindings = parse(&text.to_string()).unwrap();
        let (key, role) = (
            "arn:aws:kms:eu-west-1:1:key/k",
            Some("arn:aws:iam::1:role/Admin"),
        );
        assert!(bindings.check(&cluster("prod-a", key, role)).is_ok());
        assert!(bindings.check(&cluster("prod-a", key, None)).is_ok());
        for (namespace, key, role) in [
            ("dev", key, role),
            ("prod-a", "arn:aws:kms:eu-west-1:2:key/k", role),
            ("prod-a", key, Some("arn:aws:iam::2:role/Admin")),
        ] {
            let fault = bindings.check(&cluster(namespace, key, role)).unwrap_err();
            assert_eq!(fault.reason, Reason::NamespaceNotBound);
            assert!(
                fault.message.contains("spec.keys.shares[a]"),
                "{}",
                fault.message
            );
        }
    }

    #[test]
    fn without_bindings_every_namespace_is_free() {
        let bindings = Bindings::default();
        assert!(bindings.check(&cluster("any", "k", Some("r"))).is_ok());
        assert!(
            parse("[]")
                .unwrap()
                .check(&cluster("any", "k", None))
                .is_ok()
        );
        assert!(parse("{}").is_err() && parse(r#"[{"namespace": []}]"#).is_err());
    }
}
