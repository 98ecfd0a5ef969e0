//! The AWS side of the demo: who exists, with which credentials, and which keys hold the shares.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::roots::Roots;

/// The one region.
pub const REGION: &str = "us-east-1";
/// The one account.
pub const ACCOUNT: &str = "111122223333";
/// The five statements with nobody admitted, as a key's holder makes them (see docs/examples/terraform).
const KEY_POLICY: &str = include_str!("key-policy.json");

/// One access key. Holds a secret: no Debug.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    principal: String,
}

impl Credentials {
    /// A user's, with random values.
    pub fn user(name: &str) -> Result<Self> {
        Ok(Self {
            access_key_id: format!("AKIA{}", random_hex(8)?.to_uppercase()),
            secret_access_key: random_hex(20)?,
            session_token: None,
            principal: format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
        })
    }

    /// A role's session, with random values.
    pub fn session(role: &str, session: &str) -> Result<Self> {
        Ok(Self {
            access_key_id: format!("ASIA{}", random_hex(8)?.to_uppercase()),
            secret_access_key: random_hex(20)?,
            session_token: Some(random_hex(32)?),
            principal: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        })
    }

    /// The entry in the emulator's configuration.
    pub fn entry(&self) -> Value {
        let mut entry = json!({
            "accessKeyId": self.access_key_id,
            "secretAccessKey": self.secret_access_key,
            "principal": self.principal,
        });
        if let Some(token) = &self.session_token {
            entry["sessionToken"] = json!(token);
        }
        entry
    }

    /// The standard environment variables, for a Secret's `stringData`.
    pub fn environment(&self) -> BTreeMap<&'static str, &str> {
        let mut variables = BTreeMap::from([
            ("AWS_ACCESS_KEY_ID", self.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.as_str()),
        ]);
        if let Some(token) = &self.session_token {
            variables.insert("AWS_SESSION_TOKEN", token);
        }
        variables
    }
}

/// What one `ChamberCluster` needs at AWS: an enclave role, an admin role, and keys with the five statements.
#[derive(Clone)]
pub struct Tenant {
    /// Namespace of the `ChamberCluster`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its cluster id.
    pub cluster_id: String,
    /// Name of the key holders' admin role.
    pub admin_role: String,
    /// Ids of the keys; share `a` is wrapped under the first.
    pub keys: Vec<String>,
    /// The chambers' session of the enclave role.
    pub chamber: Credentials,
    /// A session of the admin role, to show that it cannot decrypt.
    pub admin: Credentials,
}

impl Tenant {
    /// With `keys` new keys; the admin role is `ChamberKmsKeyAdmin-<cluster id>`.
    pub fn new(namespace: &str, name: &str, cluster_id: &str, keys: usize) -> Result<Self> {
        let admin_role = format!("ChamberKmsKeyAdmin-{cluster_id}");
        Self::with_admin_role(namespace, name, cluster_id, keys, &admin_role)
    }

    /// With an admin role of this name.
    pub fn with_admin_role(
        namespace: &str,
        name: &str,
        cluster_id: &str,
        keys: usize,
        admin_role: &str,
    ) -> Result<Self> {
        Ok(Self {
            namespace: namespace.into(),
            name: name.into(),
            cluster_id: cluster_id.into(),
            admin_role: admin_role.into(),
            keys: (0..keys).map(|_| key_id()).collect::<Result<_>>()?,
            chamber: Credentials::session(&enclave_role(cluster_id), "chamber")?,
            admin: Credentials::session(admin_role, "person")?,
        })
    }

    /// ARNs of the keys, in the order of the shares.
    pub fn key_arns(&self) -> Vec<String> {
        let arn = |id: &String| format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}");
        self.keys.iter().map(arn).collect()
    }

    /// ARN of the admin role.
    pub fn admin_role_arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/{}", self.admin_role)
    }

    /// The five statements for this tenant, nobody admitted.
    pub fn key_policy(&self) -> Result<Value> {
        let enclave = format!(
            "arn:aws:iam::{ACCOUNT}:role/{}",
            enclave_role(&self.cluster_id)
        );
        let text = KEY_POLICY
            .replace("ADMIN_ROLE_ARN", &self.admin_role_arn())
            .replace("ENCLAVE_ROLE_ARN", &enclave)
            .replace("ACCOUNT", ACCOUNT);
        Ok(serde_json::from_str(&text)?)
    }

    /// Its keys as entries of the emulator's configuration.
    pub fn key_entries(&self) -> Result<Vec<Value>> {
        let policy = self.key_policy()?;
        let entry = |id: &String| json!({"id": id, "account": ACCOUNT, "policy": policy});
        Ok(self.keys.iter().map(entry).collect())
    }

    /// Its sessions and roles as entries of the emulator's configuration.
    pub fn principals(&self) -> Value {
        json!({
            "credentials": [self.chamber.entry(), self.admin.entry()],
            "roles": [
                {"arn": format!("arn:aws:iam::{ACCOUNT}:role/{}", enclave_role(&self.cluster_id)), "trust": nobody()},
                {"arn": self.admin_role_arn(), "trust": self.admin_trust()},
            ],
        })
    }

    /// The operator, and only on behalf of this very `ChamberCluster`.
    fn admin_trust(&self) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": operator_arn()},
            "Action": "sts:AssumeRole",
            "Condition": {"StringLike": {"sts:ExternalId": format!("*/{}/*/{}", self.namespace, self.name)}},
        }]})
    }
}

