//! Whose policy is linted: by the flags, by the key's ARN, and where they are silent by the policy itself.

use std::fmt;

use chamber_resource::arn::Arn;
use key_policy::infer::{self, Told};
use key_policy::{Policy, Template};
use serde_json::{Value, json};

use crate::arguments::Cluster;
use crate::output::Failure;

/// Who says something.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    /// A flag.
    Flag,
    /// The ARN of the key.
    Key,
    /// The policy itself.
    Policy,
    /// Nobody: it is what it mostly is.
    Default,
}

impl Source {
    fn word(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Key => "key",
            Self::Policy => "policy",
            Self::Default => "default",
        }
    }
}

/// Stands behind what the policy says of itself.
const MARK: &str = " (from the policy)";

/// Something, and who says it.
struct Said {
    text: String,
    by: Source,
}

/// Whose policy it is read as.
pub struct ReadAs {
    cluster_id: Said,
    account: Said,
    partition: Said,
    role_account: Said,
    admin_role: Said,
    /// The ARN of the key where only its own statements tell it.
    named_key: Option<String>,
}

/// Finds whose policy this is.
pub fn of(flags: &Cluster, key: Option<&str>, policy: &Policy) -> Result<ReadAs, Failure> {
    let known = key;
    let key = flags.key(key)?;
    let account = account(flags, key.as_ref(), policy)?;
    let partition = partition(flags, key.as_ref(), policy, &account.text)?;
    let cluster_id = cluster_id(flags, policy)?;
    let named = || infer::key(policy, &partition.text, &account.text);
    let named = known.is_none().then(named).flatten();
    Ok(ReadAs {
        named_key: named.filter(|key| !key.ends_with('*')),
        role_account: role_account(flags, policy, [&cluster_id, &account]),
        admin_role: admin_role(flags, policy, [&cluster_id, &account, &partition]),
        cluster_id,
        account,
        partition,
    })
}

impl ReadAs {
    /// The template that the policy is compared with.
    pub fn template(&self, flags: &Cluster) -> Template {
        let (partition, account) = (&self.partition.text, &self.account.text);
        let mut template = Template::in_account(partition, account, &self.cluster_id.text);
        flags.complete(&mut template);
        template.role_account.clone_from(&self.role_account.text);
        template.admin_role_arn.clone_from(&self.admin_role.text);
        template
    }

    /// A line where the policy itself says something of it that is not always so.
    pub fn line(&self) -> Option<String> {
        let line = format!("{self}\n");
        line.contains(MARK).then_some(line)
    }

    /// `{"clusterId", "account", "partition", "roleAccount", "adminRole", "from": {...}}`, and `key` where only statements name it.
    pub fn value(&self) -> Value {
        let Self {
            cluster_id,
            account,
            partition,
            role_account,
            admin_role,
            named_key,
        } = self;
        let mut value = json!({
            "clusterId": cluster_id.text, "account": account.text,
            "partition": partition.text, "roleAccount": role_account.text,
            "adminRole": admin_role.text,
            "from": {
                "clusterId": cluster_id.by.word(), "account": account.by.word(),
                "partition": partition.by.word(), "roleAccount": role_account.by.word(),
                "adminRole": admin_role.by.word(),
            },
        });
        if let Some(key) = named_key {
            value["key"] = json!(key);
            value["from"]["key"] = json!(Source::Policy.word());
        }
        value
    }
}

/// What the policy says of itself is marked, and what is as it mostly is goes without saying.
impl fmt::Display for ReadAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |said: &Said| match said.by {
            Source::Policy => MARK,
            _ => "",
        };
        let (id, account) = (&self.cluster_id, &self.account);
        // Said once where it is true of both.
        let first = if id.by == account.by { "" } else { mark(id) };
        write!(
            f,
            "read as cluster {}{first} in account {}{}",
            id.text,
            account.text,
            mark(account)
        )?;
        if self.partition.text != "aws" {
            write!(f, " of {}{}", self.partition.text, mark(&self.partition))?;
        }
        let roles = &self.role_account;
        if roles.by == Source::Policy && roles.text != account.text {
            write!(f, ", enclave role in account {}{}", roles.text, mark(roles))?;
        }
        let role = &self.admin_role;
        if role.by == Source::Policy && !role.text.ends_with(":role/ChamberKmsKeyAdmin") {
            write!(f, ", administrators {}{}", role.text, mark(role))?;
        }
        if let Some(key) = &self.named_key {
            write!(f, ", key {key}{MARK}")?;
        }
        Ok(())
    }
}

