//! `policy explain`: exit statuses, JSON, and questions that make no sense.

use serde_json::{Value, json};

use crate::{CLUSTER, ENCLAVE, Run, answer, chamber, hash, rendered};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d";
const APP: &str = "arn:aws:iam::111122223333:role/App";

/// One statement for a role, and the console's statement 1.
fn policy(rest: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:root"}},"Action":"kms:*","Resource":"*"}},
            {{"Sid":"App","Effect":"Allow","Principal":{{"AWS":"{APP}"}},{rest}}}]}}"#
    )
}

fn explain(policy: &str, arguments: &[&str]) -> Run {
    chamber(&[&["policy", "explain", "-"], arguments].concat(), policy)
}

fn ask(policy: &str, principal: &str, action: &str, more: &[&str]) -> Run {
    let who = ["--principal", principal, "--action", action];
    explain(policy, &[&who[..], more].concat())
}

fn json_of(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{why}: {}{}", run.out, run.err))
}

#[test]
fn the_answer_says_what_it_depends_on() {
    let secret = policy(
        r#""Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.us-east-1.amazonaws.com"}}"#,
    );
    let run = ask(&secret, APP, "kms:Decrypt", &["-o", "json"]);
    assert_eq!(run.status, 3);
    let told = json_of(&run);
    assert_eq!(told["answer"], "depends");
    assert_eq!(told["statement"], "App");
    assert_eq!(
        told["dependsOn"]["kms:ViaService"],
        json!({"allowed": "secretsmanager.us-east-1.amazonaws.com", "denied": null})
    );
    assert!(told["dependsOn"]["IAM policies"].is_object());
    assert!(
        told["notShown"]
            .as_array()
            .unwrap()
            .contains(&json!("grants"))
    );
    let human = ask(&secret, APP, "kms:Decrypt", &[]);
    assert_eq!(
        answer(&human),
        "depends on kms:ViaService, IAM policies (statement App)"
    );
    assert!(
        human.out.contains("  kms:ViaService: allowed with secretsmanager.us-east-1.amazonaws.com, denied without it\n"),
        "{}",
        human.out
    );
    let given = [
        "--context",
        "kms:ViaService=secretsmanager.us-east-1.amazonaws.com",
    ];
    let allowed = ask(&secret, APP, "kms:Decrypt", &given);
    assert_eq!(
        (allowed.status, answer(&allowed)),
        (0, "allowed by statement App")
    );
    let absent = ["--context", "KMS:viaservice=", "-o", "json"];
    let told = json_of(&ask(&secret, APP, "kms:Decrypt", &absent));
    let keys: Vec<_> = told["dependsOn"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["IAM policies"]);
}

/// Where no value is found that turns the answer, it says why.
#[test]
fn a_key_without_a_value_says_why() {
    // No text is another and is not: that shows in no pair of values alone.
    let variable = "${aws:PrincipalTag/b}";
    let likes = policy(&format!(
        r#""Action":"kms:Decrypt","Resource":"*","Condition":{{"StringLike":{{"aws:SourceVpce":"a{variable}"}},"StringNotLike":{{"aws:SourceVpce":["a{variable}","b"]}}}}"#,
    ));
    let run = ask(&likes, APP, "kms:Decrypt", &["-o", "json"]);
    assert_eq!(run.status, 3);
    let why = json_of(&run)["dependsOn"]["aws:SourceVpce"]["unturned"].clone();
    let why = why.as_str().unwrap_or_default().to_owned();
    assert!(why.starts_with("no value found"), "{why}");
    let human = ask(&likes, APP, "kms:Decrypt", &[]);
    assert!(
        human.out.contains(&format!("  aws:SourceVpce: {why}\n")),
        "{}",
        human.out
    );
}

