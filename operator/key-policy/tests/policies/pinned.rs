//! Both profiles: who decrypts with which tuple of PCR0 and PCR8.

use key_policy::evaluate::{Decision, Principal};
use key_policy::{MAX_SIZE, Policy, Profile, Severity, Template, admits, holds, lint, project};
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
Pinned   kms:ReEncryptFrom   iam       -    -   -   -   -   -   -   -
Pinned   kms:Encrypt         enclave   A    A   A   A   A   A   A   A
Pinned   kms:PutKeyPolicy    admin     A    A   A   A   A   A   A   A
Pinned   kms:PutKeyPolicy    root      A    A   A   A   A   A   A   A
";

fn pinning(profile: Profile) -> Template {
    Template {
        profile,
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
        let policy = pinning(profile).render(&live);
        let identity = if cells[2] == "iam" {
            vec![allow_all()]
        } else {
            vec![]
        };
        for (tuple, expected) in tuples.iter().zip(&cells[3..]) {
            let context = match tuple.split_once(',') {
                None => Context::new(),
                Some((image, register)) => crate::common::attested(&signed(
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
    let policy = pinning(Profile::Pinned).render(&live);
    let allowed = |tuple: &Measurement| {
        let decision = ask(
            &policy,
            &[],
            &enclave(),
            "kms:Decrypt",
            &crate::common::attested(tuple),
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
        let policy = pinning(Profile::Pinned).render(live);
        let findings = lint(&policy, &pinning(Profile::Pinned));
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity != Severity::Note)
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!(
            key_policy::admitted(&policy, &pinning(Profile::Pinned))
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
    let told = |profile| {
        let template = Template {
            profile,
            ..template()
        };
        key_policy::room(&template.render(&[image(1)]), &template)
    };
    let fits = |profile| {
        let fit = |count: &u16| {
            let live: Vec<_> = (0..*count).map(image).collect();
            let template = Template {
                profile,
                ..template()
            };
            template.render(&live).size() <= MAX_SIZE
        };
        (1..1000).take_while(fit).count()
    };
    assert_eq!((fits(Profile::Standard), fits(Profile::Pinned)), (274, 134));
    assert_eq!(told(Profile::Standard), Ok(274));
    assert_eq!(told(Profile::Pinned), Ok(134));
}

/// The notes name what closes them, so they are gone where it is there.
#[test]
fn the_known_holes_are_closed() {
    let live = [signed(1, 8, 7)];
    let of = |profile| lint(&pinning(profile).render(&live), &pinning(profile));
    assert_eq!(of(Profile::Pinned), []);
    let standard = of(Profile::Standard);
    assert_eq!(standard.len(), 2, "{standard:?}");
}

/// One write changes both, in every direction: a profile, and what is live.
#[test]
fn statement_3_and_the_denials_change_in_one_write() {
    let (one, two) = (signed(1, 8, 7), signed(2, 8, 8));
    let lives = [
        vec![one.clone()],
        vec![one.clone(), two.clone()],
        vec![two.clone()],
    ];
    let profiles = [Profile::Standard, Profile::Pinned];
    for (before, after) in profiles
        .into_iter()
        .flat_map(|one| profiles.map(|two| (one, two)))
    {
        for (from, to) in lives
            .iter()
            .flat_map(|one| lives.iter().map(move |two| (one, two)))
        {
            let foreign = pinning(before).render(from).to_json().replacen(
                "\"Statement\": [",
                r#""Statement": [{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":false}}},"#,
                1,
            );
            let found = Policy::parse(&foreign).unwrap();
            let projected = project(&found, &pinning(after), to).unwrap();
            let theirs = |policy: &Policy| policy.statement("Theirs").cloned();
            assert!(theirs(&found).is_some());
            assert_eq!(theirs(&found), theirs(&projected));
            assert_eq!(holds(&projected, &pinning(after), to), Ok(true));
            assert_eq!(
                holds(&found, &pinning(after), to).unwrap(),
                before == after && from == to
            );
            // What stays live can decrypt before and after; no other policy is ever stored.
            for release in from.iter().filter(|release| to.contains(release)) {
                assert_eq!(admits(&found, &pinning(before), release), Ok(true));
                assert_eq!(admits(&projected, &pinning(after), release), Ok(true));
            }
            let read_back = Policy::parse(&projected.to_json()).unwrap();
            assert!(read_back.equivalent(&projected));
        }
    }
}

/// A holder who forgets the denials has not admitted the release.
#[test]
fn a_release_that_a_denial_stops_is_not_admitted() {
    let (one, two) = (signed(1, 8, 7), signed(2, 8, 8));
    let template = pinning(Profile::Pinned);
    let stale = template.render(std::slice::from_ref(&one));
    let forgotten = Policy::parse(&stale.to_json().replacen(
        &one.image_sha384.to_string(),
        &format!("{}\",\"{}", one.image_sha384, two.image_sha384),
        1,
    ));
    let forgotten = forgotten.unwrap();
    assert_eq!(admits(&forgotten, &template, &one), Ok(true));
    assert_eq!(admits(&forgotten, &template, &two), Ok(false));
    let denial = key_policy::foreign_deny(&stale, &template, &two, Some(&one));
    assert_eq!(denial, None, "the operator's own denials follow");
}

/// Only these Sids are the profile's: a statement of others under another one stays.
#[test]
fn a_sid_that_only_begins_alike_is_somebody_elses() {
    for (sid, ours) in [
        ("DenyDataOpsWithOtherImageSha384", true),
        ("DenyDataOpsWithOtherPCR8", true),
        ("DenyDataOpsWithOtherPCR08", false),
        ("DenyDataOpsWithOtherPCR32", false),
        ("DenyDataOpsWithOthers", false),
        ("DenyDataOpsMixed0123456789PCR8", true),
        ("DenyDataOpsMixed01234567ghPCR8", false),
        ("DenyDataOpsMixedPCR8", false),
    ] {
        let text = template().render(&[signed(1, 8, 7)]).to_json().replacen(
            "\"Statement\": [",
            &format!(r#""Statement": [{{"Sid":"{sid}","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}},"#),
            1,
        );
        let found = Policy::parse(&text).unwrap();
        let projected = project(&found, &template(), &[signed(1, 8, 7)]).unwrap();
        assert_eq!(projected.statement(sid).is_none(), ours, "{sid}");
    }
}

/// A policy that binds has a binding one's room, whatever the command line says of it, and the other way round.
#[test]
fn the_room_is_that_of_the_profile_that_the_policy_has() {
    let of = |profile| Template {
        profile,
        ..template()
    };
    let [standard, pinned] = [Profile::Standard, Profile::Pinned].map(of);
    let room = |policy: &Template, asked: &Template| {
        let policy = policy.render(&[Measurement::image(Pcr::from_bytes([1; 48]))]);
        key_policy::room(&policy, asked).unwrap()
    };
    assert_eq!(room(&standard, &pinned), room(&standard, &standard));
    assert_eq!(room(&pinned, &standard), room(&pinned, &pinned));
    assert!(room(&pinned, &pinned) < room(&standard, &standard));
}

/// Room is told for images alone: a register that the spec pins costs none of it.
#[test]
fn the_room_does_not_depend_on_pins() {
    let policy = pinning(Profile::Pinned).render(&[signed(1, 8, 7), signed(2, 8, 8)]);
    let pinning = pinning(Profile::Pinned);
    let without = Template {
        pins: [].into(),
        ..pinning.clone()
    };
    let room = |template| key_policy::room(&policy, template).unwrap();
    assert_eq!(room(&pinning), room(&without));
}

#[test]
fn a_single_release_needs_no_denial_of_mixed_registers() {
    let policy = pinning(Profile::Pinned).render(&[signed(1, 8, 7)]);
    let denials = policy.statements().iter().skip(5);
    let sids: Vec<_> = denials.filter_map(|one| one.sid.as_deref()).collect();
    let expected = [
        "DenyDataOpsWithOtherImageSha384",
        "DenyDataOpsWithOtherPCR8",
    ];
    assert_eq!(sids, expected);
}

/// Of one register every value but the enclave's own is asked about, and none.
#[test]
fn another_value_of_a_register_is_found_wherever_it_is_let_in() {
    let live = signed(1, 16, 7);
    let own = live.registers[&16].to_string();
    let (older, key) = ("5b".repeat(48), "kms:RecipientAttestation:PCR16");
    let role = template().enclave_role_arn();
    let pinned = |profile| {
        let pins = [16].into();
        let template = Template {
            pins,
            profile,
            ..template()
        };
        template.render(std::slice::from_ref(&live)).to_json()
    };
    let beside = |text: &str, statements: &[String]| {
        let end = text.rfind(']').unwrap();
        let all = statements.join("},{");
        let text = format!("{},{{{all}}}{}", &text[..end], &text[end..]);
        Policy::parse(&text).unwrap()
    };
    let deny = |operator: &str, values: &str| {
        format!(
            r#""Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{"{operator}":{{"{key}":{values}}}}}"#
        )
    };
    let allow = |operator: &str, value: &str| {
        format!(
            r#""Effect":"Allow","Principal":{{"AWS":"{role}"}},"Action":"kms:Decrypt","Resource":"*","Condition":{{"{operator}":{{"{key}":"{value}"}}}}"#
        )
    };
    let open = template().render(std::slice::from_ref(&live)).to_json();
    let ends = |end: &str| format!(r#"["{own}","{end}"]"#);
    let ignoring = "StringNotEqualsIgnoreCase";
    let only_own = format!(r#"["{own}"]"#);
    let (standard, both) = (pinned(Profile::Standard), pinned(Profile::Pinned));
    for (text, statements, may) in [
        (&standard, vec![], false),
        (&both, vec![], false),
        (&standard, vec![allow("StringEquals", &older)], true),
        (&both, vec![allow("StringEquals", &older)], false),
        (&standard, vec![allow("StringEquals", &own)], false),
        (&standard, vec![allow("StringLike", "5b*")], true),
        (&open, vec![], true),
        (&open, vec![deny(ignoring, &only_own)], false),
        (&open, vec![deny(ignoring, &ends(&older))], true),
        (&open, vec![deny("StringNotLike", &ends("5b*"))], true),
        // What two patterns both match is let in, what neither does is not.
        (
            &open,
            vec![
                deny("StringNotLike", &ends("5b*")),
                deny("StringNotLike", &ends("*9c")),
            ],
            true,
        ),
        (
            &open,
            vec![
                deny("StringNotLike", &ends("5b*")),
                deny("StringNotLike", &ends("9c*")),
            ],
            false,
        ),
        // An enclave that took no manifest may attest nothing there.
        (
            &open,
            vec![deny("ForAnyValue:StringNotEquals", &only_own)],
            true,
        ),
    ] {
        let policy = if statements.is_empty() {
            Policy::parse(text).unwrap()
        } else {
            beside(text, &statements)
        };
        let found = key_policy::may_decrypt_with_another(&policy, &template(), &live, 16);
        assert_eq!(found, may, "{statements:?}");
        assert!(key_policy::may_decrypt(&policy, &template(), &live));
    }
}
