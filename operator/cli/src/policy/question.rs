//! What `policy explain` is asked: each part is checked, and what makes no sense is refused.

use chamber_resource::arn::Arn as KeyArn;
use key_policy::evaluate::{Context, Fact, Principal, Reach, operation, operations};
use key_policy::{Arn, SERVICE_SUFFIXES, not_a_principal, not_a_service};
use measurement::Pcr;

use crate::arguments::Question;
use crate::input;
use crate::output::Failure;

/// A question that makes sense.
pub struct Asked {
    pub principal: Principal,
    /// As the reference writes it.
    pub action: String,
    pub reach: Reach,
    /// Account of the key.
    pub account: String,
    /// ARN of the key, with stars for what is not known.
    pub key: String,
    pub context: Context,
}

impl Asked {
    /// Checks a question.
    pub fn of(question: &Question) -> Result<Self, Failure> {
        let principal = principal(&question.principal)?;
        let (action, reach) = action(&question.action)?;
        let (account, key) = key(question, &principal)?;
        let context = Context::of(&principal, &key);
        let context = with_attestation(context, question.measurement.as_deref())?;
        let context = with_keys(context, &question.context)?;
        Ok(Self {
            principal,
            action,
            reach,
            account,
            key,
            context,
        })
    }
}

/// A role's ARN stands for a session of it, whatever its name.
fn principal(name: &str) -> Result<Principal, Failure> {
    let wrong = |why: &str| {
        Failure::Usage(format!(
            "--principal {name}: {why}. Expected an ARN such as arn:aws:iam::111122223333:role/Name, or a service such as ec2.amazonaws.com"
        ))
    };
    if name.contains(['*', '?']) {
        return Err(wrong("a wildcard asks for nobody in particular"));
    }
    let is_service = SERVICE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if is_service && !name.contains([':', '/']) {
        return not_a_service(name)
            .map_or_else(|| Ok(Principal::service(name)), |why| Err(wrong(why)));
    }
    let parts = Arn::parse(name).ok_or_else(|| wrong("is no ARN"))?;
    if !parts.has_account() {
        return Err(wrong("an account has twelve digits"));
    }
    if !parts.region.is_empty() || !key_policy::PARTITIONS.contains(&parts.partition) {
        return Err(wrong("is no ARN of IAM or STS"));
    }
    let (kind, rest) = parts
        .resource
        .split_once('/')
        .unwrap_or((parts.resource, ""));
    let principal = match (parts.service, kind, rest.is_empty()) {
        ("iam", "role", false) => Ok(Principal::session(
            name,
            parts.account,
            Principal::ANY_SESSION,
        )),
        ("iam", "root", true) | ("iam", "user", false) | ("sts", "federated-user", false) => {
            Ok(Principal::new(name, parts.account))
        }
        ("sts", "assumed-role", false) if rest.contains('/') => {
            Ok(Principal::new(name, parts.account))
        }
        ("iam", "group", _) => Err(wrong("a group is no principal")),
        _ => Err(wrong("is no role, user, session or root")),
    }?;
    not_a_principal(name).map_or(Ok(principal), |why| Err(wrong(why)))
}

fn action(text: &str) -> Result<(String, Reach), Failure> {
    if let Some(known) = operation(text) {
        return Ok(known);
    }
    let wrong = |why: &str| Failure::Usage(format!("--action {text}: {why}"));
    let Some((service, name)) = text.split_once(':') else {
        return Err(wrong(&format!("has no service. Expected kms:{text}")));
    };
    if text.contains(['*', '?']) {
        return Err(wrong(
            "a wildcard is many actions. Ask for one, for example kms:Decrypt",
        ));
    }
    if !service.eq_ignore_ascii_case("kms") {
        return Err(wrong("a key policy is about actions of kms"));
    }
    let name = name.to_ascii_lowercase();
    let near =
        operations().filter(|one| !name.is_empty() && one.to_ascii_lowercase().starts_with(&name));
    let near: Vec<_> = near.map(|one| format!("kms:{one}")).collect();
    Err(wrong(&match near.as_slice() {
        [] => "KMS has no such action".to_owned(),
        near => format!("KMS has no such action, but {}", near.join(" and ")),
    }))
}

