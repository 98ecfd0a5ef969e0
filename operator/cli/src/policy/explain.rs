//! `policy explain`.

use std::fmt::Write;

use key_policy::evaluate::{self, Decision, Dependence, Identity, Reach, Request};
use key_policy::{NOT_SHOWN, Policy};
use serde_json::{Map, Value, json};

use super::not_shown_line;
use super::question::Asked;
use crate::arguments::{Output, Question};
use crate::input;
use crate::output::{self, Answer, Colour, Exit, Failure, paint, printable};

/// What counts, too, and was not given.
const OF_IAM: &str = "denials in IAM policies (--identity)";
/// Answers: exit status 0 allowed, 1 denied, 3 depends.
pub fn run(file: &str, question: &Question, output: Output) -> Result<Answer, Failure> {
    let policy = input::policy(file)?;
    let identity: Vec<_> = question
        .identity
        .iter()
        .map(|name| input::policy(name))
        .collect::<Result<_, _>>()?;
    for (name, policy) in question.identity.iter().zip(&identity) {
        of_iam(policy).map_err(|why| Failure::read(name, &why))?;
    }
    let asked = Asked::of(question)?;
    let decision = decide(&policy, &identity, &asked);
    let notes = notes(&policy, question, &asked, &decision);
    let mut value = value(&decision);
    value["principal"] = json!(asked.principal.arn);
    value["action"] = json!(asked.action);
    value["key"] = json!(question.key);
    value["attested"] = json!(question.measurement.is_some() && asked.attests());
    value["notes"] = json!(notes);
    let iam = (known_identity(&identity, &asked).is_none()).then_some(OF_IAM);
    let not_shown: Vec<_> = NOT_SHOWN.into_iter().chain(iam).collect();
    value["notShown"] = json!(not_shown);
    Ok(Answer {
        text: output::form(&value, output, || human(&decision, &notes, &not_shown))?,
        exit: exit(&decision),
    })
}

fn exit(decision: &Decision) -> Exit {
    match decision {
        Decision::Allowed { .. } => Exit::Clean,
        Decision::ExplicitDeny { .. } | Decision::ImplicitDeny => Exit::Found,
        Decision::Depends { .. } => Exit::Depends,
    }
}

/// Whether a policy can be one of IAM's.
fn of_iam(policy: &Policy) -> Result<(), String> {
    let statements = policy.statements().iter().enumerate();
    for (index, one) in statements {
        let name = one.sid.clone().unwrap_or_else(|| format!("#{index}"));
        if one.principals.is_some() {
            return Err(format!(
                "statement {name} has a Principal: a policy of IAM is about the one who has it. Is it a key's?"
            ));
        }
        if one.actions.is_none() || one.resources.is_none() {
            return Err(format!(
                "statement {name} has no Action or no Resource, and IAM takes no such statement"
            ));
        }
    }
    key_policy::malformed(policy).map_or(Ok(()), Err)
}

/// IAM policies of the principal: without --identity nothing is known of them; a service and the root user have none.
fn known_identity<'a>(identity: &'a [Policy], asked: &Asked) -> Option<&'a [Policy]> {
    let has_none = asked.principal.is_service() || asked.principal.is_root();
    (has_none || !identity.is_empty()).then_some(identity)
}

fn decide(policy: &Policy, identity: &[Policy], asked: &Asked) -> Decision {
    let known = known_identity(identity, asked).map_or(Identity::Unknown, Identity::Policies);
    let request = Request {
        principal: &asked.principal,
        action: &asked.action,
        resource: &asked.key,
        context: &asked.context,
    };
    if asked.reach != Reach::NoKey {
        let of_key = evaluate::key_policy(policy, &asked.account, known, &request);
        let alone = !of_key.is_denied() && asked.needs_iam();
        return if alone {
            by_iam(&request, known)
        } else {
            of_key
        };
    }
    by_iam(&request, known)
}

/// What IAM alone says, of an action that has no key or needs both.
fn by_iam(request: &Request<'_>, known: Identity<'_>) -> Decision {
    let request = Request {
        resource: "*",
        ..*request
    };
    let account = &request.principal.account;
    // A policy that leaves all to the account: then IAM alone decides.
    let leaves_all = format!(
        r#"{{"Statement": {{"Effect": "Allow", "Principal": {{"AWS": "{account}"}}, "Action": "*", "Resource": "*"}}}}"#
    );
    let Ok(leaves_all) = Policy::parse(&leaves_all) else {
        return Decision::ImplicitDeny;
    };
    let by = "IAM policies".to_owned();
    match evaluate::key_policy(&leaves_all, account, known, &request) {
        Decision::Allowed { .. } => Decision::Allowed { by },
        Decision::Depends { on, .. } => Decision::Depends { by, on },
        denied => denied,
    }
}

