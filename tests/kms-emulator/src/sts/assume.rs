//! `AssumeRole`: the role's trust policy decides; the session may be narrowed by a policy of its own.

use std::collections::BTreeMap;

use key_policy::Policy;

use crate::arn::Arn;
use crate::authorize::{self, Question};
use crate::clock::Now;
use crate::emulator::Emulator;
use crate::error::ApiError;
use crate::identity::Caller;
use crate::world::audit::Note;

use super::session::SessionClaims;
use super::{unique_id, xml};

/// The greatest length of a session policy in characters.
const MAX_SESSION_POLICY: usize = 2048;
const DEFAULT_SECONDS: i64 = 3600;

/// The request's parameters, checked.
struct AssumeRole<'a> {
    role: &'a str,
    session: &'a str,
    seconds: i64,
    external_id: Option<&'a str>,
    policy: Option<&'a str>,
}

pub(super) fn run(
    emulator: &Emulator,
    caller: &Caller,
    now: Now,
    parameters: &BTreeMap<String, String>,
    note: &mut Note,
) -> Result<String, ApiError> {
    let request = AssumeRole::parse(parameters)?;
    note.role = Some(request.role.to_owned());
    authorize(emulator, caller, now, &request)?;
    let principal = session_arn(request.role, request.session)?;
    let expires = now.plus_seconds(request.seconds);
    let claims = SessionClaims {
        principal: principal.clone(),
        policy: request.policy.map(ToOwned::to_owned),
        expires_ms: expires.ms(),
    };
    let session = emulator
        .identities
        .seal()
        .issue(claims)
        .ok_or_else(|| ApiError::internal("the session could not be sealed"))?;
    let role = unique_id("AROA", request.role.rsplit('/').next().unwrap_or_default());
    let user = [
        xml::element("AssumedRoleId", &format!("{role}:{}", request.session)),
        xml::element("Arn", &principal),
    ];
    let credentials = [
        xml::element("AccessKeyId", &session.access_key_id),
        xml::element("SecretAccessKey", &session.secret_access_key),
        xml::element("SessionToken", &session.token),
        xml::element("Expiration", &expires.rfc3339()),
    ];
    Ok([
        xml::structure("AssumedRoleUser", &user.concat()),
        xml::structure("Credentials", &credentials.concat()),
    ]
    .concat())
}

impl<'a> AssumeRole<'a> {
    fn parse(parameters: &'a BTreeMap<String, String>) -> Result<Self, ApiError> {
        let text = |name: &str| parameters.get(name).map(String::as_str);
        let role = text("RoleArn").ok_or_else(|| ApiError::missing("roleArn"))?;
        let session =
            text("RoleSessionName").ok_or_else(|| ApiError::missing("roleSessionName"))?;
        let external_id = text("ExternalId");
        check_word("roleSessionName", session, 64, "=,.@-")?;
        if let Some(id) = external_id {
            check_word("externalId", id, 1224, "=,.@:/-+")?;
        }
        if parameters
            .keys()
            .any(|name| name.starts_with("PolicyArns."))
        {
            return Err(ApiError::validation(
                "PolicyArns is not known to this emulator: give the session policy as Policy",
            ));
        }
        let policy = text("Policy");
        policy.map_or(Ok(()), check_policy)?;
        Ok(Self {
            role,
            session,
            seconds: duration(text("DurationSeconds"))?,
            external_id,
            policy,
        })
    }
}

/// The trust policy is the role's resource policy; a root named in it delegates to IAM, as in key policies.
fn authorize(
    emulator: &Emulator,
    caller: &Caller,
    now: Now,
    request: &AssumeRole<'_>,
) -> Result<(), ApiError> {
    let denied = || {
        ApiError::access_denied(format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
            caller.principal.arn, request.role
        ))
    };
    let trust = emulator.roles.get(request.role).ok_or_else(denied)?;
    let owner = Arn::parse(request.role).ok_or_else(denied)?.account;
    let mut context = authorize::base_context(caller, &emulator.config.region, now);
    context.insert(
        "sts:rolesessionname".to_owned(),
        vec![request.session.to_owned()],
    );
    if let Some(id) = request.external_id {
        context.insert("sts:externalid".to_owned(), vec![id.to_owned()]);
    }
    let question = Question {
        caller,
        action: "sts:AssumeRole",
        resource: request.role,
        owner,
        context: &context,
    };
    authorize::resource(trust, &emulator.identities, &question, false).map_err(|_| denied())
}

/// `arn:aws:sts::<account>:assumed-role/<name>/<session>`: the role's path is not in it.
fn session_arn(role: &str, session: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::validation(format!("{role} is invalid"));
    let arn = Arn::parse(role).ok_or_else(invalid)?;
    let path = arn.resource.strip_prefix("role/").ok_or_else(invalid)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    Ok(format!(
        "arn:{}:sts::{}:assumed-role/{name}/{session}",
        arn.partition, arn.account
    ))
}

/// Letters, digits, `_` and some more.
fn check_word(member: &str, word: &str, max: usize, more: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '+' || more.contains(c);
    if !word.chars().all(allowed) {
        return Err(ApiError::constraint(
            &format!("'{word}'"),
            member,
            &format!(r"satisfy regular expression pattern: [\w+{more}]*"),
        ));
    }
    if !(2..=max).contains(&word.len()) {
        return Err(ApiError::constraint(
            &format!("'{word}'"),
            member,
            &format!("have length between 2 and {max}"),
        ));
    }
    Ok(())
}

fn check_policy(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > MAX_SESSION_POLICY {
        return Err(ApiError::constraint(
            "(text)",
            "policy",
            "have length less than or equal to 2048",
        ));
    }
    Policy::parse(text).map_err(|error| {
        ApiError::client(
            "MalformedPolicyDocument",
            format!("The session policy: {error}"),
        )
    })?;
    Ok(())
}

fn duration(text: Option<&str>) -> Result<i64, ApiError> {
    let Some(text) = text else {
        return Ok(DEFAULT_SECONDS);
    };
    let seconds = text.parse().ok().filter(|s| (900..=43_200).contains(s));
    seconds.ok_or_else(|| {
        ApiError::constraint(
            &format!("'{text}'"),
            "durationSeconds",
            "have value between 900 and 43200",
        )
    })
}
