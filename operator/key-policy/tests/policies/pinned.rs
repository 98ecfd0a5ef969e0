//! Both profiles: who decrypts with which tuple of PCR0 and PCR8.

use key_policy::evaluate::{self, Decision, Principal};
use key_policy::{MAX_SIZE, Profile, Severity, Template, lint};
use measurement::{Measurement, Pcr};

use crate::common::{signed, template};
use crate::evaluate::{Context, allow_all, ask, enclave, root, session};

/// Two releases with PCR8, during a rollover: (1, 7) and (2, 8). A tuple is PCR0 and PCR8.
///
/// Columns: no attestation, both releases, a retired image with the right PCR8, the right image with
/// another PCR8, each image with the other's PCR8, debug mode.
const TABLE: &str = "
profile  action              principal none 1,7 2,8 3,8 2,9 1,8 2,7 0,0
Standard kms:Decrypt         enclave   -    A   A   -   -   A   A   -
Standard kms:Decrypt         iam       -    A   A   A   A   A   A   A
Standard kms:GenerateDataKey iam       -    A   A   A   A   A   A   A
Standard kms:Encrypt         enclave   A    A   A   A   A   A   A   A
Pinned   kms:Decrypt         enclave   -    A   A   -   -   -   -   -
Pinned   kms:Decrypt         iam       -    A   A   -   -   -   -   -
Pinned   kms:Decrypt         root      -    A   A   -   -   -   -   -
Pinned   kms:Decrypt         admin     -    -   -   -   -   -   -   -
Pinned   kms:GenerateDataKey iam       -    A   A   -   -   -   -   -
Pinned   kms:ReEncryptFrom   iam       -    A   A   -   -   -   -   -
Pinned   kms:Encrypt         enclave   A    A   A   A   A   A   A   A
Pinned   kms:PutKeyPolicy    admin     A    A   A   A   A   A   A   A
Pinned   kms:PutKeyPolicy    root      A    A   A   A   A   A   A   A
";

fn pinning() -> Template {
    Template {
        pins: [8].into(),
        ..template()
    }
}

fn who(name: &str) -> Principal {
    match name {
        "enclave" => enclave(),
        "iam" => session("Somebody"),
        "root" => root(),
        _ => session("ChamberKmsKeyAdmin"),
    }
}

#[test]
fn every_cell_of_the_table() {
    let mut rows = TABLE.trim().lines();
    let tuples: Vec<_> = rows.next().unwrap().split_whitespace().skip(3).collect();
    let live = [signed(1, 8, 7), signed(2, 8, 8)];
    for row in rows {
        let cells: Vec<_> = row.split_whitespace().collect();
        let profile = if cells[0] == "Pinned" {
            Profile::Pinned
        } else {
            Profile::Standard
        };
        let policy = pinning().render_as(&live, profile);
        let identity = if cells[2] == "iam" {
            vec![allow_all()]
        } else {
            vec![]
        };
        for (tuple, expected) in tuples.iter().zip(&cells[3..]) {
            let context = match tuple.split_once(',') {
                None => Context::new(),
                Some((image, register)) => evaluate::attested(&signed(
                    image.parse().unwrap(),
                    8,
                    register.parse().unwrap(),
                )),
            };
            let decision = ask(&policy, &identity, &who(cells[2]), cells[1], &context);
            let found = if matches!(decision, Decision::Allowed { .. }) {
                "A"
            } else {
                "-"
            };
            assert_eq!(found, *expected, "{row}: {tuple} {decision:?}");
        }
    }
}

/// An image that was signed anew keeps its PCR0: both of its signatures are admitted.
#[test]
fn an_image_with_two_signatures_is_admitted_with_both() {
    let live = [signed(1, 8, 7), signed(1, 8, 8)];
    let policy = pinning().render_as(&live, Profile::Pinned);
    let allowed = |tuple: &Measurement| {
        let decision = ask(
            &policy,
            &[],
            &enclave(),
            "kms:Decrypt",
            &evaluate::attested(tuple),
        );
        matches!(decision, Decision::Allowed { .. })
    };
    assert!(live.iter().all(allowed));
    assert!(!allowed(&signed(1, 8, 9)));
}

#[test]
fn lint_finds_no_fault_in_it() {
    for live in [
        &[][..],
        &[signed(1, 8, 7)],
        &[signed(1, 8, 7), signed(2, 8, 8)],
    ] {
        let policy = pinning().render_as(live, Profile::Pinned);
        let findings = lint(&policy, &pinning());
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity != Severity::Note)
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!(
            key_policy::admitted(&policy, &pinning())
                .unwrap()
                .image_sha384
                .len(),
            live.len()
        );
    }
}

/// How many images fit into what KMS takes; a rollover needs two.
#[test]
fn the_size_budget() {
    let image = |count: u16| {
        let mut bytes = [1; 48];
        bytes[..2].copy_from_slice(&count.to_be_bytes());
        Measurement::image(Pcr::from_bytes(bytes))
    };
    let fits = |profile| {
        let fit = |count: &u16| {
            let live: Vec<_> = (0..*count).map(image).collect();
            template().render_as(&live, profile).size() <= MAX_SIZE
        };
        (1..1000).take_while(fit).count()
    };
    assert_eq!((fits(Profile::Standard), fits(Profile::Pinned)), (274, 134));
}

/// The notes name what closes them, so they are gone where it is there.
#[test]
fn the_known_holes_are_closed() {
    let live = [signed(1, 8, 7)];
    assert_eq!(
        lint(&pinning().render_as(&live, Profile::Pinned), &pinning()),
        []
    );
    let standard = lint(&pinning().render_as(&live, Profile::Standard), &pinning());
    assert_eq!(standard.len(), 2, "{standard:?}");
}
