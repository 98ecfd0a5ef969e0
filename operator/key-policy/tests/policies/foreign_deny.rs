//! Deny statements of others, and whether they stop a rollover.

use crate::common::{release, signed, spoilt, template, with};
use key_policy::{Denial, Policy, Template};
use measurement::Measurement;

/// The Deny that surely stops the target; with `?` and the keys where it depends on them.
fn foreign_deny(
    policy: &Policy,
    template: &Template,
    target: &Measurement,
    current: Option<&Measurement>,
) -> Option<String> {
    Some(
        match key_policy::foreign_deny(policy, template, target, current)? {
            Denial::Certain { by } => by,
            Denial::Depends { by, on } => format!("{by}? {}", on.join(", ")),
        },
    )
}

#[test]
fn a_foreign_deny_counts_when_it_stops_the_target_tells_it_from_the_current_release_or_may_stop_it()
{
    let deny = |condition: &str| {
        let policy = with(&format!(
            r#"{{"Sid":"Stop","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{{condition}}}}}"#
        ));
        foreign_deny(&policy, &template(), &release(2), Some(&release(1)))
    };
    let image = |byte| release(byte).image_sha384;
    let two = format!(
        r#""StringEquals":{{"kms:RecipientAttestation:ImageSha384":"{}"}}"#,
        image(2)
    );
    let not_one = format!(
        r#""StringNotEquals":{{"kms:RecipientAttestation:ImageSha384":"{}"}}"#,
        image(1)
    );
    let endpoint = r#""StringNotEquals":{"aws:SourceVpce":"vpce-1"}"#;
    assert_eq!(deny("").as_deref(), Some("Stop"));
    assert_eq!(deny(&two).as_deref(), Some("Stop"));
    assert_eq!(deny(&not_one).as_deref(), Some("Stop"));
    assert_eq!(deny(endpoint).as_deref(), Some("Stop? aws:SourceVpce"));
    let both = format!(
        r#""StringNotEquals":{{"aws:SourceVpce":"vpce-1","kms:RecipientAttestation:ImageSha384":"{}"}}"#,
        image(1)
    );
    assert_eq!(deny(&both).as_deref(), Some("Stop"));
    let other_role = r#"{"Sid":"Stop","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/Other"},"Action":"kms:*","Resource":"*"}"#;
    assert_eq!(
        foreign_deny(&with(other_role), &template(), &release(2), None),
        None
    );
}

#[test]
fn registers_that_a_release_does_not_name_are_unknown_not_absent() {
    let deny = |condition: &str, target, current| {
        let policy = with(&format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{{condition}}}}}"#
        ));
        foreign_deny(&policy, &template(), target, current)
    };
    let seven = signed(1, 8, 7).registers[&8];
    let not_seven = format!(r#""StringNotEquals":{{"kms:RecipientAttestation:PCR8":"{seven}"}}"#);
    let (plain, same, other) = (release(2), signed(2, 8, 7), signed(2, 8, 9));
    let depends = "#5? kms:RecipientAttestation:PCR8";
    assert_eq!(deny(&not_seven, &plain, None).as_deref(), Some(depends));
    assert_eq!(deny(&not_seven, &same, None), None);
    assert_eq!(deny(&not_seven, &other, None).as_deref(), Some("#5"));
    // The current release passes for sure, the target nobody knows: that tells them apart.
    assert_eq!(deny(&not_seven, &plain, Some(&same)).as_deref(), Some("#5"));
    // A register of a TPM is never there, so a negated comparison with it stops every enclave.
    let tpm = r#""StringNotEquals":{"kms:RecipientAttestation:NitroTPMPCR4":"x"}"#;
    assert_eq!(deny(tpm, &plain, Some(&same)).as_deref(), Some("#5"));
}

