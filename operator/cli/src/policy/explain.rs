//! `policy explain`.

use std::collections::BTreeMap;

use key_policy::Arn;
use key_policy::evaluate::{self, Decision, Principal, Request};
use serde_json::json;

use crate::arguments::Output;
use crate::input;
use crate::output::{self, Answer, Colour, Failure, paint};

/// The resource of a request: key policies say `*`, and IAM policies name keys in ways that are not known here.
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/this";

/// What is asked.
pub struct Question<'a> {
    pub principal: &'a str,
    pub action: &'a str,
    pub measurement: Option<&'a str>,
    pub account: Option<&'a str>,
    pub identity: &'a [String],
}

/// Answers; a denial is exit status 1.
pub fn run(file: &str, question: &Question<'_>, output: Output) -> Result<Answer, Failure> {
    let policy = input::policy(file)?;
    let identity: Vec<_> = question
        .identity
        .iter()
        .map(|name| input::policy(name))
        .collect::<Result<_, _>>()?;
    let principal = principal(question.principal)?;
    let context = match question.measurement {
        Some(text) => evaluate::attested(&input::measurement(text)?),
        None => BTreeMap::new(),
    };
    let request = Request {
        principal: &principal,
        action: question.action,
        resource: KEY,
        context: &context,
    };
    let account = question.account.unwrap_or(&principal.account);
    let decision = evaluate::key_policy(&policy, account, &identity, &request);
    let (word, colour, by) = match &decision {
        Decision::Allowed { by } => ("allowed", Colour::Green, Some(by)),
        Decision::ExplicitDeny { by } => ("denied", Colour::Red, Some(by)),
        Decision::ImplicitDeny => ("denied", Colour::Red, None),
    };
    let value = json!({
        "principal": principal.arn, "action": question.action, "attested": question.measurement.is_some(),
        "decision": word, "statement": by,
    });
    let human = || match by {
        Some(by) => format!("{} by statement {by}", paint(colour, word)),
        None => format!("{}: no statement allows it", paint(colour, word)),
    };
    Ok(Answer {
        text: output::form(&value, output, human)?,
        clean: matches!(decision, Decision::Allowed { .. }),
    })
}

/// A role's ARN stands for a session of it.
fn principal(arn: &str) -> Result<Principal, Failure> {
    let is_principal = |parts: &Arn<'_>| {
        ["iam", "sts"].contains(&parts.service) && parts.region.is_empty() && parts.has_account()
    };
    let parts = Arn::parse(arn).filter(is_principal).ok_or_else(|| {
        Failure::Usage(format!(
            "--principal {arn}: expected an ARN such as arn:aws:iam::111122223333:role/Name"
        ))
    })?;
    if parts.resource.starts_with("role/") {
        return Ok(Principal::session(arn, parts.account, "session"));
    }
    Ok(Principal {
        arn: arn.to_owned(),
        account: parts.account.to_owned(),
    })
}