/// Several values of one key, and a service that asks.
#[test]
fn keys_with_several_values_and_services_can_be_asked_about() {
    let tags = policy(
        r#""Action":"kms:TagResource","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}"#,
    );
    let given = |second: &str| {
        let second = format!("aws:TagKeys={second}");
        let more = ["--context", "aws:TagKeys=a", "--context", &second];
        ask(&tags, APP, "kms:TagResource", &more).status
    };
    assert_eq!((given("b"), given("c")), (0, 3));
    let logs = policy(r#""Action":"kms:Decrypt","Resource":"*""#).replace(
        &format!(r#"{{"AWS":"{APP}"}}"#),
        r#"{"Service":"logs.amazonaws.com"}"#,
    );
    let of_key = ["--key", KEY];
    assert_eq!(
        ask(&logs, "logs.amazonaws.com", "kms:Decrypt", &of_key).status,
        0
    );
    assert_eq!(
        ask(&logs, "s3.amazonaws.com", "kms:Decrypt", &of_key).status,
        1
    );
    let no_account = ask(&logs, "logs.amazonaws.com", "kms:Decrypt", &[]);
    assert_eq!(no_account.status, 2);
    assert!(
        no_account.err.contains("--account is missing"),
        "{}",
        no_account.err
    );
}

#[test]
fn registers_without_an_image_and_of_a_tpm_can_be_asked_about() {
    let of = |register: &str| {
        policy(&format!(
            r#""Action":"kms:Decrypt","Resource":"*","Condition":{{"StringEqualsIgnoreCase":{{"kms:RecipientAttestation:{register}":"{}"}}}}"#,
            hash("ab")
        ))
    };
    for (register, measurement, status) in [
        ("PCR8", format!("PCR8={}", hash("AB")), 0),
        (
            "PCR8",
            format!("PCR0={},pcr8={}", hash("01"), hash("ab")),
            0,
        ),
        ("PCR8", format!("PCR3={}", hash("ab")), 3),
        ("NitroTPMPCR4", format!("NitroTPMPCR4={}", hash("ab")), 0),
        // The enclave has no TPM: nothing but IAM could allow it.
        ("NitroTPMPCR4", hash("ab"), 3),
    ] {
        let more = ["--measurement", &measurement];
        let run = ask(&of(register), APP, "kms:Decrypt", &more);
        assert_eq!(
            run.status, status,
            "{register} {measurement}: {}{}",
            run.out, run.err
        );
    }
    for wrong in [
        format!("PCR32={}", hash("ab")),
        format!("PCR8={},NitroTPMPCR4={}", hash("ab"), hash("ab")),
        format!("PCR8={0},pcr8={0}", hash("ab")),
        "PCR8".to_owned(),
        "NitroTPMPCR4=ab".to_owned(),
    ] {
        let run = ask(&of("PCR8"), APP, "kms:Decrypt", &["--measurement", &wrong]);
        assert_eq!(run.status, 2, "{wrong}: {}", run.out);
        assert!(run.err.contains("--measurement"), "{}", run.err);
    }
}

/// Services have the names of their partition.
#[test]
fn services_of_every_partition_can_be_asked_about() {
    for name in [
        "logs.us-east-1.amazonaws.com",
        "logs.cn-north-1.amazonaws.com.cn",
        "logs.eusc-de-east-1.amazonaws.eu",
        "ec2.c2s.ic.gov",
    ] {
        let service = format!(r#"{{"Service":"{name}"}}"#);
        let logs = policy(r#""Action":"kms:Decrypt","Resource":"*""#)
            .replace(&format!(r#"{{"AWS":"{APP}"}}"#), &service);
        let run = ask(&logs, name, "kms:Decrypt", &["--account", "111122223333"]);
        assert_eq!(run.status, 0, "{name}: {}{}", run.out, run.err);
    }
    let run = ask(
        &policy(r#""Action":"*","Resource":"*""#),
        "ec2.example.com",
        "kms:Decrypt",
        &[],
    );
    assert_eq!(run.status, 2, "{}", run.out);
}

/// What the call cannot carry, and what no key policy governs, is said.
#[test]
fn notes_say_what_the_question_overlooks() {
    let policy = rendered(&[&hash("01")], &[]);
    let measured = ["--measurement", &hash("01"), "-o", "json"];
    let told = json_of(&ask(&policy, ENCLAVE, "kms:PutKeyPolicy", &measured));
    assert_eq!(told["attested"], false);
    assert!(
        told["notes"][0]
            .as_str()
            .unwrap()
            .contains("carries no attestation"),
        "{told}"
    );
    let random = ask(&policy, ENCLAVE, "kms:GenerateRandom", &["-o", "json"]);
    assert_eq!(random.status, 3);
    let told = json_of(&random);
    assert!(
        told["notes"][0]
            .as_str()
            .unwrap()
            .contains("not governed by a key policy"),
        "{told}"
    );
    assert_eq!(told["statement"], "IAM policies");
    let abroad = "arn:aws:iam::999999999999:role/R";
    let account = ["--account", "111122223333"];
    let put = ask(&policy, abroad, "kms:PutKeyPolicy", &account);
    assert_eq!(
        (put.status, answer(&put)),
        (1, "denied: no statement allows it")
    );
    assert!(
        put.out.contains("to the key's own account only"),
        "{}",
        put.out
    );
    let listed = policy.replace(
        r#""Null""#,
        r#""ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/team/*"}, "Null""#,
    );
    let session = "arn:aws:sts::111122223333:assumed-role/App/s";
    for (principal, noted) in [(session, true), (APP, false)] {
        let run = ask(&listed, principal, "kms:Decrypt", &[]);
        assert_eq!(run.out.contains("without a path"), noted, "{}", run.out);
    }
    let unnamed = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}}"#;
    let run = ask(unnamed, APP, "kms:Decrypt", &[]);
    assert_eq!(answer(&run), "allowed by statement #0");
    assert!(run.out.contains("counted from #0"), "{}", run.out);
    let found = chamber(&[&["policy", "lint", "-"][..], &CLUSTER].concat(), unnamed);
    assert!(
        found.out.contains("statement #0 gives") && found.out.contains("counted from #0"),
        "{}",
        found.out
    );
}

/// The key's ARN decides where statements name keys, and is asked for rather than guessed.
#[test]
fn the_key_is_named_or_it_depends() {
    let named = policy(&format!(r#""Action":"kms:Encrypt","Resource":"{KEY}""#));
    let other = KEY.replace("1a2b", "ffff");
    for (key, status) in [(Some(KEY), 0), (Some(other.as_str()), 3), (None, 3)] {
        let more = key.map(|key| vec!["--key", key]).unwrap_or_default();
        let run = ask(&named, APP, "kms:Encrypt", &more);
        assert_eq!(run.status, status, "{key:?} {}", run.out);
        let asked_for = run.out.contains("--key says which this is");
        assert_eq!(asked_for, key.is_none(), "{}", run.out);
    }
    let told = json_of(&ask(&named, APP, "kms:Encrypt", &["-o", "json"]));
    assert_eq!(told["dependsOn"]["key ARN"]["allowed"], KEY);
    let denied = policy(&format!(
        r#""Action":"kms:Encrypt","Resource":"*"}},{{"Sid":"Own","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"{KEY}""#
    ));
    let run = ask(&denied, APP, "kms:Encrypt", &["--key", KEY]);
    assert_eq!((run.status, answer(&run)), (1, "denied by statement Own"));
}

#[test]
fn a_question_that_makes_no_sense_is_refused() {
    let policy = policy(r#""Action":"kms:Decrypt","Resource":"*""#);
    let key = KEY.to_owned();
    for (arguments, told) in [
        (
            vec!["--principal", APP, "--action", "Decrypt"],
            "has no service. Expected kms:Decrypt",
        ),
        (
            vec!["--principal", APP, "--action", "kms:*"],
            "a wildcard is many actions",
        ),
        (
            vec!["--principal", APP, "--action", "kms:Foo"],
            "KMS has no such action",
        ),
        (
            vec!["--principal", APP, "--action", "kms:ReEncrypt"],
            "kms:ReEncryptFrom and kms:ReEncryptTo",
        ),
        (
            vec!["--principal", APP, "--action", "s3:GetObject"],
            "actions of kms",
        ),
        (
            vec![
                "--principal",
                "arn:aws:iam::1111:role/A",
                "--action",
                "kms:Decrypt",
            ],
            "twelve digits",
        ),
        (
            vec![
                "--principal",
                "arn:aws:iam::111122223333:group/G",
                "--action",
                "kms:Decrypt",
            ],
            "a group is no principal",
        ),
        (
            vec![
                "--principal",
                "arn:aws:iam::111122223333:role/*",
                "--action",
                "kms:Decrypt",
            ],
            "a wildcard asks for nobody",
        ),
        (
            vec!["--principal", "*", "--action", "kms:Decrypt"],
            "a wildcard asks for nobody",
        ),
        (
            vec!["--principal", "App", "--action", "kms:Decrypt"],
            "is no ARN",
        ),
        (
            vec![
                "--principal",
                "arn:aws:s3:::bucket",
                "--action",
                "kms:Decrypt",
            ],
            "twelve digits",
        ),
        (
            vec![
                "--principal",
                "arn:aws:sts::111122223333:assumed-role/App",
                "--action",
                "kms:Decrypt",
            ],
            "is no role, user, session or root",
        ),
        (
            vec![
                "--principal",
                "arn:moon:iam::111122223333:role/A",
                "--action",
                "kms:Decrypt",
            ],
            "is no ARN of IAM or STS",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--account",
                "12",
            ],
            "twelve digits",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--key",
                "alias/a",
            ],
            "--key alias/a",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--key",
                "arn:aws:kms:us-east-1:111122223333:key/*",
            ],
            "--key arn",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--context",
                "aws:SourceVpce=",
                "--context",
                "aws:SourceVpce=a",
            ],
            "say one of both",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--key",
                &key,
                "--account",
                "999999999999",
            ],
            "the key is of account 111122223333",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--context",
                "aws:SourceVpce",
            ],
            "expected KEY=VALUE",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--context",
                "vpce=a",
            ],
            "is no condition key",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--context",
                "kms:RecipientAttestation:PCR8=a",
            ],
            "--measurement",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--context",
                "aws:PrincipalAccount=999999999999",
            ],
            "aws:PrincipalAccount is 111122223333",
        ),
        (
            vec![
                "--principal",
                APP,
                "--action",
                "kms:Decrypt",
                "--context",
                "aws:username=U",
            ],
            "aws:username is absent",
        ),
    ] {
        let run = explain(&policy, &arguments);
        assert_eq!(run.status, 2, "{arguments:?}: {}", run.out);
        assert!(run.err.contains(told), "{arguments:?}: {}", run.err);
    }
    // What follows may be said again.
    let again = ["--context", "aws:PrincipalAccount=111122223333"];
    assert_eq!(ask(&policy, APP, "kms:Decrypt", &again).status, 0);
}

