//! Who gets what out of the rendered template: principal x measurement x action, every cell.

use crate::common::{release, template};
use crate::evaluate::{ACCOUNT, Context, allow_all, ask, root, session};
use key_policy::Policy;
use key_policy::evaluate::{Decision, Principal};

/// Releases 1 and 2 are live, 3 is retired, `debug` attests zeros. A: allowed, D: explicit deny, -: nothing allows it.
///
/// The A of `root` and of `iam-all` are the seed's known hole (statement 1 delegates to IAM).
const TABLE: &str = "
action              principal        none one two three debug
kms:Decrypt         enclave          D    A   A   -     -
kms:decrypt         enclave          D    A   A   -     -
kms:Decrypt         enclave-no-iam   D    D   D   D     D
kms:Decrypt         other-cluster    D    -   -   -     -
kms:Decrypt         namesake         D    -   -   -     -
kms:Decrypt         admin            D    -   -   -     -
kms:Decrypt         iam-none         D    -   -   -     -
kms:Decrypt         abroad           D    -   -   -     -
kms:Decrypt         root             D    A   A   A     A
kms:Decrypt         iam-all          D    A   A   A     A
kms:GenerateDataKey enclave          D    -   -   -     -
kms:GenerateDataKey admin            D    -   -   -     -
kms:GenerateDataKey iam-none         D    -   -   -     -
kms:GenerateDataKey abroad           D    -   -   -     -
kms:GenerateDataKey iam-all          D    A   A   A     A
kms:ReEncryptFrom   enclave          D    D   D   D     D
kms:ReEncryptFrom   admin            D    D   D   D     D
kms:ReEncryptFrom   root             D    D   D   D     D
kms:ReEncryptTo     enclave          D    D   D   D     D
kms:ReEncryptTo     admin            D    D   D   D     D
kms:Encrypt         enclave          A    A   A   A     A
kms:Encrypt         enclave-no-iam   D    D   D   D     D
kms:Encrypt         other-cluster    -    -   -   -     -
kms:Encrypt         namesake         -    -   -   -     -
kms:Encrypt         admin            -    -   -   -     -
kms:Encrypt         iam-none         -    -   -   -     -
kms:Encrypt         abroad           -    -   -   -     -
kms:Encrypt         iam-all          A    A   A   A     A
kms:PutKeyPolicy    enclave          -    -   -   -     -
kms:PutKeyPolicy    admin            A    A   A   A     A
kms:PutKeyPolicy    iam-none         -    -   -   -     -
kms:PutKeyPolicy    abroad           -    -   -   -     -
kms:PutKeyPolicy    root             A    A   A   A     A
kms:PutKeyPolicy    iam-all          A    A   A   A     A
kms:CreateGrant     enclave          -    -   -   -     -
kms:CreateGrant     admin            A    A   A   A     A
kms:CreateGrant     iam-none         -    -   -   -     -
kms:CreateGrant     abroad           -    -   -   -     -
kms:DescribeKey     enclave          -    -   -   -     -
kms:DescribeKey     admin            A    A   A   A     A
kms:ScheduleKeyDeletion admin        A    A   A   A     A
kms:ReplicateKey    admin            -    -   -   -     -
";

