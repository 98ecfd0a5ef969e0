//! Who asks, and whether a list of principals names them.

use crate::arn::Arn;
use crate::principal_name::account_of_root;
use crate::statement::Principals;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `arn:aws:sts::<account>:assumed-role/<Role>/<session>`, a user's ARN, or an account's root.
    pub arn: String,
    /// Twelve digits.
    pub account: String,
}

/// How a principal is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Itself, its role, or everybody.
    Directly,
    /// Its account: IAM policies of that account decide.
    ByAccount,
}

impl Principal {
    /// The session of an assumed role; a role's path does not show in it.
    pub fn session(role_arn: &str, account: &str, session: &str) -> Self {
        let partition = Arn::parse(role_arn).map_or("aws", |arn| arn.partition);
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        Self {
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}"),
            account: account.to_owned(),
        }
    }

    /// The account's root user.
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }

    /// Role name of an assumed role's session.
    fn role(&self) -> Option<&str> {
        let (_, rest) = self.arn.split_once(":assumed-role/")?;
        rest.split('/').next()
    }
}

/// The strongest way in which the list names the principal.
pub fn find(listed: &Principals, principal: &Principal) -> Option<Named> {
    let found = || aws(listed).filter_map(|name| one(name, principal));
    found()
        .find(|named| *named == Named::Directly)
        .or_else(|| found().next())
}

/// Whether the `NotPrincipal` of a Deny spares the principal: AWS may look at the account before the
/// role, so the account has to be listed, too (IAM user guide, "`NotPrincipal`").
pub fn is_spared(listed: &Principals, principal: &Principal) -> bool {
    let everybody = aws(listed).any(|name| name == "*");
    let account = aws(listed).any(|name| account_of_root(name) == Some(&principal.account));
    let itself = principal.is_root() || find(listed, principal) == Some(Named::Directly);
    everybody || (account && itself)
}

fn aws(listed: &Principals) -> impl Iterator<Item = &String> {
    listed.get("AWS").into_iter().flatten()
}

fn one(name: &str, principal: &Principal) -> Option<Named> {
    if name == "*" || name == principal.arn {
        return Some(Named::Directly);
    }
    if let Some(account) = account_of_root(name) {
        return (account == principal.account).then_some(Named::ByAccount);
    }
    let (named, own) = (Arn::parse(name)?, Arn::parse(&principal.arn)?);
    let elsewhere = named.account != principal.account || named.partition != own.partition;
    if named.service != "iam" || elsewhere {
        return None;
    }
    // A session is named by its role, whatever the role's path.
    let role = named.resource.strip_prefix("role/")?.rsplit('/').next();
    (role.is_some() && role == principal.role()).then_some(Named::Directly)
}
