//! Deny statements of others, and whether they stop a rollover.

use crate::common::{release, signed, spoilt, template, with};
use key_policy::foreign_deny;

#[test]
fn a_foreign_deny_counts_when_it_stops_the_target_or_tells_it_from_the_current_release() {
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
    assert_eq!(deny(endpoint), None);
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
    assert_eq!(deny(&not_seven, &plain, None), None);
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
    let session =
        "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/other";
    for (members, stops) in [
        (r#""Principal":"*","NotAction":"kms:Encrypt","Resource":"*""#.to_owned(), true),
        (format!(r#""Principal":{{"AWS":"{role}"}},"Action":"kms:d*","Resource":["*"]"#), true),
        (r#""Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*""#.into(), true),
        (r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/R"},"Action":"*","Resource":"*""#.into(), true),
        // Whether the account would have to be listed, too, is AWS's doubt, and chambers are the proof.
        (format!(r#""NotPrincipal":{{"AWS":"{role}"}},"Action":"*","Resource":"*""#), false),
        (format!(r#""Principal":{{"AWS":"{session}"}},"Action":"*","Resource":"*""#), false),
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
