//! What the enclave role may do.

use super::lens::Lens;
use super::{Finding, RuleId, Severity};
use crate::evaluate::{self, Context, Truth, names_action};
use crate::project::DECRYPT;
use crate::statement::{Effect, Statement};
use crate::template::Sid;

/// What no enclave needs: it ends the key, opens another way to it, brings back one that was retired, or takes the marks
/// of its owner away.
const MANAGING: [&str; 17] = [
    "kms:CancelKeyDeletion",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:ImportKeyMaterial",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
];

/// Statements that let the enclave role manage the key.
pub fn manages(lens: &Lens<'_>) -> impl Iterator<Item = Finding> {
    lens.statements(Effect::Allow).filter_map(|(index, statement)| {
        if !lens.names_a_session(statement) {
            return None;
        }
        let given = MANAGING.into_iter().filter(|action| names_action(statement, action));
        let given: Vec<_> = given.filter(|action| lens.gives_enclave(statement, action)).collect();
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
    let may = |statement: &Statement, action: &str| {
        // A statement for one session by its name gives nothing to the others.
        if lens.names_enclave(statement) != Truth::Yes {
            return false;
        }
        let of = |context: &Context| lens.applies_to_enclave(statement, action, context);
        match of(lens.attested()) {
            // One comparison holds for some image; of several it has to be the same.
            Truth::Unknown if statement.conditions.len() < 2 => true,
            Truth::Unknown => {
                let mut images = lens.admitted().iter();
                images.any(|context| of(context) != Truth::No)
            }
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
                    lens.enclave_role()
                ),
                format!("Put the statement {sid} back"),
            )
        })
        .collect()
}

/// Statement 3 or 4 that lets the enclave role decrypt or encrypt depending on what a policy does not show.
pub fn depends(lens: &Lens<'_>) -> Vec<Finding> {
    // Registers are none of these: the request has no attestation, whatever its action.
    let open = |one: &Statement| {
        evaluate::open_keys(lens.policy, one, "kms:Decrypt", lens.enclave_context())
    };
    let allows = lens.statements(Effect::Allow);
    let own = allows.filter(|(_, one)| lens.names_a_session(one));
    let own: Vec<_> = own.map(|(index, one)| (index, one, open(one))).collect();
    let mut findings = Vec::new();
    // Nearly always there is nothing to look for.
    if own.iter().all(|(_, _, keys)| keys.is_empty()) {
        return findings;
    }
    for action in ["kms:Decrypt", "kms:Encrypt"] {
        let gives = |one: &Statement| names_action(one, action) && lens.gives_enclave(one, action);
        let mut giving = own.iter().filter(|(_, one, _)| gives(one));
        let Some((index, first, keys)) = giving.next() else {
            continue;
        };
        if keys.is_empty() || giving.any(|(_, _, keys)| keys.is_empty()) {
            continue;
        }
        let finding = Finding::new(
            RuleId::DependsOnContext,
            Severity::Note,
            format!(
                "statement {} gives {action} to the enclave role depending on {}",
                first.name(*index),
                keys.join(", ")
            ),
            if first.sid.as_deref() == Some(DECRYPT.into()) {
                "Take the condition out: with it the operator does not write statement 3"
            } else {
                "Say in spec.keys.policy.assume what holds for the chambers, or take the condition out"
            },
        );
        findings.push(finding.at(*index));
    }
    findings
}