#[test]
fn only_denials_of_the_enclave_roles_decrypt_count() {
    let role = template().enclave_role_arn();
    let other = "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-other/one";
    for (members, stops) in [
        (r#""Principal":"*","NotAction":"kms:Encrypt","Resource":"*""#.to_owned(), true),
        (format!(r#""Principal":{{"AWS":"{role}"}},"Action":"kms:d*","Resource":["*"]"#), true),
        (r#""Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*""#.into(), true),
        (r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/R"},"Action":"*","Resource":"*""#.into(), true),
        // AWS may look at the account first, so it has to be listed, too.
        (format!(r#""NotPrincipal":{{"AWS":"{role}"}},"Action":"*","Resource":"*""#), true),
        (format!(r#""NotPrincipal":{{"AWS":["{role}","111122223333"]}},"Action":"*","Resource":"*""#), false),
        (r#""Principal":"*","Action":"*","Resource":"arn:aws:kms:us-east-1:999999999999:key/a""#.into(), false),
        (r#""Principal":"*","Action":"*","Resource":"arn:aws:kms:*:111122223333:key/*""#.into(), true),
        (format!(r#""Principal":{{"AWS":"{other}"}},"Action":"*","Resource":"*""#), false),
        (r#""Principal":"*","Action":"kms:Encrypt","Resource":"*""#.into(), false),
        (r#""Principal":"*","NotAction":"kms:Decrypt","Resource":"*""#.into(), false),
        (r#""Principal":"*","Action":"kms:Decrypt""#.into(), false),
        (r#""Principal":{"Service":"ec2.amazonaws.com"},"Action":"*","Resource":"*""#.into(), false),
    ] {
        let policy = with(&format!(r#"{{"Sid":"Stop","Effect":"Deny",{members}}}"#));
        let found = foreign_deny(&policy, &template(), &release(2), None);
        assert_eq!(found.is_some(), stops, "{members}");
    }
}

/// The name of a chamber's session is not known: a Deny of one session, or of all but one, may be a chamber's.
#[test]
fn a_deny_of_a_session_depends_on_its_name() {
    let role = template().enclave_role_arn();
    let session = |name: &str| {
        format!(
            "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/{name}"
        )
    };
    let (one, chamber) = (session("i-1"), session("chamber"));
    let depends = Some("Stop? session name");
    for (principal, found) in [
        (format!(r#""Principal":{{"AWS":"{one}"}}"#), depends),
        (format!(r#""Principal":{{"AWS":"{chamber}"}}"#), depends),
        (
            format!(r#""Principal":{{"AWS":["{one}","{role}"]}}"#),
            Some("Stop"),
        ),
        (
            format!(r#""NotPrincipal":{{"AWS":["{one}","{role}","111122223333"]}}"#),
            depends,
        ),
        (
            format!(r#""NotPrincipal":{{"AWS":["{role}","111122223333"]}}"#),
            None,
        ),
    ] {
        let policy = with(&format!(
            r#"{{"Sid":"Stop","Effect":"Deny",{principal},"Action":"kms:Decrypt","Resource":"*"}}"#
        ));
        let denial = foreign_deny(&policy, &template(), &release(2), Some(&release(1)));
        assert_eq!(denial.as_deref(), found, "{principal}");
        let answers = (
            key_policy::decrypts(&policy, &template(), &release(2)),
            key_policy::may_decrypt(&policy, &template(), &release(2)),
        );
        let wanted = (found.is_none(), found != Some("Stop"));
        assert_eq!(answers, wanted, "{principal}");
    }
}

/// The fifth statement by its name only: without its condition it stops everybody.
#[test]
fn one_of_the_five_is_not_spared_for_its_name() {
    let condition = "{\"Null\": {\"kms:RecipientAttestation:ImageSha384\": \"true\"}}";
    for (changed, stops) in [
        ("{}", true),
        (
            "{\"Null\": {\"kms:RecipientAttestation:ImageSha384\": \"false\"}}",
            true,
        ),
        (condition, false),
    ] {
        let text = crate::common::SEED.replace(condition, changed);
        assert!(changed == condition || text != crate::common::SEED);
        let policy = key_policy::Policy::parse(&text).unwrap();
        let found = foreign_deny(&policy, &template(), &release(2), Some(&release(1)));
        assert_eq!(found.is_some(), stops, "{changed}");
    }
    let found = foreign_deny(
        &spoilt("\"Allow\"", "\"Deny\""),
        &template(),
        &release(2),
        None,
    );
    assert_eq!(found.as_deref(), Some("EnableIAMRootPermissionsBreakGlass"));
}

/// What the spec says of a chamber's requests decides, and says nothing of who asks or what it attests.
#[test]
fn what_is_assumed_decides_a_fence() {
    let fence = r#"{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}"#;
    let policy = with(fence);
    for (assumed, found) in [
        (None, Some("Fence? aws:SourceVpce")),
        (Some("vpce-1"), None),
        (Some("vpce-2"), Some("Fence")),
        (Some(""), Some("Fence")),
    ] {
        let mut template = template();
        let assumed = assumed.map(|value| ("aws:SourceVpce".to_owned(), value.to_owned()));
        template.assume.extend(assumed);
        assert_eq!(
            foreign_deny(&policy, &template, &release(2), None).as_deref(),
            found
        );
        assert_eq!(
            key_policy::decrypts(&policy, &template, &release(2)),
            found.is_none()
        );
    }
}

/// What follows from the role and the key is no question: fences that are true of the enclave role stop nothing.
#[test]
fn what_follows_from_the_role_is_known() {
    for (condition, found) in [
        (
            r#""StringNotEquals":{"aws:PrincipalAccount":"111122223333"}"#,
            None,
        ),
        (
            r#""StringNotEquals":{"kms:CallerAccount":"111122223333"}"#,
            None,
        ),
        (r#""Bool":{"aws:PrincipalIsAWSService":"true"}"#, None),
        (r#""Bool":{"aws:SecureTransport":"false"}"#, None),
        (
            r#""BoolIfExists":{"aws:UserAgent":["true","false"]}"#,
            Some("Fence? aws:UserAgent"),
        ),
        (
            r#""BoolIfExists":{"aws:SourceVpce":["true","false"]}"#,
            Some("Fence? aws:SourceVpce"),
        ),
        (r#""StringLike":{"kms:ViaService":"*"}"#, None),
        (
            r#""ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"}"#,
            Some("Fence"),
        ),
        (
            r#""StringNotEquals":{"aws:PrincipalOrgID":"o-1"}"#,
            Some("Fence? aws:PrincipalOrgID"),
        ),
    ] {
        let policy = with(&format!(
            r#"{{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{{{condition}}}}}"#
        ));
        let denial = foreign_deny(&policy, &template(), &release(2), Some(&release(1)));
        assert_eq!(denial.as_deref(), found, "{condition}");
        assert_eq!(
            key_policy::decrypts(&policy, &template(), &release(2)),
            found.is_none()
        );
    }
}

/// A key that is known is told from another; of one that is not nobody can say.
#[test]
fn a_deny_of_another_key_is_not_this_keys() {
    let here = "arn:aws:kms:us-east-1:111122223333:key/a";
    let policy = with(&format!(
        r#"{{"Sid":"One","Effect":"Deny","Principal":"*","Action":"*","Resource":"{here}"}}"#
    ));
    for (key, found) in [
        (Some(here), Some("One")),
        (Some("arn:aws:kms:us-east-1:111122223333:key/b"), None),
        (None, Some("One? key ARN")),
    ] {
        let mut template = template();
        template.key_arn = key.map(str::to_owned);
        let denial = foreign_deny(&policy, &template, &release(2), None);
        assert_eq!(denial.as_deref(), found, "{key:?}");
    }
}

/// Two that each depend on a key, one with the other's complement, stop the target together.
#[test]
fn complements_together_stop_it() {
    let deny = |sid: &str, rest: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{{{rest}}}}}"#
        )
    };
    let own = deny("Own", r#""StringEquals":{"aws:SourceVpce":"vpce-1"}"#);
    let others = deny("Others", r#""StringNotEquals":{"aws:SourceVpce":"vpce-1"}"#);
    let both = with(&format!("{own},{others}"));
    let of = |policy: &Policy| foreign_deny(policy, &template(), &release(2), Some(&release(1)));
    assert_eq!(of(&both).as_deref(), Some("Own and Others"));
    // One that may stop it, too, has no part in that.
    let tag = deny("Tag", r#""StringEquals":{"aws:PrincipalTag/a":"b"}"#);
    let beside = with(&format!("{own},{tag},{others}"));
    assert_eq!(of(&beside).as_deref(), Some("Own and Others"));
    // What only a variable asks for is what the answer depends on.
    let variable = deny(
        "Variable",
        r#""StringEquals":{"aws:PrincipalAccount":"${aws:SourceAccount}"}"#,
    );
    let found = of(&with(&variable));
    assert_eq!(found.as_deref(), Some("Variable? aws:SourceAccount"));
    let one = with(&format!("{own},{own}"));
    assert_eq!(of(&one).as_deref(), Some("Own? aws:SourceVpce"));
    let mfa = deny("Mfa", r#""Bool":{"aws:MultiFactorAuthPresent":"false"}"#);
    let apart = with(&format!("{own},{mfa}"));
    assert_eq!(of(&apart).as_deref(), Some("Own? aws:SourceVpce"));
    // One that holds whatever a request has needs no other.
    let any = with(&deny(
        "Any",
        r#""StringLikeIfExists":{"aws:SourceVpce":"*"}"#,
    ));
    assert_eq!(of(&any).as_deref(), Some("Any"));
    // What is assumed decides before.
    let mut template = template();
    template
        .assume
        .insert("aws:SourceVpce".into(), "vpce-2".into());
    let found = foreign_deny(&both, &template, &release(2), None);
    assert_eq!(found.as_deref(), Some("Others"));
}
