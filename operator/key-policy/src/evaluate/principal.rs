//! Who asks, and whether a list of principals names them.

use super::fact::Fact;
use super::truth::Truth;
use crate::arn::Arn;
use crate::principal_name::account_of_root;
use crate::statement::Principals;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `arn:aws:sts::<account>:assumed-role/<Role>/<session>`, a user's ARN, an account's root, or a service
    /// (`ec2.amazonaws.com`). A star for the session is a name that is not known; empty for any role or user of the account.
    pub arn: String,
    /// Twelve digits; empty for a service.
    pub account: String,
    /// ARN of the role of a session, with its path, where that is known.
    pub role: Option<String>,
}

/// How a list names a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Itself, its role, or everybody.
    pub directly: Truth,
    /// Its account: IAM policies of that account decide.
    pub by_account: bool,
}

impl Naming {
    /// Whoever it is.
    pub const EVERYBODY: Self = Self {
        directly: Truth::Yes,
        by_account: false,
    };

    /// Whether it is named at all.
    pub fn at_all(self) -> Truth {
        self.directly.max(Truth::from(self.by_account))
    }
}

impl Principal {
    /// The name of a session that is not known.
    pub const ANY_SESSION: &str = "*";

    /// A user, a session by its own ARN, or an account's root.
    pub fn new(arn: &str, account: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            account: account.to_owned(),
            role: None,
        }
    }

    /// The session of an assumed role; a role's path does not show in it.
    pub fn session(role_arn: &str, account: &str, session: &str) -> Self {
        let partition = Arn::parse(role_arn).map_or("aws", |arn| arn.partition);
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        Self {
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}"),
            account: account.to_owned(),
            role: Some(role_arn.to_owned()),
        }
    }

    /// An AWS service, for example `ec2.amazonaws.com`.
    pub fn service(name: &str) -> Self {
        Self::new(name, "")
    }

    /// The account's root user.
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }

    /// Whether it is an AWS service.
    pub fn is_service(&self) -> bool {
        !self.is_anybody() && !self.arn.starts_with("arn:")
    }

    /// Any role or user of an account of whom no name is known.
    fn is_anybody(&self) -> bool {
        self.arn.is_empty()
    }

    /// Any role or user of an account.
    pub(crate) fn anybody(account: &str) -> Self {
        Self::new("", account)
    }

    /// What follows from the principal for a condition key in lower case; `None` where nothing does.
    pub(super) fn fact(&self, key: &str) -> Option<Fact<'static>> {
        let one = |value: &str| Some(Fact::Values(vec![value.to_owned()].into()));
        let (is_anybody, is_service) = (self.is_anybody(), self.is_service());
        match key {
            "aws:principalarn" if is_anybody => Some(Fact::Present),
            "aws:principaltype" | "aws:username" if is_anybody => None,
            "aws:principalisawsservice" => one(if is_service { "true" } else { "false" }),
            "aws:principalservicename" if is_service => one(&self.arn),
            "aws:principalarn"
            | "aws:principaltype"
            | "aws:username"
            | "aws:principalorgid"
            | "aws:principalorgpaths"
                if is_service =>
            {
                Some(Fact::ABSENT)
            }
            _ if is_service => None,
            "aws:principalaccount" | "kms:calleraccount" => one(&self.account),
            "aws:principalarn" => one(&self.principal_arn()),
            "aws:principaltype" => one(self.kind()),
            "aws:username" if self.kind() == "User" => one(self.arn.rsplit('/').next()?),
            "aws:username" | "aws:principalservicename" | "aws:principalservicenameslist" => {
                Some(Fact::ABSENT)
            }
            _ => None,
        }
    }

    /// What `aws:PrincipalType` is.
    fn kind(&self) -> &'static str {
        let resource = Arn::parse(&self.arn).map_or("", |arn| arn.resource);
        match resource.split_once('/') {
            _ if self.is_root() => "Account",
            Some(("assumed-role", _)) => "AssumedRole",
            Some(("federated-user", _)) => "FederatedUser",
            _ => "User",
        }
    }

    /// What `aws:PrincipalArn` is: of a session its role, not itself. A path that is not known is taken to be none.
    fn principal_arn(&self) -> String {
        if let Some(role) = &self.role {
            return role.clone();
        }
        match (Arn::parse(&self.arn), self.role_name()) {
            (Some(arn), Some(role)) => {
                format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account)
            }
            _ => self.arn.clone(),
        }
    }

    /// Role name of an assumed role's session.
    fn role_name(&self) -> Option<&str> {
        let arn = Arn::parse(&self.arn)?;
        arn.resource
            .strip_prefix("assumed-role/")?
            .split('/')
            .next()
    }

    /// Whether an ARN in a policy is its role's, whatever the role's path.
    fn is_role(&self, name: &str) -> bool {
        if self.role.as_deref() == Some(name) {
            return true;
        }
        // What is rarely so is seen first: the names.
        if self.arn.split('/').nth(1) != name.rsplit('/').next() {
            return false;
        }
        let Some(role) = self.role_name() else {
            return false;
        };
        let path = name.strip_suffix(role);
        if !path.is_some_and(|path| path.ends_with('/')) {
            return false;
        }
        let (Some(named), Some(own)) = (Arn::parse(name), Arn::parse(&self.arn)) else {
            return false;
        };
        let same_account = named.account == self.account && named.partition == own.partition;
        named.service == "iam" && same_account && named.resource.starts_with("role/")
    }

    /// Whether a name in a policy is this session's; its own name may not be known.
    fn is_session(&self, name: &str) -> Truth {
        match self.arn.strip_suffix('*') {
            Some(of_role) if name.starts_with(of_role) => Truth::Unknown,
            Some(_) => Truth::No,
            None => Truth::from(name == self.arn),
        }
    }
}