fn notes(policy: &Policy, question: &Question, asked: &Asked, decision: &Decision) -> Vec<String> {
    let mut notes = Vec::new();
    let action = &asked.action;
    if let Some(why) = key_policy::malformed(policy) {
        notes.push(format!("KMS refuses this document: {why}"));
    }
    if asked.needs_iam() {
        notes.push(format!("{action} needs an IAM policy for the alias, too"));
    }
    if asked.reach == Reach::NoKey {
        notes.push(format!(
            "{action} is not governed by a key policy: IAM policies alone decide"
        ));
    }
    if question.measurement.is_some() && !asked.attests() {
        notes.push(format!(
            "{action} carries no attestation, so --measurement changes nothing: its keys are absent, a comparison with them fails, a negated one and Null hold"
        ));
    }
    let abroad = asked.principal.account != asked.account && !asked.principal.is_service();
    if abroad && asked.reach == Reach::OwnAccount {
        notes.push(format!(
            "KMS offers {action} to the key's own account only, whatever the policy says"
        ));
    }
    if asked.principal.arn.contains(":assumed-role/")
        && asked.principal.role.is_none()
        && compares(policy, "aws:PrincipalArn")
    {
        notes.push(
            "aws:PrincipalArn is taken to be that of a role without a path: ask with the role's ARN where it has one".to_owned(),
        );
    }
    let by = match decision {
        Decision::Allowed { by } | Decision::ExplicitDeny { by } | Decision::Depends { by, .. } => {
            by.as_str()
        }
        Decision::ImplicitDeny => "",
    };
    let unnamed = policy
        .statements()
        .iter()
        .any(|statement| statement.sid.is_none());
    if by.starts_with('#') && unnamed {
        notes.push("statements without a Sid are counted from #0".to_owned());
    }
    if question.key.is_none() && names_keys(policy) {
        notes.push("statements name keys: --key says which this is".to_owned());
    }
    notes
}

fn compares(policy: &Policy, key: &str) -> bool {
    let mut conditions = policy.statements().iter().flat_map(|one| &one.conditions);
    conditions.any(|condition| condition.key.eq_ignore_ascii_case(key))
}

fn names_keys(policy: &Policy) -> bool {
    let mut resources = policy.statements().iter().flat_map(|one| &one.resources);
    resources.any(|resources| resources.listed.iter().any(|one| one != "*"))
}

/// A decision: `{answer, statement, dependsOn}`; `dependsOn` has, for each key, the value with which it is allowed and
/// with which it is denied; null is an absent key. Where neither was found, `unturned` says why.
pub fn value(decision: &Decision) -> Value {
    let (answer, by, on) = match decision {
        Decision::Allowed { by } => ("allowed", Some(by), &[][..]),
        Decision::ExplicitDeny { by } => ("denied", Some(by), &[][..]),
        Decision::ImplicitDeny => ("denied", None, &[][..]),
        Decision::Depends { by, on } => ("depends", Some(by), on.as_slice()),
    };
    let on: Map<_, _> = on.iter().map(|one| (one.key.clone(), turns(one))).collect();
    json!({ "answer": answer, "statement": by, "dependsOn": on })
}

fn turns(dependence: &Dependence) -> Value {
    let with = |values: &[String]| match values {
        [] => Value::Null,
        [one] => json!(one),
        many => json!(many),
    };
    let mut turns = Map::new();
    for (name, values) in [
        ("allowed", &dependence.allowed),
        ("denied", &dependence.denied),
    ] {
        turns.extend(
            values
                .as_ref()
                .map(|values| (name.to_owned(), with(values))),
        );
    }
    let why = dependence.unturned.map(|why| json!(why.to_string()));
    turns.extend(why.map(|why| ("unturned".to_owned(), why)));
    turns.into()
}

fn human(decision: &Decision, notes: &[String], not_shown: &[&str]) -> String {
    let mut text = match decision {
        Decision::Allowed { by } => {
            format!(
                "{} by statement {}\n",
                paint(Colour::Green, "allowed"),
                printable(by)
            )
        }
        Decision::ExplicitDeny { by } => {
            format!(
                "{} by statement {}\n",
                paint(Colour::Red, "denied"),
                printable(by)
            )
        }
        Decision::ImplicitDeny => {
            format!("{}: no statement allows it\n", paint(Colour::Red, "denied"))
        }
        Decision::Depends { by, on } => depends(by, on),
    };
    for note in notes {
        let _ = writeln!(text, "{} {}", paint(Colour::Dim, "note:"), printable(note));
    }
    text.push_str(&not_shown_line(not_shown));
    text
}

fn depends(by: &str, on: &[Dependence]) -> String {
    let keys: Vec<_> = on.iter().map(|one| one.key.as_str()).collect();
    let mut text = format!(
        "{} on {} (statement {})\n",
        paint(Colour::Yellow, "depends"),
        printable(&keys.join(", ")),
        printable(by)
    );
    let with = |values: &[String]| match values {
        [] => "without it".to_owned(),
        values => format!("with {}", printable(&values.join(", "))),
    };
    for one in on {
        let allowed = one
            .allowed
            .as_ref()
            .map(|values| format!("allowed {}", with(values)));
        let denied = one
            .denied
            .as_ref()
            .map(|values| format!("denied {}", with(values)));
        let why = one.unturned.map(|why| why.to_string());
        let turns: Vec<_> = allowed.into_iter().chain(denied).chain(why).collect();
        if !turns.is_empty() {
            let _ = writeln!(text, "  {}: {}", printable(&one.key), turns.join(", "));
        }
    }
    text
}

impl Asked {
    /// An alias is a resource of its own, which IAM policies alone are about (KMS developer guide, "Controlling access to aliases").
    fn needs_iam(&self) -> bool {
        self.action.ends_with("Alias")
    }

    fn attests(&self) -> bool {
        evaluate::attests(&self.action)
    }
}
