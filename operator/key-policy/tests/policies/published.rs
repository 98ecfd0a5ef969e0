//! Whole policies in the shapes that people publish, and what each answers and depends on.

use key_policy::Policy;
use key_policy::evaluate::{self, Context, Decision, Identity, Principal, Request};

use crate::common::release;
use crate::evaluate::{ACCOUNT, allow_all};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ROOT: &str = r#"{"Sid":"Root","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#;

/// What a role is answered, with or without release 1, as `allowed Sid`, `denied Sid`, `denied` or `depends Sid: key, key`.
/// Each key of the last has values with which it is allowed and denied.
fn answer(statements: &str, role: &str, action: &str, attests: bool, iam: Identity<'_>) -> String {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{ROOT},{statements}]}}"#);
    let policy = Policy::parse(&text).unwrap();
    let principal =
        Principal::session(&format!("arn:aws:iam::{ACCOUNT}:role/{role}"), ACCOUNT, "*");
    let mut context = Context::of(&principal, KEY);
    if attests {
        context = context.attesting(&release(1));
    }
    let request = Request {
        principal: &principal,
        action,
        resource: KEY,
        context: &context,
    };
    match evaluate::key_policy(&policy, ACCOUNT, iam, &request) {
        Decision::Allowed { by } => format!("allowed {by}"),
        Decision::ExplicitDeny { by } => format!("denied {by}"),
        Decision::ImplicitDeny => "denied".to_owned(),
        Decision::Depends { by, on } => {
            let turned = on
                .iter()
                .all(|one| one.allowed.is_some() && one.denied.is_some());
            assert!(turned, "{role} {action}: {on:?}");
            let keys: Vec<_> = on.iter().map(|one| one.key.as_str()).collect();
            format!("depends {by}: {}", keys.join(", "))
        }
    }
}

const NONE: Identity<'_> = Identity::Policies(&[]);

/// A secret that an application reads through Secrets Manager alone.
#[test]
fn a_secret_by_service_and_encryption_context() {
    let secret = r#"{"Sid":"App","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},"Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*",
        "Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.us-east-1.amazonaws.com","kms:EncryptionContext:SecretARN":"arn:aws:secretsmanager:us-east-1:111122223333:secret:a"}}}"#;
    let on = "depends App: kms:EncryptionContext:SecretARN, kms:ViaService";
    assert_eq!(answer(secret, "app", "kms:Decrypt", false, NONE), on);
    let open = answer(secret, "app", "kms:Decrypt", false, Identity::Unknown);
    assert_eq!(open, format!("{on}, IAM policies"));
    assert_eq!(
        answer(secret, "other", "kms:Decrypt", false, NONE),
        "denied"
    );
    let other = answer(
        secret,
        "other",
        "kms:Decrypt",
        false,
        Identity::Policies(&[allow_all()]),
    );
    assert_eq!(other, "allowed Root");
}

/// The console's policy: grants for AWS's services only, and a bare use of the key.
#[test]
fn the_consoles_policy_with_grants() {
    let console = r#"{"Sid":"Use","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/parent"},"Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*"],"Resource":"*"},
        {"Sid":"Grants","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/parent"},"Action":["kms:CreateGrant","kms:RevokeGrant"],"Resource":"*","Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}}"#;
    assert_eq!(
        answer(console, "parent", "kms:Decrypt", false, NONE),
        "allowed Use"
    );
    assert_eq!(
        answer(console, "parent", "kms:CreateGrant", false, NONE),
        "depends Grants: kms:GrantIsForAWSResource"
    );
    assert_eq!(
        answer(console, "parent", "kms:PutKeyPolicy", false, NONE),
        "denied"
    );
}

/// Everybody but a list is kept out; a service and a network are spared where they say so.
#[test]
fn a_fence_spares_a_list() {
    let fence = r#"{"Sid":"Tenant","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/tenant-7","arn:aws:iam::111122223333:role/tenant-8"]},"Action":"kms:Decrypt","Resource":"*"},
        {"Sid":"Others","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalArn":["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:role/tenant-7"]}}},
        {"Sid":"Network","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"NotIpAddressIfExists":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]},"StringNotEqualsIfExists":{"aws:SourceVpce":"vpce-1"},"BoolIfExists":{"aws:ViaAWSService":"false"}}}"#;
    assert_eq!(
        answer(fence, "tenant-7", "kms:Decrypt", false, NONE),
        "depends Network: aws:SourceIp, aws:SourceVpce, aws:ViaAWSService"
    );
    assert_eq!(
        answer(fence, "tenant-8", "kms:Decrypt", false, NONE),
        "denied Others"
    );
    assert_eq!(
        answer(fence, "tenant-7", "kms:Encrypt", false, NONE),
        "denied"
    );
}

/// A release's key that its caller's account closes, and a node by the role's name: all of it follows from the question.
#[test]
fn what_follows_from_the_question_is_no_dependence() {
    let image = release(1).image_sha384;
    let releases = format!(
        r#"{{"Sid":"Open","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:role/vault"}},"Action":"kms:Decrypt","Resource":"*","Condition":{{"StringEqualsIgnoreCase":{{"kms:RecipientAttestation:ImageSha384":"{image}"}},"StringEquals":{{"kms:CallerAccount":"111122223333"}}}}}},
        {{"Sid":"Node","Effect":"Allow","Principal":{{"AWS":"111122223333"}},"Action":"kms:Decrypt","Resource":"*","Condition":{{"ArnLike":{{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/node0*"}},"StringEquals":{{"kms:RecipientAttestation:PCR8":"88"}}}}}}"#
    );
    assert_eq!(
        answer(&releases, "vault", "kms:Decrypt", true, NONE),
        "allowed Open"
    );
    assert_eq!(
        answer(&releases, "vault", "kms:Decrypt", false, NONE),
        "denied"
    );
    let allowed = Identity::Policies(&[]);
    assert_eq!(
        answer(&releases, "node0A", "kms:Decrypt", false, allowed),
        "denied"
    );
}

/// Tags of the role and of the request, compared with each other.
#[test]
fn tags_that_have_to_be_alike() {
    let tags = r#"{"Sid":"Team","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/team"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"team-${aws:PrincipalTag/team}"},"ForAnyValue:StringLike":{"kms:ResourceAliases":["alias/team-*"]}}},
        {"Sid":"Keys","Effect":"Deny","Principal":"*","Action":"kms:TagResource","Resource":"*","Condition":{"ForAllValues:StringNotLike":{"aws:TagKeys":["cost*","stage"]}}}"#;
    let on = "aws:PrincipalTag/team, aws:ResourceTag/team, kms:ResourceAliases";
    assert_eq!(
        answer(tags, "team", "kms:Decrypt", false, NONE),
        format!("depends Team: {on}")
    );
    assert_eq!(
        answer(tags, "team", "kms:TagResource", false, NONE),
        "depends Team: aws:PrincipalTag/team, aws:ResourceTag/team, aws:TagKeys, kms:ResourceAliases"
    );
}
