//! Who asks, and whether a list of principals names them.

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
        let partition = role_arn.split(':').nth(1).unwrap_or("aws");
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

/// A bare account id stands for the account's root.
pub fn bare_account(name: &str) -> Option<&str> {
    (name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// The strongest way in which the list names the principal.
pub fn find(listed: &Principals, principal: &Principal) -> Option<Named> {
    let aws = listed.get("AWS")?;
    let mut found = None;
    for name in aws {
        match one(name, principal) {
            Some(Named::Directly) => return Some(Named::Directly),
            Some(Named::ByAccount) => found = Some(Named::ByAccount),
            None => {}
        }
    }
    found
}

fn one(name: &str, principal: &Principal) -> Option<Named> {
    if name == "*" || name == principal.arn {
        return Some(Named::Directly);
    }
    if let Some(account) = bare_account(name) {
        return (account == principal.account).then_some(Named::ByAccount);
    }
    let mut parts = name.splitn(6, ':');
    let (service, account, resource) = (parts.nth(2)?, parts.nth(1)?, parts.next()?);
    if service != "iam" || account != principal.account {
        return None;
    }
    if resource == "root" {
        return Some(Named::ByAccount);
    }
    // A session is named by its role, whatever the role's path.
    let role = resource.strip_prefix("role/")?.rsplit('/').next();
    (role.is_some() && role == principal.role()).then_some(Named::Directly)
}
