//! The vectors are of AWS's published Signature Version 4 test suite.

use axum::http::{HeaderMap, HeaderValue, Method, Uri};

use crate::clock::Now;
use crate::config::{Config, CredentialConfig};
use crate::identity::Identities;

use super::{Signed, Unauthenticated, verify};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
const QUERY_ORDER: &str = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";

fn identities(token: Option<&str>) -> Identities {
    Identities::new(&Config {
        region: "us-east-1".to_owned(),
        accounts: Vec::new(),
        nitro_root_pem: String::new(),
        attestation_max_age_seconds: 300,
        credentials: vec![CredentialConfig {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: token.map(ToOwned::to_owned),
            principal: "arn:aws:iam::111122223333:user/u".to_owned(),
        }],
        roles: Vec::new(),
        identity_policies: Vec::new(),
        keys: Vec::new(),
        state_before_authorization: false,
        pending_deletion_code: crate::PendingDeletionCode::default(),
        tls: None,
    })
    .unwrap()
}

struct Case {
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: &'static [u8],
    now: &'static str,
    service: &'static str,
}

impl Case {
    fn new(path: &'static str, signature: &str) -> Self {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        Self {
            path,
            headers: vec![
                ("host", "example.amazonaws.com".to_owned()),
                ("x-amz-date", "20150830T123600Z".to_owned()),
                ("authorization", authorization),
            ],
            body: b"",
            now: "20150830T123600Z",
            service: "service",
        }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(found, _)| *found != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn run(&self) -> Result<String, Unauthenticated> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let uri: Uri = self.path.parse().unwrap();
        let signed = Signed {
            method: &Method::GET,
            uri: &uri,
            headers: &headers,
            body: self.body,
        };
        let now = Now::parse_compact(self.now).unwrap();
        verify(&signed, self.service, "us-east-1", &identities(None), now)
            .map(|caller| caller.principal.arn)
    }
}

fn mismatch(case: &Case) -> String {
    match case.run() {
        Err(Unauthenticated::Mismatch(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn accepts_the_published_vectors() {
    let caller = Ok("arn:aws:iam::111122223333:user/u".to_owned());
    assert_eq!(Case::new("/", VANILLA).run(), caller);
    let query = Case::new("/?Param2=value2&Param1=value1", QUERY_ORDER);
    assert_eq!(query.run(), caller);
}

#[test]
fn refuses_a_change_anywhere() {
    let mut changed_body = Case::new("/", VANILLA);
    changed_body.body = b"x";
    let cases = [
        Case::new("/", &VANILLA.replace('5', "6")),
        Case::new("/other", VANILLA),
        Case::new("/?a=b", VANILLA),
        Case::new("/", VANILLA).set("host", "elsewhere"),
        Case::new("/", VANILLA).set("x-amz-date", "20150830T123601Z"),
        changed_body,
    ];
    for case in cases {
        assert!(mismatch(&case).contains("does not match"), "{}", case.path);
    }
}

#[test]
fn refuses_a_header_that_could_be_exchanged() {
    for name in ["x-amz-target", "x-amz-security-token"] {
        let case = Case::new("/", VANILLA).set(name, "x");
        assert!(mismatch(&case).contains(name));
    }
}

#[test]
fn refuses_a_claimed_hash_that_is_not_the_bodys() {
    let case = Case::new("/", VANILLA).set("x-amz-content-sha256", "00");
    let what = mismatch(&case);
    assert!(what.contains("x-amz-content-sha256"), "{what}");
}

#[test]
fn takes_times_up_to_fifteen_minutes_off() {
    for (now, fine) in [
        ("20150830T125100Z", true),
        ("20150830T125101Z", false),
        ("20150830T122100Z", true),
        ("20150830T122059Z", false),
    ] {
        let mut case = Case::new("/", VANILLA);
        case.now = now;
        assert_eq!(case.run().is_ok(), fine, "{now}");
    }
}

#[test]
fn refuses_another_services_scope_and_unknown_keys() {
    let mut other = Case::new("/", VANILLA);
    other.service = "kms";
    assert!(mismatch(&other).contains("'kms'"));
    let mut unknown = Case::new("/", VANILLA);
    unknown.headers[2].1 = unknown.headers[2].1.replace("AKIDEXAMPLE", "AKIDOTHER");
    assert_eq!(unknown.run(), Err(Unauthenticated::UnknownToken));
}

#[test]
fn a_configured_session_needs_exactly_its_token() {
    let identities = identities(Some("token"));
    let now = Now::parse_compact("20150830T123600Z").unwrap();
    assert!(identities.find("AKIDEXAMPLE", Some("token"), now).is_ok());
    for token in [None, Some("other"), Some("")] {
        assert!(
            identities.find("AKIDEXAMPLE", token, now).is_err(),
            "{token:?}"
        );
    }
}
