//! A policy that admits nobody: a value that no image has in place of an empty list.

use std::collections::BTreeMap;

use key_policy::evaluate::{self, Decision, Identity, Principal, Request};
use key_policy::{
    Admitted, Policy, Profile, RuleId, Severity, Template, access, admits, admitted, adopt, binds,
    decrypts, diff, foreign_deny, found, holds, lint, lint_images, project, room,
};
use measurement::Pcr;

use crate::common::{release, signed, template};

fn pinned() -> Template {
    Template {
        profile: Profile::Pinned,
        pins: [8].into(),
        ..template()
    }
}

/// Statement 3 as it was written before: with an empty list.
fn emptied(template: &Template) -> Policy {
    let nobody = format!("[\n            \"{}\"\n          ]", "f".repeat(96));
    let text = template.render(&[]).to_json();
    assert!(text.contains(&nobody), "{text}");
    Policy::parse(&text.replace(&nobody, "[]")).unwrap()
}

fn errors(policy: &Policy) -> Vec<String> {
    let findings = lint(policy, &template()).into_iter();
    findings
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{}: {}", finding.rule, finding.message))
        .collect()
}

/// The values of every condition on the image.
fn images(policy: &Policy) -> Vec<Vec<String>> {
    let conditions = policy.statements().iter().flat_map(|one| &one.conditions);
    conditions
        .filter(|one| one.key.ends_with("ImageSha384") && one.operator != "Null")
        .map(|one| one.values.clone())
        .collect()
}

#[test]
fn every_writer_names_the_reserved_value_where_no_image_is_admitted() {
    let nobody = vec!["f".repeat(96)];
    for template in [template(), pinned()] {
        let before = template.render(&[signed(1, 8, 7)]);
        let lists = usize::from(template.profile == Profile::Pinned) + 1;
        for written in [
            template.render(&[]),
            project(&before, &template, &[]).unwrap(),
            adopt(&before, &template, &[]),
            project(&emptied(&template), &template, &[]).unwrap(),
        ] {
            assert_eq!(images(&written), vec![nobody.clone(); lists]);
            assert_eq!(errors(&written), [""; 0]);
            assert_eq!(holds(&written, &template, &[]), Ok(true));
        }
    }
}

#[test]
fn the_reserved_value_admits_nobody() {
    for template in [template(), pinned()] {
        let policy = template.render(&[]);
        assert_eq!(admitted(&policy, &template), Ok(Admitted::default()));
        assert_eq!(found(&policy, &template), Ok(Admitted::default()));
        assert_eq!(lint_images(&policy, &template, &[]), []);
        assert!(!admits(&policy, &template, &release(9)).unwrap());
        assert!(!decrypts(&policy, &template, &release(9)));
        assert_eq!(holds(&policy, &template, &[release(9)]), Ok(false));
        assert_eq!(foreign_deny(&policy, &template, &release(9), None), None);
        assert!(room(&policy, &template).unwrap() > 100);
        let enclave = "ChamberEnclaveRole-prod-us-east-1-mainnet";
        let rows = access(&[&policy], &template, &[release(9)]).into_iter();
        for row in rows.filter(|row| row.principal == enclave && row.action == "kms:Decrypt") {
            assert!(row.by[0].is_denied(), "{row:?}");
        }
    }
    assert!(binds(&pinned().render(&[])));
}

#[test]
fn beside_an_image_the_reserved_value_is_nothing_that_is_admitted() {
    let image = release(3).image_sha384.to_string();
    let text = template().render(&[release(3)]).to_json();
    let both = format!("\"{image}\",\n            \"{}\"", "f".repeat(96));
    let policy = Policy::parse(&text.replace(&format!("\"{image}\""), &both)).unwrap();
    let only = [image].into();
    assert_eq!(found(&policy, &template()).unwrap().image_sha384, only);
    // It is written without it once more.
    assert_eq!(holds(&policy, &template(), &[release(3)]), Ok(false));
}

