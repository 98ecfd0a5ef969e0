//! Who a caller is: credentials by access key, and sessions that carry themselves in their token.

use std::collections::{BTreeMap, HashMap};

use key_policy::Policy;
use key_policy::evaluate::Principal;
use zeroize::Zeroizing;

use crate::arn::{self, Arn};
use crate::clock::Now;
use crate::config::{Config, ConfigError, CredentialConfig};
use crate::sts::session::{SessionClaims, SessionSeal};

const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Somebody whose request was signed rightly.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The caller's ARN (for a session the assumed-role ARN) and account, as the evaluator takes them.
    pub principal: Principal,
    /// `aws:PrincipalArn`: the role behind a session, else the caller's own ARN.
    pub principal_arn: String,
    /// What narrows a session besides its role's permissions.
    pub session_policy: Option<Policy>,
}

/// A credential that was found.
pub(crate) struct Found {
    pub secret: Zeroizing<String>,
    pub caller: Caller,
}

/// Why no credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentityError {
    Unknown,
    Expired,
}

/// Everybody who can call, and their IAM policies.
pub(crate) struct Identities {
    credentials: HashMap<String, CredentialConfig>,
    policies: BTreeMap<String, Vec<Policy>>,
    /// What account roots hold: IAM keeps nothing from them.
    root: Vec<Policy>,
    seal: SessionSeal,
}

impl Identities {
    /// Reads the configuration's credentials and IAM policies.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut credentials = HashMap::new();
        for (index, credential) in config.credentials.iter().enumerate() {
            if Arn::parse(&credential.principal).is_none() {
                return Err(ConfigError::value(
                    format!("credentials[{index}].principal"),
                    format!("{:?} is not an ARN", credential.principal),
                ));
            }
            credentials.insert(credential.access_key_id.clone(), credential.clone());
        }
        let mut policies: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
        for (index, entry) in config.identity_policies.iter().enumerate() {
            let policy = Policy::parse(&entry.document.to_string()).map_err(|error| {
                ConfigError::value(
                    format!("identityPolicies[{index}].document"),
                    error.to_string(),
                )
            })?;
            policies
                .entry(entry.principal.clone())
                .or_default()
                .push(policy);
        }
        Ok(Self {
            credentials,
            policies,
            root: vec![Policy::parse(EVERYTHING).map_err(|error| {
                ConfigError::value("the policy of account roots", error.to_string())
            })?],
            seal: SessionSeal::new(&config.credentials)?,
        })
    }

    /// The seal that new sessions are made with.
    pub fn seal(&self) -> &SessionSeal {
        &self.seal
    }

    /// The credential with this access key and token.
    pub fn find(
        &self,
        access_key: &str,
        token: Option<&str>,
        now: Now,
    ) -> Result<Found, IdentityError> {
        if let Some(credential) = self.credentials.get(access_key) {
            if credential.session_token.as_deref() != token {
                return Err(IdentityError::Unknown);
            }
            return Ok(Found {
                secret: Zeroizing::new(credential.secret_access_key.clone()),
                caller: caller(&credential.principal, None),
            });
        }
        let token = token.ok_or(IdentityError::Unknown)?;
        let session = self.seal.open(token).ok_or(IdentityError::Unknown)?;
        if session.access_key_id != access_key {
            return Err(IdentityError::Unknown);
        }
        let SessionClaims {
            principal,
            policy,
            expires_ms,
        } = session.claims;
        if expires_ms <= now.ms() {
            return Err(IdentityError::Expired);
        }
        let session_policy = policy
            .map(|text| Policy::parse(&text))
            .transpose()
            .map_err(|_| IdentityError::Unknown)?;
        Ok(Found {
            secret: session.secret_access_key,
            caller: caller(&principal, session_policy),
        })
    }

    /// The IAM policies of a caller: those of its role or user.
    pub fn policies_of(&self, caller: &Caller) -> &[Policy] {
        if Arn::parse(&caller.principal_arn).is_some_and(|arn| arn.resource == "root") {
            return &self.root;
        }
        self.policies
            .get(&caller.principal_arn)
            .map_or(&[], Vec::as_slice)
    }
}

fn caller(arn: &str, session_policy: Option<Policy>) -> Caller {
    let account = Arn::parse(arn).map_or("", |arn| arn.account).to_owned();
    Caller {
        principal_arn: arn::principal_arn(arn),
        principal: Principal::new(arn, &account),
        session_policy,
    }
}
