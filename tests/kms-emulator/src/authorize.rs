//! May this caller do this? The rules are the `key-policy` crate's; here is what they are asked, and how
//! a refusal is worded.

use std::collections::BTreeMap;

use key_policy::Policy;
use key_policy::evaluate::{self, Decision, Identity, Request};

use crate::clock::Now;
use crate::error::ApiError;
use crate::identity::{Caller, Identities};

/// Condition keys in lower case with their values.
pub(crate) type Context = BTreeMap<String, Vec<String>>;

/// One question.
pub(crate) struct Question<'a> {
    pub caller: &'a Caller,
    /// Such as `kms:Decrypt`.
    pub action: &'a str,
    /// ARN of the key or role.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub owner: &'a str,
    pub context: &'a Context,
}

/// The context that every request has.
pub(crate) fn base_context(caller: &Caller, region: &str, now: Now) -> Context {
    let kind = match caller.principal.arn.split(':').nth(5).unwrap_or_default() {
        "root" => "Account",
        resource if resource.starts_with("assumed-role/") => "AssumedRole",
        _ => "User",
    };
    let pairs = [
        ("aws:principalarn", caller.principal_arn.clone()),
        ("aws:principalaccount", caller.principal.account.clone()),
        ("aws:principaltype", kind.to_owned()),
        ("aws:requestedregion", region.to_owned()),
        ("aws:currenttime", now.rfc3339()),
        ("aws:epochtime", now.seconds().to_string()),
        ("aws:principalisawsservice", "false".to_owned()),
        ("aws:viaawsservice", "false".to_owned()),
        ("aws:securetransport", "true".to_owned()),
    ];
    let entry = |(key, value): (&str, String)| (key.to_owned(), vec![value]);
    pairs.into_iter().map(entry).collect()
}

/// Asks the resource's policy, the caller's IAM policies and the session policy. A grant counts where nothing denies.
pub(crate) fn resource(
    policy: &Policy,
    identities: &Identities,
    question: &Question<'_>,
    granted: bool,
) -> Result<(), ApiError> {
    let context = question.known();
    let request = question.request(&context);
    let identity = identities.policies_of(question.caller);
    let all = Identity::Policies(identity);
    match evaluate::key_policy(policy, question.owner, all, &request) {
        Decision::Allowed { .. } => question.check_session(),
        Decision::ImplicitDeny if granted => question.check_session(),
        Decision::ExplicitDeny { .. } => {
            let by_identity = matches!(
                evaluate::identity_policy(identity, &request),
                Decision::ExplicitDeny { .. }
            );
            let kind = if by_identity {
                "an identity-based"
            } else {
                "a resource-based"
            };
            Err(question.refusal(&format!("with an explicit deny in {kind} policy")))
        }
        // Of a request that is here all is known.
        Decision::ImplicitDeny | Decision::Depends { .. } => Err(question.refusal(&format!(
            "because no resource-based policy allows the {} action",
            question.action
        ))),
    }
}

/// Asks the caller's IAM policies alone, for actions that have no resource yet.
pub(crate) fn identity(identities: &Identities, question: &Question<'_>) -> Result<(), ApiError> {
    let identity = identities.policies_of(question.caller);
    let context = question.known();
    match evaluate::identity_policy(identity, &question.request(&context)) {
        Decision::Allowed { .. } => question.check_session(),
        Decision::ExplicitDeny { .. } => {
            Err(question.refusal("with an explicit deny in an identity-based policy"))
        }
        Decision::ImplicitDeny | Decision::Depends { .. } => Err(question.refusal(&format!(
            "because no identity-based policy allows the {} action",
            question.action
        ))),
    }
}

impl Question<'_> {
    /// All that is known of the request: a key that is not there is absent.
    pub(crate) fn known(&self) -> evaluate::Context {
        evaluate::Context::complete(self.context.clone())
    }

    fn request<'b>(&'b self, context: &'b evaluate::Context) -> Request<'b> {
        Request {
            principal: &self.caller.principal,
            action: self.action,
            resource: self.resource,
            context,
        }
    }

    /// A session policy gives nothing; it only leaves less over.
    fn check_session(&self) -> Result<(), ApiError> {
        let Some(policy) = &self.caller.session_policy else {
            return Ok(());
        };
        let context = self.known();
        let policies = std::slice::from_ref(policy);
        match evaluate::identity_policy(policies, &self.request(&context)) {
            Decision::Allowed { .. } => Ok(()),
            Decision::ExplicitDeny { .. } => {
                Err(self.refusal("with an explicit deny in a session policy"))
            }
            Decision::ImplicitDeny | Decision::Depends { .. } => Err(self.refusal(&format!(
                "because no session policy allows the {} action",
                self.action
            ))),
        }
    }

    fn refusal(&self, why: &str) -> ApiError {
        // Across accounts AWS does not tell which of its reasons it was.
        let why = if self.caller.principal.account == self.owner {
            why
        } else {
            "because the resource does not exist in this Region, no resource-based policies allow access, \
             or a resource-based policy explicitly denies access"
        };
        ApiError::access_denied(format!(
            "User: {} is not authorized to perform: {} on resource: {} {why}",
            self.caller.principal.arn, self.action, self.resource
        ))
    }
}
