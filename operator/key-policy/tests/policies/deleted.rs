//! Principals that were deleted: KMS shows their ids, and takes no policy that holds one.

use key_policy::{
    DeletedPrincipal, NotOurs, Policy, Profile, RuleId, Template, admitted, adopt,
    deleted_principals, found, holds, lint, project, projects,
};

use crate::common::{release, template};

const ROLE: &str = "AROAQ3EGSQ4DEXAMPLE42";
const USER: &str = "AIDAQ3EGSQ4DEXAMPLE7X";

fn pinned() -> Template {
    Template {
        profile: Profile::Pinned,
        ..template()
    }
}

fn without(text: &str, arn: &str, ids: &str) -> Policy {
    let from = format!("\"{arn}\"");
    assert!(text.contains(&from), "{arn} is not in {text}");
    Policy::parse(&text.replace(&from, ids)).unwrap()
}

#[test]
fn statements_with_deleted_principals_are_named() {
    let policy = Policy::parse(&format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Sid":"One","Effect":"Deny","NotPrincipal":{{"AWS":["arn:aws:iam::111122223333:root","{ROLE}"]}},"Action":"kms:Sign","Resource":"*"}},
            {{"Effect":"Allow","Principal":{{"AWS":"{USER}"}},"Action":"kms:Sign","Resource":"*"}},
            {{"Sid":"Two","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:role/AROA"}},"Action":"kms:Sign","Resource":"*"}},
            {{"Sid":"Three","Effect":"Allow","Principal":{{"Service":"{ROLE}"}},"Action":"kms:Sign","Resource":"*"}}
        ]}}"#
    ));
    let named = |statement: &str, id: &str| DeletedPrincipal {
        statement: statement.into(),
        id: id.into(),
    };
    assert_eq!(
        deleted_principals(&policy.unwrap()),
        [named("One", ROLE), named("#1", USER)]
    );
    assert_eq!(deleted_principals(&template().render(&[release(1)])), []);
}

#[test]
fn a_deleted_enclave_role_is_not_ours_as_it_is_and_projection_repairs_it() {
    for template in [template(), pinned()] {
        let live = [release(5)];
        let good = template.render(&live);
        let text = good.to_json();
        let role = template.enclave_role_arn();
        for ids in [
            format!("\"{ROLE}\""),
            format!("[\"{ROLE}\", \"{role}\"]"),
            format!("[\"{ROLE}\", \"{USER}\"]"),
        ] {
            let policy = without(&text, &role, &ids);
            let fault = admitted(&policy, &template).unwrap_err();
            let expected = NotOurs::DeletedPrincipal {
                sid: "AllowChamberEnclaveEncryptForWrapping".into(),
                id: ROLE.into(),
            };
            assert_eq!(fault, expected, "{ids}");
            assert!(holds(&policy, &template, &live).is_err());
            assert_eq!(projects(&policy, &template), Ok(()));
            let repaired = project(&policy, &template, &live).unwrap();
            assert!(repaired.equivalent(&good), "{}", repaired.to_json());
            assert!(adopt(&policy, &template, &live).equivalent(&good));
        }
        // Whoever was deleted decrypts nothing.
        let policy = without(&text, &role, &format!("\"{ROLE}\""));
        assert!(found(&policy, &template).unwrap().image_sha384.is_empty());
        // Another cluster's role beside it is another cluster's.
        let other = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-theirs";
        for ids in [
            format!("[\"{ROLE}\", \"{other}\"]"),
            format!("[\"{role}\", \"{other}\"]"),
        ] {
            let fault = projects(&without(&text, &role, &ids), &template).unwrap_err();
            assert!(matches!(fault, NotOurs::ForeignRole { .. }), "{fault}");
        }
    }
}

#[test]
fn the_other_administrators_stay_where_one_was_deleted() {
    let live = [release(5)];
    let text = template().render(&live).to_json();
    let admin = template().admin_role_arn;
    let keeper = "arn:aws:iam::111122223333:role/Keeper";
    let of = |policy: &Policy| -> Vec<String> {
        let statement = policy.statement("AllowKeyAdministrators").unwrap();
        statement.principals.as_ref().unwrap().listed["AWS"].clone()
    };
    for (ids, wanted) in [
        (format!("\"{ROLE}\""), vec![admin.clone()]),
        (
            format!("[\"{ROLE}\", \"{keeper}\"]"),
            vec![keeper.to_owned(), admin.clone()],
        ),
        (format!("[\"{admin}\", \"{USER}\"]"), vec![admin.clone()]),
    ] {
        let policy = without(&text, &admin, &ids);
        assert_eq!(holds(&policy, &template(), &live), Ok(false));
        for repaired in [
            project(&policy, &template(), &live).unwrap(),
            adopt(&policy, &template(), &live),
        ] {
            assert_eq!(of(&repaired), wanted);
            assert_eq!(holds(&repaired, &template(), &live), Ok(true));
            assert_eq!(deleted_principals(&repaired), []);
            assert_eq!(Policy::parse(&repaired.to_json()).unwrap(), repaired);
        }
    }
    // Who is not deleted is not touched.
    let policy = without(&text, &admin, &format!("\"{keeper}\""));
    assert_eq!(of(&project(&policy, &template(), &live).unwrap()), [keeper]);
}

#[test]
fn lint_says_who_repairs_it() {
    let cure = |policy: &Policy| {
        let findings = lint(policy, &template()).into_iter();
        let mut deleted = findings.filter(|one| one.rule == RuleId::UniqueIdPrincipal);
        deleted.next().unwrap().cure
    };
    let text = template().render(&[release(1)]).to_json();
    let ours = without(
        &text,
        &template().enclave_role_arn(),
        &format!("\"{ROLE}\""),
    );
    assert!(cure(&ours).contains("The operator does it"));
    let theirs = crate::common::with(&format!(
        r#"{{"Sid":"Extra","Effect":"Allow","Principal":{{"AWS":"{USER}"}},"Action":"kms:DescribeKey","Resource":"*"}}"#
    ));
    assert!(cure(&theirs).contains("or remove it"));
}