/// An alias is a resource of IAM policies alone, and the key's policy is asked besides.
/// Names that nobody can have are refused: an answer about them would be about somebody else.
#[test]
fn a_principal_that_cannot_be_is_refused() {
    let policy = policy(r#""Action":"kms:Decrypt","Resource":"*""#);
    let (iam, sts) = ("arn:aws:iam::111122223333:", "arn:aws:sts::111122223333:");
    for (principal, told) in [
        (
            format!("{iam}role/x/"),
            "is no role, user, session or account",
        ),
        (
            format!("{iam}role//x"),
            "is no role, user, session or account",
        ),
        (format!("{iam}role/a b"), "has a blank"),
        (format!("{iam}user/"), "is no role, user, session or root"),
        (
            format!("{iam}root/"),
            "is no role, user, session or account",
        ),
        (format!("{sts}assumed-role/x/"), "names no session"),
        (format!("{sts}assumed-role/x//s"), "names no session"),
        (format!("{sts}assumed-role/x/a/b"), "names no session"),
        (format!("{sts}federated-user/a\tb"), "has a blank"),
        (".amazonaws.com".to_owned(), "is no service"),
        ("ec2..amazonaws.com".to_owned(), "is no service"),
        ("a b.amazonaws.com".to_owned(), "is no service"),
    ] {
        let run = ask(&policy, &principal, "kms:Decrypt", &["--key", KEY]);
        assert_eq!(run.status, 2, "{principal}: {}", run.out);
        assert!(
            run.err.contains(told) && run.err.contains("--principal"),
            "{}",
            run.err
        );
    }
    let chinese = KEY.replace("arn:aws:", "arn:aws-cn:");
    for (principal, key, status) in [
        (APP, KEY, 0),
        (APP, &*chinese, 2),
        ("arn:aws-cn:iam::111122223333:role/App", KEY, 2),
        // Services have the same name in several partitions.
        ("ec2.amazonaws.com", &*chinese, 1),
    ] {
        let run = ask(&policy, principal, "kms:Decrypt", &["--key", key]);
        assert_eq!(
            run.status, status,
            "{principal} {key}: {}{}",
            run.out, run.err
        );
        assert_eq!(
            run.err.contains("of another partition"),
            status == 2,
            "{}",
            run.err
        );
    }
    for fine in [
        format!("{iam}role/team/App"),
        format!("{sts}assumed-role/App/a@b.c"),
        format!("{iam}root"),
    ] {
        let run = ask(&policy, &fine, "kms:Decrypt", &["--key", KEY]);
        assert_ne!(run.status, 2, "{fine}: {}", run.err);
    }
}

#[test]
fn aliases_need_iam_too() {
    let all = policy(r#""Action":"kms:*","Resource":"*""#);
    let run = ask(&all, APP, "kms:CreateAlias", &[]);
    assert_eq!(
        (run.status, answer(&run)),
        (3, "depends on IAM policies (statement IAM policies)")
    );
    assert!(
        run.out.contains("an IAM policy for the alias, too"),
        "{}",
        run.out
    );
}

/// A document that KMS refuses is answered, and it is said that it is never in force.
#[test]
fn a_document_that_kms_refuses_is_said_to_be_one() {
    let refused =
        policy(r#""Action":"kms:Decrypt","Resource":"*""#).replace("2012-10-17", "2013-01-01");
    let run = ask(&refused, APP, "kms:Decrypt", &[]);
    assert!(
        run.out
            .contains("note: KMS refuses this document: the version"),
        "{}",
        run.out
    );
}

/// What is no policy of IAM is not taken for one.
#[test]
fn an_identity_has_to_be_one() {
    let folder =
        std::env::temp_dir().join(format!("kubectl-chamber-identity-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("identity.json");
    let named = file.to_str().unwrap();
    let key = policy(r#""Action":"kms:Decrypt","Resource":"*""#);
    let statement = |rest: &str| {
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{rest}}}}}"#)
    };
    for (identity, told) in [
        (key.clone(), "has a Principal"),
        (statement(r#""Action":"kms:*""#), "no Action or no Resource"),
        (
            statement(r#""Action":"kms:*","Resource":"*","Condition":{"StringIs":{"a:b":"c"}}"#),
            "AWS does not have",
        ),
    ] {
        std::fs::write(&file, identity).unwrap();
        let run = ask(&key, APP, "kms:Decrypt", &["--identity", named]);
        assert_eq!(run.status, 2, "{}", run.out);
        assert!(run.err.contains(told), "{}", run.err);
    }
    std::fs::write(&file, statement(r#""Action":"kms:*","Resource":"*""#)).unwrap();
    assert_eq!(
        ask(&key, APP, "kms:Decrypt", &["--identity", named]).status,
        0
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Why a pin of PCR16 asks for the profile Pinned: an identity policy of the enclave role goes past statement 3.
#[test]
fn what_an_identity_policy_opens_past_a_pinned_manifest_is_shown() {
    let folder = std::env::temp_dir().join(format!("kubectl-chamber-pin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("identity.json");
    let allowed = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]});
    std::fs::write(&file, allowed.to_string()).unwrap();
    let identity = ["--identity", file.to_str().unwrap()];
    let pcr = |byte: u8| measurement::Pcr::from_bytes([byte; 48]);
    let mut live = measurement::Measurement::image(pcr(0x1a));
    live.registers.insert(16, pcr(0x16));
    let attested = |register: u8| format!("PCR0={},PCR16={}", pcr(0x1a), pcr(register));
    let mut template = key_policy::Template::in_account("aws", "111122223333", CLUSTER[1]);
    template.pins = [16].into();
    for (profile, older) in [
        (key_policy::Profile::Standard, "allowed by"),
        (key_policy::Profile::Pinned, "denied by"),
    ] {
        template.profile = profile;
        let policy = template.render(std::slice::from_ref(&live)).to_json();
        let under = |register: u8| {
            let measured = attested(register);
            let more = [&identity[..], &["--measurement", &measured]].concat();
            ask(&policy, ENCLAVE, "kms:Decrypt", &more)
        };
        let newest = under(0x16);
        assert!(answer(&newest).starts_with("allowed by"), "{}", newest.out);
        let other = under(0x15);
        assert!(answer(&other).starts_with(older), "{}", other.out);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
