//! What keeps the enclave role from Decrypt and Encrypt.

use super::lens::Lens;
use super::{Finding, RuleId, Severity};
use crate::evaluate::{self, Context, SESSION_NAME, Truth, is_attestation};
use crate::images::named_images;
use crate::project::DECRYPT;
use crate::statement::{Condition, Effect, Statement};

const OF_A_REQUEST: &str = "Say in spec.keys.policy.assume what holds for the chambers (of a register, in spec.release.measurement), or the operator does not roll";
const OF_A_SESSION: &str = "Take the session out of the statement, or name its role there: a chamber's session may have any name, so the operator does not roll";

/// A Deny statement, and whether it holds for what the enclave role does.
struct Denies<'a> {
    index: usize,
    statement: &'a Statement,
    decrypt: Truth,
    encrypt: Truth,
}

impl Denies<'_> {
    fn name(&self) -> String {
        self.statement.name(self.index)
    }
}

/// Deny statements that keep the enclave role from Decrypt although its image is admitted, or from Encrypt, also where
/// several do it together; and those of which nobody can say it here.
pub fn denied(lens: &Lens<'_>) -> Vec<Finding> {
    // Where no image is admitted, a comparison with what enclaves attest keeps nobody out.
    let compares = |condition: &Condition| is_attestation(&condition.key);
    let none = named_images(lens.policy).next().is_none();
    let statements = lens.statements(Effect::Deny);
    let statements = statements
        .filter(move |(_, statement)| !(none && statement.conditions.iter().any(compares)));
    let denies: Vec<_> = statements
        .map(|(index, statement)| Denies {
            index,
            statement,
            decrypt: decrypt(lens, statement),
            encrypt: encrypt(lens, statement),
        })
        .collect();
    let (decrypt, encrypt) = together(lens, &denies);
    let mut findings = Vec::new();
    for one in &denies {
        let (no_decrypt, no_encrypt) = (decrypt.contains(&one.index), encrypt.contains(&one.index));
        let finding = match (one.decrypt, one.encrypt) {
            (Truth::Yes, _) => Some(locked_out(&one.name(), none)),
            (_, Truth::Yes) => Some(no_wrapping(&one.name())),
            _ if no_decrypt || no_encrypt => None,
            (Truth::Unknown, _) => depends(lens, one),
            (_, Truth::Unknown) => depends_wrapping(lens, one),
            _ => None,
        };
        findings.extend(finding.map(|finding| finding.at(one.index)));
    }
    let names = |indices: &[usize]| {
        let listed = denies.iter().filter(|one| indices.contains(&one.index));
        listed.map(Denies::name).collect::<Vec<_>>().join(" and ")
    };
    let lock = decrypt
        .first()
        .map(|index| locked_out(&names(&decrypt), none).at(*index));
    let wrap = encrypt
        .first()
        .map(|index| no_wrapping(&names(&encrypt)).at(*index));
    findings.extend(lock.into_iter().chain(wrap));
    findings
}

/// The statements that only together keep the role from Decrypt, and from Encrypt, where one alone does not.
fn together(lens: &Lens<'_>, denies: &[Denies<'_>]) -> (Vec<usize>, Vec<usize>) {
    let of = |which: fn(&Denies<'_>) -> Truth, needed: &dyn Fn(&[&Statement]) -> Vec<usize>| {
        let open: Vec<_> = denies
            .iter()
            .filter(|one| which(one) == Truth::Unknown)
            .collect();
        let alone = denies.iter().any(|one| which(one) == Truth::Yes);
        if alone {
            return Vec::new();
        }
        let statements: Vec<_> = open.iter().map(|one| one.statement).collect();
        let needed = needed(&statements).into_iter();
        needed.filter_map(|at| Some(open.get(at)?.index)).collect()
    };
    let decrypt = |statements: &[&Statement]| {
        let stops = |image| lens.together_deny_enclave(statements, "kms:Decrypt", image);
        if statements.iter().any(|one| compares_attestation(one)) {
            let mut each = lens.admitted().iter().map(stops);
            each.find(|needed| !needed.is_empty()).unwrap_or_default()
        } else {
            stops(lens.attested())
        }
    };
    let encrypt = |statements: &[&Statement]| {
        lens.together_deny_enclave(statements, "kms:Encrypt", lens.enclave_context())
    };
    (
        of(|one| one.decrypt, &decrypt),
        of(|one| one.encrypt, &encrypt),
    )
}