#[test]
fn an_empty_list_is_an_error_that_projection_repairs() {
    for template in [template(), pinned()] {
        let empty = emptied(&template);
        assert_eq!(admitted(&empty, &template), Ok(Admitted::default()));
        assert_eq!(holds(&empty, &template, &[]), Ok(false));
        let found = errors(&empty);
        assert!(
            found.iter().all(|error| error.starts_with("empty-list: "))
                && found[0].contains("AllowChamberEnclaveDecryptWithAttestation"),
            "{found:?}"
        );
        for live in [vec![], vec![release(4)]] {
            let repaired = project(&empty, &template, &live).unwrap();
            assert_eq!(errors(&repaired), [""; 0]);
        }
    }
}

#[test]
fn each_list_that_may_be_empty_is_found_by_its_statement() {
    let policy = |members: &str| {
        let statement = format!(r#"{{"Sid":"Bare","Effect":"Deny",{members}}}"#);
        crate::common::with(&statement)
    };
    for (members, what) in [
        (
            r#""Principal":{"AWS":[]},"Action":"kms:Sign","Resource":"*""#,
            "principals",
        ),
        (
            r#""NotPrincipal":{},"Action":"kms:Sign","Resource":"*""#,
            "principals",
        ),
        (
            r#""Principal":"*","NotAction":[],"Resource":"*""#,
            "actions",
        ),
        (
            r#""Principal":"*","Action":"kms:Sign","Resource":[]"#,
            "resources",
        ),
        (
            r#""Principal":"*","Action":"kms:Sign","Resource":"*","Condition":{"Null":{"kms:ViaService":[]}}"#,
            "values for kms:ViaService",
        ),
    ] {
        let findings = lint(&policy(members), &template());
        let found = findings.iter().find(|one| one.rule == RuleId::EmptyList);
        let message = found.map(|one| one.message.as_str());
        let wanted = format!("statement Bare has an empty list of {what}");
        assert_eq!(message, Some(wanted.as_str()), "{members}");
    }
}

/// Nobody knows what KMS makes of it, so it gives nothing: an Allow with it never holds, a Deny always does.
#[test]
fn an_empty_list_never_gives() {
    let role = "arn:aws:iam::111122223333:role/Reader";
    let principal = Principal::session(role, "111122223333", "s");
    let context = BTreeMap::from([("aws:sourcevpce".to_owned(), vec!["vpce-5".to_owned()])]);
    let context = evaluate::Context::complete(context);
    let request = Request {
        principal: &principal,
        action: "kms:DescribeKey",
        resource: "*",
        context: &context,
    };
    let ask = |effect: &str, operator: &str, more: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{more}{{"Sid":"Empty","Effect":"{effect}","Principal":{{"AWS":"{role}"}},"Action":"kms:*","Resource":"*","Condition":{{"{operator}":{{"aws:SourceVpce":[]}}}}}}]}}"#
        );
        evaluate::key_policy(
            &Policy::parse(&text).unwrap(),
            "111122223333",
            Identity::Policies(&[]),
            &request,
        )
    };
    let allow = format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{role}"}},"Action":"kms:*","Resource":"*"}},"#
    );
    for operator in [
        "StringEquals",
        "StringNotEquals",
        "Null",
        "ForAllValues:StringLike",
    ] {
        assert_eq!(
            ask("Allow", operator, ""),
            Decision::ImplicitDeny,
            "{operator}"
        );
        let denied = ask("Deny", operator, &allow);
        assert_eq!(
            denied,
            Decision::ExplicitDeny { by: "Empty".into() },
            "{operator}"
        );
    }
}

#[test]
fn a_difference_says_that_no_image_has_the_value() {
    let (nobody, one) = (template().render(&[]), template().render(&[release(6)]));
    let lines: Vec<_> = diff(&nobody, &one)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        lines[0].ends_with(&format!("{} (no image has it)", Pcr::NOBODY)),
        "{lines:?}"
    );
    assert!(
        lines[1].ends_with(&release(6).image_sha384.to_string()),
        "{lines:?}"
    );
}