/// Everything the emulator is configured with.
pub fn emulator_config(operator: &Credentials, tenants: &[Tenant], roots: &Roots) -> Result<Value> {
    let mut config = json!({
        "region": REGION,
        "accounts": [ACCOUNT],
        "nitroRootPem": roots.nsm,
        "tls": roots.kms_tls,
        "attestationMaxAgeSeconds": 300,
        "credentials": [operator.entry()],
        "roles": [],
        "identityPolicies": [{"principal": operator_arn(), "document": may_assume()}],
        "keys": [],
    });
    for tenant in tenants {
        let principals = tenant.principals();
        append(&mut config, "credentials", &principals["credentials"])?;
        append(&mut config, "roles", &principals["roles"])?;
        append(&mut config, "keys", &json!(tenant.key_entries()?))?;
    }
    Ok(config)
}

/// The operator's own identity.
pub fn operator_credentials() -> Result<Credentials> {
    Credentials::user("chamber-operator")
}

fn operator_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/chamber-operator")
}

fn enclave_role(cluster_id: &str) -> String {
    format!("ChamberEnclaveRole-{cluster_id}")
}

/// What the operator's user may do: become an admin role whose trust policy agrees.
fn may_assume() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": format!("arn:aws:iam::{ACCOUNT}:role/ChamberKmsKeyAdmin*"),
    }]})
}

/// A trust policy that lets only machines in: the demo hands out the role's sessions itself.
fn nobody() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]})
}

fn append(config: &mut Value, list: &str, entries: &Value) -> Result<()> {
    let (Some(list), Some(entries)) = (config[list].as_array_mut(), entries.as_array()) else {
        return Err(anyhow!("{list} is no list"));
    };
    list.extend(entries.iter().cloned());
    Ok(())
}

/// A key id in AWS's form.
fn key_id() -> Result<String> {
    let hex = random_hex(16)?;
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).map_err(|_| anyhow!("no random numbers"))?;
    Ok(hex::encode(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_names_the_tenants_roles_and_admits_nobody() {
        let tenant = Tenant::new("demo", "signer", "demo-local-signer", 3).unwrap();
        let policy = tenant.key_policy().unwrap();
        let principal = |index: usize| policy["Statement"][index]["Principal"]["AWS"].clone();
        assert_eq!(principal(0), "arn:aws:iam::111122223333:root");
        assert_eq!(
            principal(1),
            "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin-demo-local-signer"
        );
        assert_eq!(
            principal(2),
            "arn:aws:iam::111122223333:role/ChamberEnclaveRole-demo-local-signer"
        );
        let condition = &policy["Statement"][2]["Condition"]["StringEqualsIgnoreCase"];
        let nobody = json!(["f".repeat(96)]);
        assert_eq!(condition["kms:RecipientAttestation:ImageSha384"], nobody);
    }

    #[test]
    fn config_holds_every_tenant_once() {
        let tenants = [
            Tenant::new("a", "one", "id-one", 2).unwrap(),
            Tenant::new("b", "two", "id-two", 3).unwrap(),
        ];
        let operator = operator_credentials().unwrap();
        let roots = Roots {
            nsm: "PEM".into(),
            nsm_signer: String::new(),
            kms_tls: json!({}),
        };
        let config = emulator_config(&operator, &tenants, &roots).unwrap();
        let count = |list: &str| config[list].as_array().unwrap().len();
        assert_eq!(
            (count("credentials"), count("roles"), count("keys")),
            (5, 4, 5)
        );
        let ids: std::collections::BTreeSet<_> =
            tenants.iter().flat_map(|tenant| &tenant.keys).collect();
        assert_eq!(ids.len(), 5, "key ids are random");
    }

    #[test]
    fn trust_binds_the_operator_to_one_chamber_cluster() {
        let tenant = Tenant::new("demo", "signer", "id", 1).unwrap();
        let trust = &tenant.principals()["roles"][1]["trust"]["Statement"][0];
        assert_eq!(
            trust["Condition"]["StringLike"]["sts:ExternalId"],
            "*/demo/*/signer"
        );
    }
}