/// Whether a Deny holds for an image that is admitted. Mostly it is seen without knowing which.
fn decrypt(lens: &Lens<'_>, statement: &Statement) -> Truth {
    let of = |context: &Context| lens.applies_to_enclave(statement, "kms:Decrypt", context);
    match of(lens.attested()) {
        Truth::Unknown if compares_attestation(statement) => {
            let images = lens.admitted().iter();
            images.map(of).max().unwrap_or(Truth::No)
        }
        sure => sure,
    }
}

/// Whether it may matter to a statement what is attested.
fn compares_attestation(statement: &Statement) -> bool {
    let variable = |value: &String| evaluate::has_variable(value);
    let mut conditions = statement.conditions.iter();
    let in_conditions =
        conditions.any(|one| is_attestation(&one.key) || one.values.iter().any(variable));
    let mut resources = statement.resources.iter();
    in_conditions || resources.any(|one| one.listed.iter().any(variable))
}

fn encrypt(lens: &Lens<'_>, statement: &Statement) -> Truth {
    lens.applies_to_enclave(statement, "kms:Encrypt", lens.enclave_context())
}

fn locked_out(name: &str, none_admitted: bool) -> Finding {
    let although = if none_admitted {
        ""
    } else {
        " with an image that is admitted"
    };
    Finding::error(
        RuleId::EnclaveDenied,
        format!("statement {name} keeps the enclave role from kms:Decrypt{although}"),
        "Remove it, or except the enclave role from it",
    )
}

fn no_wrapping(name: &str) -> Finding {
    Finding::new(
        RuleId::EncryptDenied,
        Severity::Warning,
        format!(
            "statement {name} denies kms:Encrypt to the enclave role: it cannot carry an attestation"
        ),
        "Take kms:Encrypt out of the statement, or no share can be wrapped",
    )
}

/// What decides, where it is not a register that the policy pins by itself.
fn depends(lens: &Lens<'_>, denies: &Denies<'_>) -> Option<Finding> {
    let admits = lens.policy.statement(DECRYPT.into());
    // A register that statement 3 pins is what it says there.
    let pinned = |key: &str| {
        let mut conditions = admits.iter().flat_map(|one| &one.conditions);
        is_attestation(key) && conditions.any(|one| one.key.eq_ignore_ascii_case(key))
    };
    let mut keys = decrypt_depends_on(lens, denies.statement);
    keys.retain(|key| !pinned(key));
    let from = if denies.encrypt == Truth::Unknown {
        "kms:Decrypt and kms:Encrypt"
    } else {
        "kms:Decrypt"
    };
    let cure = if keys.iter().any(|key| key == SESSION_NAME) {
        OF_A_SESSION
    } else {
        OF_A_REQUEST
    };
    on(denies, from, &keys, cure)
}

/// What decides for the first image that is admitted of which it is open.
fn decrypt_depends_on(lens: &Lens<'_>, statement: &Statement) -> Vec<String> {
    let open = |context: &&Context| {
        lens.applies_to_enclave(statement, "kms:Decrypt", context) == Truth::Unknown
    };
    let image = if compares_attestation(statement) {
        lens.admitted().iter().find(open)
    } else {
        None
    };
    lens.open_for_enclave(statement, "kms:Decrypt", image.unwrap_or(lens.attested()))
}

/// The same of Encrypt alone, which carries no register.
fn depends_wrapping(lens: &Lens<'_>, denies: &Denies<'_>) -> Option<Finding> {
    let keys = lens.open_for_enclave(denies.statement, "kms:Encrypt", lens.enclave_context());
    let cure = "See to it that it does not hold for the chambers, or no share can be wrapped";
    on(denies, "kms:Encrypt", &keys, cure)
}

fn on(denies: &Denies<'_>, from: &str, keys: &[String], cure: &'static str) -> Option<Finding> {
    let message = format!(
        "statement {} keeps the enclave role from {from} depending on {}",
        denies.name(),
        keys.join(", ")
    );
    (!keys.is_empty())
        .then(|| Finding::new(RuleId::DependsOnContext, Severity::Note, message, cure))
}
