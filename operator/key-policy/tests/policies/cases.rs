//! Policies in the shapes that people publish, as files: what lint says of each, and what is answered about some.

use key_policy::evaluate::{self, Context, Decision, Identity, Principal, Request};
use key_policy::{Policy, lint};
use measurement::{Measurement, Pcr};

use crate::common::template;
use crate::evaluate::{ACCOUNT, allow_all};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const SIGNED: &str = include_str!("golden/published/root-with-principalarn-and-pcr8.json");
const RELEASES: &str = include_str!("golden/published/key-per-release-two-hashes.json");
const CONSOLE: &str = include_str!("golden/published/console-default-with-grants.json");
const NO_KEY: &str = include_str!("golden/published/null-on-a-key-that-is-none.json");
const LIST: &str = include_str!("golden/published/deny-all-but-a-list.json");
const LISTS: &str = include_str!("golden/published/two-images-with-register-lists.json");
const CDK: &str = include_str!("golden/published/cdk-without-sids.json");
const SECRET: &str = include_str!("golden/published/secret-by-viaservice-and-context.json");
const CALLER: &str = include_str!("golden/published/caller-account.json");

#[test]
fn each_has_its_findings_and_no_others() {
    let notes = [
        "note root-delegates",
        "note admin-creates-grants",
        "note no-deployment-binding",
    ];
    let missing = "warning missing-statement";
    // Each lacks the five, so that the operator stops, whatever else is wrong with it.
    let nobody_elses = [missing, missing, "warning policy-not-ours"];
    for (text, errors, warnings, notes) in [
        (
            SIGNED,
            "missing-deny foreign-allow",
            &nobody_elses[..],
            &notes[..1],
        ),
        (
            RELEASES,
            "missing-break-glass missing-deny foreign-allow foreign-allow",
            &[missing, missing, "warning other-administrator"],
            &[],
        ),
        (
            CONSOLE,
            "zero-measurement missing-deny foreign-allow foreign-allow foreign-allow foreign-allow",
            &nobody_elses,
            &notes[..1],
        ),
        (
            NO_KEY,
            "enclave-denied",
            &["warning unknown-attestation-key"],
            &notes,
        ),
        (
            LIST,
            "enclave-denied missing-deny foreign-allow foreign-allow",
            &[
                "warning conditional-break-glass",
                missing,
                missing,
                nobody_elses[2],
            ],
            &notes[..1],
        ),
        (LISTS, "", &[], &notes),
        (
            CDK,
            "missing-deny foreign-allow foreign-allow",
            &nobody_elses,
            &notes[..1],
        ),
        (
            SECRET,
            "missing-deny foreign-allow",
            &nobody_elses,
            &notes[..1],
        ),
        (CALLER, "", &["warning policy-not-ours"], &notes),
    ] {
        let found = lint(&Policy::parse(text).unwrap(), &template());
        let found: Vec<_> = found
            .iter()
            .map(|one| format!("{} {}", one.severity, one.rule))
            .collect();
        let errors = errors
            .split_whitespace()
            .map(|rule| format!("error {rule}"));
        let others = warnings.iter().chain(notes).map(ToString::to_string);
        let wanted: Vec<_> = errors.chain(others).collect();
        assert_eq!(found, wanted, "{text}");
    }
}

/// What a role is answered with a measurement, as `allowed Sid`, `denied Sid`, `denied` or `depends Sid: key, key`.
fn answer(text: &str, role: &str, action: &str, attested: &Context, iam: Identity<'_>) -> String {
    let policy = Policy::parse(text).unwrap();
    let principal = session(role);
    let request = Request {
        principal: &principal,
        action,
        resource: KEY,
        context: attested,
    };
    match evaluate::key_policy(&policy, ACCOUNT, iam, &request) {
        Decision::Allowed { by } => format!("allowed {by}"),
        Decision::ExplicitDeny { by } => format!("denied {by}"),
        Decision::ImplicitDeny => "denied".to_owned(),
        Decision::Depends { by, on } => {
            let keys: Vec<_> = on.iter().map(|one| one.key.as_str()).collect();
            format!("depends {by}: {}", keys.join(", "))
        }
    }
}

fn session(role: &str) -> Principal {
    Principal::session(
        &format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
        ACCOUNT,
        Principal::ANY_SESSION,
    )
}

/// A request of a role, without an attestation.
fn of(role: &str) -> Context {
    Context::of(&session(role), KEY)
}

/// The same from an enclave with this image, and these registers.
fn from(role: &str, image: u8, registers: &[(u8, u8)]) -> Context {
    let pcr = |byte| Pcr::from_bytes([byte; 48]);
    let mut measurement = Measurement::image(pcr(image));
    let registers = registers.iter().map(|(index, byte)| (*index, pcr(*byte)));
    measurement.registers.extend(registers);
    of(role).attesting(&measurement)
}

const NONE: Identity<'_> = Identity::Policies(&[]);