/// A principal by its name in the table, and its IAM policies.
fn principal(name: &str) -> (Principal, Vec<Policy>) {
    let role = "ChamberEnclaveRole-prod-us-east-1-mainnet";
    let abroad = |role: &str| {
        let arn = format!("arn:aws:iam::999999999999:role/{role}");
        Principal::session(&arn, "999999999999", "s")
    };
    let deny_all =
        Policy::parse(r#"{"Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}"#);
    match name {
        "enclave" => (session(role), vec![]),
        "enclave-no-iam" => (session(role), vec![allow_all(), deny_all.unwrap()]),
        "other-cluster" => (session("ChamberEnclaveRole-prod-us-east-1-other"), vec![]),
        "namesake" => (abroad(role), vec![allow_all()]),
        "admin" => (session("ChamberKmsKeyAdmin"), vec![]),
        "iam-none" => (session("Somebody"), vec![]),
        "abroad" => (abroad("Somebody"), vec![allow_all()]),
        "root" => (root(), vec![]),
        "iam-all" => {
            let arn = format!("arn:aws:iam::{ACCOUNT}:user/Somebody");
            let account = ACCOUNT.to_owned();
            (Principal::new(&arn, &account), vec![allow_all()])
        }
        other => panic!("{other}"),
    }
}

#[test]
fn every_cell_of_the_table() {
    let policy = template().render(&[release(1), release(2)]);
    let measurements = [
        Context::new(),
        crate::common::attested(&release(1)),
        crate::common::attested(&release(2)),
        crate::common::attested(&release(3)),
        crate::common::attested(&release(0)),
    ];
    let mut rows = 0;
    for row in TABLE.trim().lines().skip(1) {
        let cells: Vec<_> = row.split_whitespace().collect();
        let (who, identity) = principal(cells[1]);
        for (context, expected) in measurements.iter().zip(&cells[2..]) {
            let decision = ask(&policy, &identity, &who, cells[0], context);
            let found = match decision {
                Decision::Allowed { .. } => "A",
                Decision::ExplicitDeny { .. } => "D",
                Decision::ImplicitDeny => "-",
                Decision::Depends { .. } => "?",
            };
            assert_eq!(found, *expected, "{row} with {context:?}: {decision:?}");
        }
        rows += 1;
    }
    assert_eq!(rows, 42);
}

#[test]
fn the_statement_that_decides_is_named() {
    let policy = template().render(&[release(1)]);
    let of = |name: &str, context: &Context| {
        let (who, identity) = principal(name);
        ask(&policy, &identity, &who, "kms:Decrypt", context)
    };
    let attested = crate::common::attested(&release(1));
    let (allowed, denied) = (
        |by: &str| Decision::Allowed { by: by.into() },
        |by: &str| Decision::ExplicitDeny { by: by.into() },
    );
    assert_eq!(
        of("enclave", &attested),
        allowed("AllowChamberEnclaveDecryptWithAttestation")
    );
    assert_eq!(
        of("iam-all", &attested),
        allowed("EnableIAMRootPermissionsBreakGlass")
    );
    assert_eq!(
        of("enclave", &Context::new()),
        denied("DenyDataOpsWithoutAttestation")
    );
}

/// Keys that look like the attestation of an image but are not.
#[test]
fn an_attestation_under_another_key_opens_nothing() {
    let policy = template().render(&[release(1)]);
    let value = release(1).image_sha384.to_string();
    let (who, identity) = principal("enclave");
    for key in [
        "kms:recipientattestation:pcr0",
        "kms:recipientattestation:nitrotpmpcr0",
        "kms:recipientattestation",
        "aws:recipientattestation:imagesha384",
    ] {
        let context = [(key.to_owned(), vec![value.clone()])].into();
        let decision = ask(&policy, &identity, &who, "kms:Decrypt", &context);
        assert!(
            matches!(decision, Decision::ExplicitDeny { .. }),
            "{key}: {decision:?}"
        );
    }
}

/// Pins are further keys of the condition, so every one has to match.
#[test]
fn a_pinned_register_has_to_match_too() {
    let mut template = template();
    template.pins = [8].into();
    let signed = crate::common::signed(1, 8, 7);
    let policy = template.render(std::slice::from_ref(&signed));
    let (who, identity) = principal("enclave");
    let allowed = |context: &Context| {
        let decision = ask(&policy, &identity, &who, "kms:Decrypt", context);
        matches!(decision, Decision::Allowed { .. })
    };
    assert!(allowed(&crate::common::attested(&signed)));
    assert!(!allowed(&crate::common::attested(&release(1))));
    assert!(!allowed(&crate::common::attested(&crate::common::signed(
        1, 8, 9
    ))));
}
