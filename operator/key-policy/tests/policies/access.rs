//! Who may do what under several policies side by side.

use key_policy::evaluate::Decision;
use key_policy::{Access, Profile, access, decrypts, may_decrypt};
use measurement::Pcr;

use crate::common::{release, template, with};

fn row<'a>(rows: &'a [Access], principal: &str, action: &str, attested: &str) -> &'a Access {
    let mut found = rows
        .iter()
        .filter(|row| row.principal.starts_with(principal) && row.action == action);
    found
        .find(|row| row.attested == attested || row.attested == "any")
        .unwrap_or_else(|| panic!("{principal} {action} {attested}: {rows:#?}"))
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allowed { .. } => "allowed",
        Decision::Depends { .. } => "depends",
        _ => "denied",
    }
}

#[test]
fn a_row_changes_where_the_policies_answer_differently() {
    let (one, two) = (release(1), release(2));
    let (before, after) = (
        template().render(std::slice::from_ref(&one)),
        template().render(std::slice::from_ref(&two)),
    );
    let rows = access(&[&before, &after], &template(), &[one, two]);
    let enclave = |attested: &str| {
        let row = row(&rows, "ChamberEnclaveRole", "kms:Decrypt", attested);
        let words: Vec<_> = row.by.iter().map(word).collect();
        (words, row.changes())
    };
    assert_eq!(enclave("0101010101"), (vec!["allowed", "denied"], true));
    assert_eq!(enclave("0202020202"), (vec!["denied", "allowed"], true));
    assert_eq!(enclave("another image"), (vec!["denied", "denied"], false));
    assert_eq!(enclave("none"), (vec!["denied", "denied"], false));
    // Denied is denied, by whichever statement: what makes no difference is one row.
    let admin = row(&rows, "ChamberKmsKeyAdmin", "kms:Decrypt", "any");
    assert!(!admin.changes());
    let encrypt = row(&rows, "ChamberEnclaveRole", "kms:Encrypt", "any");
    assert_eq!(
        encrypt.by.iter().map(word).collect::<Vec<_>>(),
        ["allowed", "allowed"]
    );
    let decrypts = rows.iter().filter(|row| {
        row.principal.starts_with("ChamberEnclaveRole") && row.action == "kms:Decrypt"
    });
    assert_eq!(decrypts.count(), 4);
}

/// What depends is told apart from both answers, and for anybody it depends on who that is.
#[test]
fn what_depends_is_a_third_answer() {
    let live = [release(1)];
    let open = template().render(&live);
    let fence = with(
        r#"{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/Ops*"}}}"#,
    );
    let rows = access(&[&open, &fence], &template(), &live);
    let words = |principal: &str| {
        let row = row(&rows, principal, "kms:Decrypt", "0101010101");
        assert!(row.changes(), "{row:?}");
        row.by.iter().map(word).collect::<Vec<_>>()
    };
    assert_eq!(words("any IAM principal"), ["allowed", "depends"]);
    assert_eq!(words("ChamberEnclaveRole"), ["allowed", "denied"]);
    let own = "arn:aws:kms:us-east-1:111122223333:key/a";
    let vpce = with(&format!(
        r#"{{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"{own}","Condition":{{"StringNotEquals":{{"aws:SourceVpce":"vpce-1"}}}}}}"#
    ));
    for (key, assumed, answer) in [
        (Some(own), None, "depends"),
        (None, None, "depends"),
        (
            Some("arn:aws:kms:us-east-1:111122223333:key/b"),
            None,
            "allowed",
        ),
        (Some(own), Some("vpce-1"), "allowed"),
        (Some(own), Some("vpce-2"), "denied"),
    ] {
        let mut template = template();
        template.key_arn = key.map(str::to_owned);
        let assumed = assumed.map(|value: &str| ("aws:SourceVpce".to_owned(), value.to_owned()));
        template.assume.extend(assumed);
        let rows = access(&[&vpce], &template, &live);
        let enclave = row(&rows, "ChamberEnclaveRole", "kms:Decrypt", "0101010101");
        assert_eq!(word(&enclave.by[0]), answer, "{key:?}");
        // What is assumed of the chambers is assumed of nobody else.
        let anybody = row(&rows, "any IAM principal", "kms:Decrypt", "0101010101");
        let others = if answer == "allowed" && key != Some(own) {
            "allowed"
        } else {
            "depends"
        };
        assert_eq!(word(&anybody.by[0]), others, "{key:?}");
    }
}