#[test]
fn a_signed_image_of_one_node_is_left_to_iam() {
    let ask = |role: &str, signer, iam| {
        let context = from(role, 0xa1, &[(8, signer)]);
        answer(SIGNED, role, "kms:Decrypt", &context, iam)
    };
    let all = [allow_all()];
    for signer in [0x88, 0x77] {
        // Statement 1 leaves it to IAM as well, whoever signed.
        let unknown = ask("mpcNode0A", signer, Identity::Unknown);
        assert_eq!(unknown, "depends Account keeps the key: IAM policies");
        assert_eq!(ask("mpcNode0A", signer, NONE), "denied");
        let allowed = ask("mpcNode0A", signer, Identity::Policies(&all));
        assert_eq!(allowed, "allowed Account keeps the key");
    }
    // Without statement 1 it is the signer and the role's name that decide.
    let (first, rest) = SIGNED.split_once("\"kms:*\"").unwrap();
    let narrow = format!("{first}\"kms:PutKeyPolicy\"{rest}");
    for (role, signer, unknown) in [
        (
            "mpcNode0A",
            0x88,
            "depends Signed image of node 0: IAM policies",
        ),
        ("mpcNode0A", 0x77, "denied"),
        ("mpcNode1A", 0x88, "denied"),
    ] {
        let context = from(role, 0xa1, &[(8, signer)]);
        let found = answer(&narrow, role, "kms:Decrypt", &context, Identity::Unknown);
        assert_eq!(found, unknown, "{role} {signer:x}");
    }
}

#[test]
fn a_release_opens_and_both_wrap_from_their_own_account() {
    let host = "vault-host";
    for (image, action, wanted) in [
        (0xb2, "kms:Decrypt", "allowed OpenInRelease7"),
        (0xa1, "kms:Decrypt", "denied"),
        (0xa1, "kms:GenerateDataKey", "allowed WrapFromBoth"),
        (0xb2, "kms:GenerateDataKey", "allowed WrapFromBoth"),
        (0xc3, "kms:GenerateDataKey", "denied"),
    ] {
        let found = answer(RELEASES, host, action, &from(host, image, &[]), NONE);
        assert_eq!(found, wanted, "{image:x} {action}");
    }
    let without = answer(RELEASES, host, "kms:GenerateDataKey", &of(host), NONE);
    assert_eq!(without, "denied");
    let retire = "vault-retire";
    let found = answer(
        RELEASES,
        retire,
        "kms:ScheduleKeyDeletion",
        &of(retire),
        NONE,
    );
    let on = "depends RetireWithNotice: kms:ScheduleKeyDeletionPendingWindowInDays";
    assert_eq!(found, on);
}

#[test]
fn registers_of_two_images_combine_freely() {
    let role = "ChamberEnclaveRole-prod-us-east-1-mainnet";
    let third = "AllowChamberEnclaveDecryptWithAttestation";
    for (image, one, two, allowed) in [
        (0xa1, 0x11, 0x22, true),
        (0xb2, 0x33, 0x44, true),
        (0xa1, 0x33, 0x22, true),
        (0xa1, 0x11, 0x55, false),
        (0xc3, 0x11, 0x22, false),
    ] {
        let context = from(role, image, &[(1, one), (2, two)]);
        let found = answer(LISTS, role, "kms:Decrypt", &context, NONE);
        let wanted = if allowed {
            format!("allowed {third}")
        } else {
            "denied".to_owned()
        };
        assert_eq!(found, wanted, "{image:x} {one:x} {two:x}");
    }
}

#[test]
fn statements_without_a_sid_answer_by_their_number() {
    let host = "EnclaveStack-Host0AB1-XYZ";
    let decrypt = |context: &Context| answer(CDK, host, "kms:Decrypt", context, NONE);
    assert_eq!(decrypt(&from(host, 0xa1, &[])), "allowed #1");
    assert_eq!(decrypt(&from(host, 0xb2, &[])), "denied");
    assert_eq!(decrypt(&of(host)), "denied");
    for action in ["kms:Encrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey"] {
        assert_eq!(answer(CDK, host, action, &of(host), NONE), "allowed #2");
    }
}

/// The caller's account follows from the role: no condition that is open, and none that the operator writes.
#[test]
fn a_callers_account_is_known_and_is_not_the_templates() {
    let role = "ChamberEnclaveRole-prod-us-east-1-mainnet";
    let found = answer(CALLER, role, "kms:Decrypt", &from(role, 0xa1, &[]), NONE);
    assert_eq!(found, "allowed AllowChamberEnclaveDecryptWithAttestation");
    let found = lint(&Policy::parse(CALLER).unwrap(), &template());
    let told = found
        .iter()
        .find(|one| one.rule == key_policy::RuleId::PolicyNotOurs)
        .unwrap();
    assert!(
        told.cure.contains("take any other condition out"),
        "{}",
        told.cure
    );
}
