//! What the enclave role may do, and what keeps it from doing it.

use measurement::{Measurement, Pcr};

use super::lens::Lens;
use super::{Finding, RuleId, Severity};
use crate::evaluate::{Context, Fact, Truth, is_attestation, names_action};
use crate::project::{DECRYPT, images};
use crate::statement::{Condition, Effect, Statement};
use crate::template::Sid;

/// What no enclave needs: it ends the key, opens another way to it, or takes the marks of its owner away.
const MANAGING: [&str; 11] = [
    "kms:CreateGrant",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:ImportKeyMaterial",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdatePrimaryRegion",
];

/// Statements that let the enclave role manage the key.
pub fn manages(lens: &Lens<'_>) -> impl Iterator<Item = Finding> {
    lens.statements(Effect::Allow).filter_map(|(index, statement)| {
        if lens.names_enclave(statement) == Truth::No {
            return None;
        }
        let given = MANAGING.into_iter().filter(|action| names_action(statement, action));
        let given: Vec<_> = given.collect();
        if given.is_empty() {
            return None;
        }
        Some(
            Finding::error(
                RuleId::EnclaveManagesKey,
                format!(
                    "statement {} gives {} to the enclave role",
                    statement.name(index),
                    given.join(", ")
                ),
                "Take the enclave role, or these actions, out of the statement: an enclave needs Decrypt and Encrypt",
            )
            .at(index),
        )
    })
}

/// Statements 3 and 4 by what they do: the enclave role may decrypt and encrypt.
pub fn missing(lens: &Lens<'_>) -> Vec<Finding> {
    let needs = [
        (
            "kms:Decrypt",
            Sid::AllowChamberEnclaveDecryptWithAttestation,
            "no chamber unseals",
        ),
        (
            "kms:Encrypt",
            Sid::AllowChamberEnclaveEncryptForWrapping,
            "no share is wrapped",
        ),
    ];
    let attested = lens.enclave_context().clone().attesting_an_image();
    let may = |statement: &Statement, action: &str| {
        let of = |context: &Context| {
            let applies = lens.applies_to_enclave(statement, action, context);
            applies.min(lens.names_enclave(statement))
        };
        match of(&attested) {
            // One comparison holds for some image; of several it has to be the same.
            Truth::Unknown if statement.conditions.len() < 2 => true,
            Truth::Unknown => admitted(lens)
                .iter()
                .any(|context| of(context) != Truth::No),
            sure => sure == Truth::Yes,
        }
    };
    let lacks = |action: &str| {
        let mut allows = lens.statements(Effect::Allow);
        !allows.any(|(_, one)| names_action(one, action) && may(one, action))
    };
    let missing = needs.into_iter().filter(|(action, _, _)| lacks(action));
    missing
        .map(|(action, sid, then)| {
            Finding::new(
                RuleId::MissingStatement,
                Severity::Warning,
                format!(
                    "no statement gives {action} to {}: {then}",
                    lens.enclave_role
                ),
                &format!("Put the statement {sid} back"),
            )
        })
        .collect()
}

/// Deny statements that keep the enclave role from Decrypt although its image is admitted, or from Encrypt; and those
/// of which nobody can say it here.
pub fn denied(lens: &Lens<'_>) -> Vec<Finding> {
    let some_image = lens.enclave_context().clone().attesting_an_image();
    let statements = lens.statements(Effect::Deny);
    // Where no image is admitted, a comparison with what enclaves attest keeps nobody out.
    let compares = |condition: &Condition| is_attestation(&condition.key.to_ascii_lowercase());
    let none = images(lens.policy).is_empty();
    let statements = statements
        .filter(move |(_, statement)| !(none && statement.conditions.iter().any(compares)));
    let found = statements.filter_map(|(index, statement)| {
        let decrypt = decrypt(lens, statement, &some_image);
        let finding = match decrypt {
            Truth::Yes => locked_out(&statement.name(index), none),
            _ if encrypt(lens, statement) == Truth::Yes => no_wrapping(&statement.name(index)),
            Truth::Unknown => depends(lens, &statement.name(index), statement)?,
            Truth::No => return None,
        };
        Some(finding.at(index))
    });
    found.collect()
}

/// Whether a Deny holds for an image that is admitted. Mostly it is seen without knowing which.
fn decrypt(lens: &Lens<'_>, statement: &Statement, some_image: &Context) -> Truth {
    let of = |context: &Context| lens.applies_to_enclave(statement, "kms:Decrypt", context);
    match of(some_image) {
        Truth::Unknown => admitted(lens).iter().map(of).max().unwrap_or(Truth::No),
        sure => sure,
    }
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
fn depends(lens: &Lens<'_>, name: &str, statement: &Statement) -> Option<Finding> {
    let unknown = |key: &str| lens.enclave_context().fact(key) == Fact::Unknown;
    let conditions = statement
        .conditions
        .iter()
        .map(|condition| condition.key.as_str());
    let admits = lens.policy.statement(DECRYPT.into());
    let pinned = |key: &str| {
        let mut conditions = admits.iter().flat_map(|one| &one.conditions);
        conditions.any(|condition| condition.key.eq_ignore_ascii_case(key))
    };
    let open = |key: &str| {
        // A register that statement 3 pins is what it says there.
        let register = is_attestation(&key.to_ascii_lowercase());
        if register { !pinned(key) } else { unknown(key) }
    };
    let keys: Vec<_> = conditions.filter(|key| open(key)).collect();
    (!keys.is_empty()).then(|| {
        Finding::new(
            RuleId::DependsOnContext,
            Severity::Note,
            format!(
                "statement {name} keeps the enclave role from kms:Decrypt depending on {}",
                keys.join(", ")
            ),
            "Say in spec.keys.policy.assume what holds for the chambers (of a register, in spec.release.measurement), or the operator does not roll",
        )
    })
}

/// What enclaves attest that statement 3 admits; where it admits none, nothing.
fn admitted(lens: &Lens<'_>) -> Vec<Context> {
    let images = images(lens.policy);
    let pcrs = images.iter().filter_map(|image| Pcr::parse(image).ok());
    let context = lens.enclave_context();
    let attested: Vec<_> = pcrs
        .map(|image| context.clone().attesting(&Measurement::image(image)))
        .collect();
    if attested.is_empty() {
        return vec![context.clone().attesting_an_image()];
    }
    attested
}
