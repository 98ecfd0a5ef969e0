//! What a policy says of whose it is: cluster, account, partition, administrators, key.
//!
//! It is the policy's own word: what is compared with it afterwards says nothing about whether the word is true.

use std::collections::BTreeSet;

use crate::principal_name::account_of_root;
use crate::statement::{Effect, Statement};
use crate::{Arn, PARTITIONS, Policy, Sid};

/// What the enclave role's name begins with; the cluster id follows.
const ENCLAVE_ROLE: &str = "role/ChamberEnclaveRole-";

/// What a policy says of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This, and nothing else.
    Once(String),
    /// Nothing.
    Never,
    /// Each of these.
    Differently(Vec<String>),
}

impl Told {
    fn of(found: BTreeSet<&str>) -> Self {
        let mut found: Vec<_> = found.into_iter().map(str::to_owned).collect();
        match found.pop() {
            None => Self::Never,
            Some(only) if found.is_empty() => Self::Once(only),
            Some(last) => Self::Differently([found, vec![last]].concat()),
        }
    }
}

/// The cluster's id: the suffix of the enclave role, in statement 3, else wherever a statement allows something.
pub fn cluster_id(policy: &Policy) -> Told {
    first_told(
        policy,
        Sid::AllowChamberEnclaveDecryptWithAttestation,
        |name| {
            let role = Arn::parse(name)
                .filter(|arn| arn.service == "iam")?
                .resource;
            role.strip_prefix(ENCLAVE_ROLE).filter(|id| !id.is_empty())
        },
    )
}

/// The account of this cluster's enclave role, where statement 3 names one role of that name and no other.
pub fn role_account(policy: &Policy, cluster_id: &str) -> Option<String> {
    let sid = Sid::AllowChamberEnclaveDecryptWithAttestation;
    let named = policy.statements_named(sid.into()).flat_map(allowed);
    let accounts = named.filter_map(|name| {
        let arn = Arn::parse(name).filter(|arn| arn.service == "iam" && arn.has_account())?;
        let id = arn.resource.strip_prefix(ENCLAVE_ROLE)?;
        (id == cluster_id).then_some(arn.account)
    });
    match Told::of(accounts.collect()) {
        Told::Once(account) => Some(account),
        Told::Never | Told::Differently(_) => None,
    }
}

/// The key's account: of the root that is allowed something, statement 1 first; without one, of roles and users.
pub fn account(policy: &Policy) -> Told {
    let root = Sid::EnableIAMRootPermissionsBreakGlass;
    match first_told(policy, root, account_of_root) {
        Told::Never => first_told(policy, root, |name| {
            let arn = Arn::parse(name).filter(|arn| ["iam", "sts"].contains(&arn.service))?;
            arn.has_account().then_some(arn.account)
        }),
        told => told,
    }
}

/// The partition of what is named in this account, the root first; a bare account is of none.
pub fn partition(policy: &Policy, account: &str) -> Told {
    let root = Sid::EnableIAMRootPermissionsBreakGlass;
    first_told(policy, root, |name| {
        let arn = Arn::parse(name).filter(|arn| arn.account == account)?;
        PARTITIONS.contains(&arn.partition).then_some(arn.partition)
    })
}

/// The role of this account that statement 2 names, where it names nobody else.
pub fn admin_role(policy: &Policy, account: &str) -> Option<String> {
    let sid = Sid::AllowKeyAdministrators;
    let named = policy.statements_named(sid.into()).flat_map(allowed);
    let named: BTreeSet<_> = named.collect();
    let Told::Once(only) = Told::of(named) else {
        return None;
    };
    let arn = Arn::parse(&only)?;
    let is_role = arn.service == "iam" && arn.resource.starts_with("role/");
    (is_role && arn.account == account).then_some(only)
}

/// The ARN of the key as far as statements tell it, with stars for what they do not: a policy that names keys of its own
/// account means the one that it is attached to. `None` where they name none.
pub fn key(policy: &Policy, partition: &str, account: &str) -> Option<String> {
    let resources = policy.statements().iter().flat_map(|one| &one.resources);
    let arns = resources
        .flat_map(|one| &one.listed)
        .filter_map(|one| Arn::parse(one));
    let own: Vec<_> = arns
        .filter(|arn| arn.service == "kms" && arn.account == account)
        .filter(|arn| arn.partition == partition && arn.resource.starts_with("key/"))
        .collect();
    if own.is_empty() {
        return None;
    }
    let region = agreed(own.iter().map(|arn| arn.region), "*");
    let key = agreed(own.iter().map(|arn| arn.resource), "key/*");
    Some(format!("arn:{partition}:kms:{region}:{account}:{key}"))
}

/// What all say that say it in full.
fn agreed<'a>(parts: impl Iterator<Item = &'a str>, unknown: &'a str) -> &'a str {
    let mut parts = parts.filter(|part| !part.contains(['*', '?', '$']));
    let first = parts.next().unwrap_or(unknown);
    if parts.all(|part| part == first) {
        first
    } else {
        unknown
    }
}

/// What the statements of this Sid say, else what the others say.
fn first_told(policy: &Policy, sid: Sid, part: impl Fn(&str) -> Option<&str>) -> Told {
    let told = |statements: &mut dyn Iterator<Item = &Statement>| {
        let names = statements.flat_map(allowed);
        Told::of(names.filter_map(&part).collect())
    };
    match told(&mut policy.statements_named(sid.into())) {
        Told::Never => told(&mut policy.statements().iter()),
        told => told,
    }
}

/// Whom an Allow names; whom it leaves out (`NotPrincipal`) is not named.
fn allowed(statement: &Statement) -> impl Iterator<Item = &str> {
    let principals = statement.principals.as_ref();
    let principals = principals.filter(|named| statement.effect == Effect::Allow && !named.negated);
    let listed = principals.and_then(|named| named.listed.get("AWS"));
    listed.into_iter().flatten().map(String::as_str)
}