#[test]
fn one_image_under_two_manifests_is_told_apart_and_asked_under_a_third() {
    let under = |byte: u8| {
        let mut one = release(1);
        one.registers.insert(16, Pcr::from_bytes([byte; 48]));
        one
    };
    let live = [under(0x16), under(0x17)];
    let mut template = template();
    template.pins = [16].into();
    template.profile = Profile::Pinned;
    let policy = template.render(&live);
    let rows = access(&[&policy], &template, &live).into_iter();
    let decrypts: Vec<_> = rows
        .filter(|row| row.action == "kms:Decrypt" && row.principal.contains("Enclave"))
        .map(|row| (row.attested, row.by[0].is_allowed()))
        .collect();
    let expected = [
        ("none", false),
        ("0101010101 with PCR16 1616161616", true),
        ("0101010101 with PCR16 1717171717", true),
        ("0101010101 under another manifest", false),
        ("another image", false),
    ];
    let expected = expected.map(|(attested, allowed)| (attested.to_owned(), allowed));
    assert_eq!(decrypts, expected);

    // Of one image under one manifest the manifest needs no name, and yet another one is asked about.
    let rows = access(&[&policy], &template, &live[..1]).into_iter();
    let decrypts =
        rows.filter(|row| row.action == "kms:Decrypt" && row.principal.contains("Enclave"));
    let attested: Vec<_> = decrypts.map(|row| row.attested).collect();
    let other = "0101010101 under another manifest";
    assert_eq!(attested, ["none", "0101010101", other, "another image"]);
}

/// What depends is denied where somebody could be locked out, and allowed where somebody could be let in.
#[test]
fn what_depends_counts_against_whoever_would_rely_on_it() {
    let fence = r#"{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}"#;
    for (statement, assumed, image, surely, maybe) in [
        (fence, None, 1, false, true),
        (fence, Some("vpce-1"), 1, true, true),
        // What the chambers' requests are is not what a hostile parent's are.
        (fence, Some("vpce-2"), 1, false, true),
        // Nothing lets it in, whatever the fence says.
        (fence, None, 3, false, false),
        (
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}"#,
            None,
            1,
            true,
            true,
        ),
    ] {
        let mut template = template();
        let assumed = assumed.map(|value: &str| ("aws:SourceVpce".to_owned(), value.to_owned()));
        template.assume.extend(assumed);
        let (policy, asked) = (with(statement), release(image));
        let answers = (
            decrypts(&policy, &template, &asked),
            may_decrypt(&policy, &template, &asked),
        );
        assert_eq!(answers, (surely, maybe), "{:?} {image}", template.assume);
    }
}

/// What KMS should have refused may let anybody in, however it is read here, and surely lets in nobody more.
#[test]
fn a_document_that_kms_refuses_may_let_anybody_in() {
    for (statement, maybe) in [
        (
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}"#,
            false,
        ),
        (
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"stringNotEquals":{"kms:RecipientAttestation:ImageSha384":"x"}}}"#,
            true,
        ),
        (
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"New":{"aws:SourceVpce":"x"}}}"#,
            true,
        ),
    ] {
        let (policy, asked) = (with(statement), release(1));
        let answers = (
            decrypts(&policy, &template(), &asked),
            may_decrypt(&policy, &template(), &asked),
        );
        assert_eq!(answers, (false, maybe), "{statement}");
    }
}
