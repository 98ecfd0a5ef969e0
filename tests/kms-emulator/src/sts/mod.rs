//! STS: `AssumeRole` and `GetCallerIdentity` over the query protocol, answered in XML.

mod assume;
pub(crate) mod session;
pub(crate) mod xml;

use std::collections::BTreeMap;

use aws_lc_rs::digest;

use crate::arn::Arn;
use crate::clock::Now;
use crate::emulator::Emulator;
use crate::error::ApiError;
use crate::identity::Caller;
use crate::world::audit::Note;

/// The parameters of a request, as a form gives them; the first of equal names counts.
pub(crate) fn parameters(body: &[u8], query: Option<&str>) -> BTreeMap<String, String> {
    let query = query.unwrap_or_default().as_bytes();
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body).chain(form_urlencoded::parse(query)) {
        parameters
            .entry(name.into_owned())
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// Runs an action; the answer is the content of its `...Result` element.
pub(crate) fn run(
    emulator: &Emulator,
    caller: &Caller,
    now: Now,
    parameters: &BTreeMap<String, String>,
    note: &mut Note,
) -> Result<String, ApiError> {
    match parameters.get("Action").map(String::as_str) {
        Some("AssumeRole") => assume::run(emulator, caller, now, parameters, note),
        Some("GetCallerIdentity") => Ok(caller_identity(caller)),
        Some(other) => Err(ApiError::client(
            "InvalidAction",
            format!("Could not find operation {other} for version 2011-06-15"),
        )),
        None => Err(ApiError::client(
            "MissingAction",
            "The request has no Action.",
        )),
    }
}

/// Needs no permission, and no policy can forbid it.
fn caller_identity(caller: &Caller) -> String {
    [
        xml::element("Arn", &caller.principal.arn),
        xml::element("UserId", &user_id(&caller.principal.arn)),
        xml::element("Account", &caller.principal.account),
    ]
    .concat()
}

/// A unique id like IAM's: `AIDA...` for users, `AROA...:<session>` for sessions, the account for its root.
fn user_id(arn: &str) -> String {
    let resource = Arn::parse(arn).map_or("", |arn| arn.resource);
    let account = Arn::parse(arn).map_or("", |arn| arn.account);
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["root"] => account.to_owned(),
        ["assumed-role", role, session] => format!("{}:{session}", unique_id("AROA", role)),
        _ => unique_id("AIDA", resource),
    }
}

fn unique_id(prefix: &str, name: &str) -> String {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    format!("{prefix}{}", hex::encode_upper(&hash.as_ref()[..8]))
}