/// A flag that has to be given, because the policy does not tell.
fn missing(
    flag: &str,
    told: Told,
    nothing: &str,
    several: &str,
    cure: &str,
) -> Result<Said, Failure> {
    let why = match told {
        Told::Once(text) => {
            return Ok(Said {
                text,
                by: Source::Policy,
            });
        }
        Told::Never => nothing.to_owned(),
        Told::Differently(found) => format!("{several} ({})", found.join(", ")),
    };
    Err(Failure::Usage(format!(
        "{flag} is missing: {why}. Say {cure}"
    )))
}

fn cluster_id(flags: &Cluster, policy: &Policy) -> Result<Said, Failure> {
    if let Some(id) = &flags.id {
        return Ok(flag(id));
    }
    missing(
        "--cluster-id",
        infer::cluster_id(policy),
        "the policy allows no role ChamberEnclaveRole-<cluster id> anything",
        "the policy names the enclave roles of several clusters",
        "which cluster's key it is: --cluster-id ID",
    )
}

fn account(flags: &Cluster, key: Option<&Arn<'_>>, policy: &Policy) -> Result<Said, Failure> {
    match (&flags.account, key) {
        (Some(account), _) => Ok(flag(account)),
        (None, Some(arn)) => Ok(of_key(arn.account)),
        (None, None) => missing(
            "--account",
            infer::account(policy),
            "the policy names neither an account's root nor a role or user",
            "the policy names several accounts",
            "the account of the key: --account TWELVE_DIGITS",
        ),
    }
}

fn partition(
    flags: &Cluster,
    key: Option<&Arn<'_>>,
    policy: &Policy,
    account: &str,
) -> Result<Said, Failure> {
    match (key, &flags.partition) {
        (Some(arn), _) => return Ok(of_key(arn.partition)),
        (None, Some(partition)) => return Ok(flag(partition)),
        (None, None) => {}
    }
    match infer::partition(policy, account) {
        Told::Never => Ok(Said {
            text: "aws".to_owned(),
            by: Source::Default,
        }),
        told => missing(
            "--partition",
            told,
            "",
            "the policy names the account in several partitions",
            "that of the key: --partition NAME",
        ),
    }
}

/// Where flags (or the key) say cluster and account, a policy is judged: then it does not say who else is trusted.
fn is_judged(said: [&Said; 2]) -> bool {
    said.iter().all(|said| said.by != Source::Policy)
}

fn role_account(flags: &Cluster, policy: &Policy, said: [&Said; 2]) -> Said {
    if let Some(account) = &flags.role_account {
        return flag(account);
    }
    let [cluster_id, account] = said;
    let inferred = infer::role_account(policy, &cluster_id.text);
    match inferred.filter(|_| !is_judged(said)) {
        Some(text) => Said {
            text,
            by: Source::Policy,
        },
        None => Said {
            text: account.text.clone(),
            by: Source::Default,
        },
    }
}

fn admin_role(
    flags: &Cluster,
    policy: &Policy,
    [cluster_id, account, partition]: [&Said; 3],
) -> Said {
    if let Some(role) = &flags.admin_role {
        return flag(role);
    }
    let inferred = infer::admin_role(policy, &account.text);
    match inferred.filter(|_| !is_judged([cluster_id, account])) {
        Some(text) => Said {
            text,
            by: Source::Policy,
        },
        None => Said {
            text: Template::in_account(&partition.text, &account.text, "").admin_role_arn,
            by: Source::Default,
        },
    }
}

fn flag(text: &str) -> Said {
    Said {
        text: text.to_owned(),
        by: Source::Flag,
    }
}

fn of_key(text: &str) -> Said {
    Said {
        text: text.to_owned(),
        by: Source::Key,
    }
}