/// Account and ARN of the key.
fn key(question: &Question, principal: &Principal) -> Result<(String, String), Failure> {
    if let Some(text) = &question.key {
        let known = KeyArn::parse(text).filter(|_| !text.contains(['*', '?']));
        let arn = known.ok_or_else(|| {
            Failure::Usage(format!(
                "--key {text}: expected arn:aws:kms:<region>:<account>:key/<id>"
            ))
        })?;
        let asks = Arn::parse(&principal.arn).map(|asks| asks.partition);
        if let Some(asks) = asks.filter(|asks| *asks != arn.partition) {
            return Err(Failure::Usage(format!(
                "--key {text}: is of the partition {}, and --principal is of {asks}: nobody reaches a key of another partition",
                arn.partition
            )));
        }
        return match &question.account {
            Some(account) if account != arn.account => Err(Failure::Usage(format!(
                "--account {account}: the key is of account {}",
                arn.account
            ))),
            _ => Ok((arn.account.to_owned(), text.to_owned())),
        };
    }
    let own = Some(&principal.account).filter(|account| !account.is_empty());
    let account = question.account.as_ref().or(own).ok_or_else(|| {
        Failure::Usage("--account is missing: a service has none, so say the key's".to_owned())
    })?;
    let partition = Arn::parse(&principal.arn).map_or("aws", |arn| arn.partition);
    Ok((
        account.clone(),
        format!("arn:{partition}:kms:*:{account}:key/*"),
    ))
}

/// `PCR0` and whatever else; registers without it, or of a `NitroTPM`, are taken one by one.
fn with_attestation(context: Context, text: Option<&str>) -> Result<Context, Failure> {
    let Some(text) = text else {
        return Ok(context);
    };
    let names = || {
        text.split(',')
            .map(|part| part.split('=').next().unwrap_or_default())
    };
    let has_image = !text.contains('=') || names().any(|name| name.eq_ignore_ascii_case("PCR0"));
    let of_enclave = names().all(|name| !name.to_ascii_lowercase().starts_with("nitrotpm"));
    if has_image && of_enclave {
        return Ok(context.attesting(&input::measurement(text)?));
    }
    let wrong = |what: &str| Failure::Usage(format!("--measurement {text}: {what}"));
    let mut registers = Vec::new();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| wrong(&format!("{part} is not PCR<n>=<96 hex characters>")))?;
        let value = value.to_ascii_lowercase();
        Pcr::parse(&value).map_err(|why| wrong(&format!("{value} {why}")))?;
        if registers
            .iter()
            .any(|(known, _): &(String, String)| known.eq_ignore_ascii_case(name))
        {
            return Err(wrong(&format!("{name} is there twice")));
        }
        registers.push((name.to_owned(), value));
    }
    let attested = context.attesting_registers(&registers);
    attested.map_err(|name| wrong(&format!("{name} is no register of what attests the others: PCR0 to PCR31 of an enclave, NitroTPMPCR0 to 23 of an instance")))
}

/// Condition keys that were given; what follows from the question must not be contradicted.
fn with_keys(mut context: Context, given: &[String]) -> Result<Context, Failure> {
    let mut keys: Vec<(&str, Vec<&str>)> = Vec::new();
    for text in given {
        let wrong = |why: &str| Failure::Usage(format!("--context {text}: {why}"));
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| wrong("expected KEY=VALUE, or KEY= for an absent key"))?;
        if !key.contains(':') || key.contains(char::is_whitespace) {
            return Err(wrong(
                "is no condition key. Expected one such as aws:SourceVpce",
            ));
        }
        if key
            .to_ascii_lowercase()
            .starts_with("kms:recipientattestation")
        {
            return Err(wrong("what is attested is said by --measurement"));
        }
        match keys
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
        {
            Some((_, values)) => values.push(value),
            None => keys.push((key, vec![value])),
        }
    }
    for (key, values) in keys {
        let absent = values.iter().all(|value| value.is_empty());
        if !absent && values.iter().any(|value| value.is_empty()) {
            return Err(Failure::Usage(format!(
                "--context {key}=: it is absent, and has a value: say one of both"
            )));
        }
        let values = if absent { Vec::new() } else { values };
        if let Fact::Values(follows) = context.fact(key)
            && follows.iter().ne(&values)
        {
            let follows = if follows.is_empty() {
                "is absent".to_owned()
            } else {
                format!("is {}", follows.join(", "))
            };
            return Err(Failure::Usage(format!(
                "--context {key}={}: it follows from the question that {key} {follows}",
                values.join(",")
            )));
        }
        context.set(key, values);
    }
    Ok(context)
}