/// How the list names the principal.
pub fn find(listed: &Principals, principal: &Principal) -> Naming {
    let mut found = Naming {
        directly: Truth::No,
        by_account: false,
    };
    for (kind, names) in listed {
        match kind.as_str() {
            "AWS" => names.iter().for_each(|name| found.add(name, principal)),
            "Service" if principal.is_service() && names.contains(&principal.arn) => {
                found.directly = Truth::Yes;
            }
            _ => {}
        }
    }
    found
}

/// Whether the `NotPrincipal` of a Deny spares the principal: AWS may look at the account before the
/// role, so the account has to be listed, too. Role and account are enough for every session (IAM user guide,
/// "`NotPrincipal`", which recommends them).
pub fn is_spared(listed: &Principals, principal: &Principal) -> Truth {
    let aws = || listed.get("AWS").into_iter().flatten();
    if aws().any(|name| name == "*") {
        return Truth::Yes;
    }
    // Where sessions of the role are listed, the role stands beside them and spares no other.
    let of_role = principal
        .arn
        .rsplit_once('/')
        .map(|(of_role, _)| format!("{of_role}/"));
    let is_session = |name: &&String| {
        let of_role = of_role
            .as_deref()
            .filter(|of_role| of_role.contains(":assumed-role/"));
        of_role.is_some_and(|of_role| name.starts_with(of_role))
    };
    let itself = if principal.is_root() {
        Truth::Yes
    } else if aws().any(|name| is_session(&name)) {
        Truth::any(aws().map(|name| principal.is_session(name)))
    } else {
        find(listed, principal).directly
    };
    let account = aws().any(|name| account_of_root(name) == Some(&principal.account));
    itself.min(Truth::from(account || principal.is_service()))
}

impl Naming {
    /// Takes a name of the kind `AWS` into account.
    fn add(&mut self, name: &str, principal: &Principal) {
        if name == "*" {
            self.directly = Truth::Yes;
        } else if let Some(account) = account_of_root(name) {
            self.by_account |= account == principal.account;
        } else {
            let itself = principal.is_session(name);
            let role = Truth::from(principal.is_role(name));
            self.directly = self.directly.max(itself).max(role);
        }
    }
}
