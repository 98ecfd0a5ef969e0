//! What lint and evaluation cost, beside parsing the same document: `make bench-policy` fails where they take too much of it.
//!
//! Machines differ, so a ratio of one run is held. Of many short rounds the fastest counts: what else runs on the machine
//! only makes rounds slower.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, of policies that tests have"
)]

#[path = "../tests/policies/common.rs"]
#[expect(dead_code, reason = "a helper of the tests, which use all of it")]
mod common;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use key_policy::evaluate::{self, Context, Decision, Identity, Principal, Request};
use key_policy::{Finding, Policy, Template, lint};

/// The most that lint and evaluation may take of parsing.
const MOST: f64 = 0.6;
/// How often all are measured, each in a block of so many rounds: one that is done alone finds its memory at hand.
const PASSES: usize = 4;
const ROUNDS: usize = 400;
/// How often each is done in one round, which so is shorter than a slice of the machine's time.
const TIMES: u32 = 20;

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/a";
/// What a fence of an organisation and a service's use of the key look like: neither says what it asks for.
const OPEN: &str = r#"
    {"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{
        "StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},
        "Bool":{"aws:PrincipalIsAWSService":"false"}}},
    {"Sid":"Network","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{
        "StringNotEquals":{"aws:SourceVpce":["vpce-1a2b3c4d","vpce-5e6f7a8b"]}}},
    {"Sid":"Service","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/App"},"Action":"kms:Decrypt",
        "Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"},
        "StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::bucket*"}}}"#;

fn main() -> ExitCode {
    let rows = rows();
    let mut fastest = [[Duration::MAX; 3]; 3];
    for _ in 0..PASSES {
        for (row, fastest) in rows.iter().zip(&mut fastest) {
            let [both, one, parse] = fastest;
            *both = block(|| row.lint_and_evaluate()).min(*both);
            *one = block(|| row.evaluate()).min(*one);
            *parse = block(|| row.parse()).min(*parse);
        }
    }
    // The same document is parsed faster or slower by what was in memory before: the fastest counts there, too.
    let parsing = |row: &Row| {
        let same = rows.iter().zip(&fastest);
        let same = same.filter(|(other, _)| other.text == row.text);
        same.map(|(_, fastest)| fastest[2]).min()
    };
    let mut slow = 0;
    for (row, [both, one, _]) in rows.iter().zip(&fastest) {
        let parse = parsing(row).unwrap_or_default();
        let ratio = both.as_secs_f64() / parse.as_secs_f64();
        let rate = both.as_secs_f64().recip();
        println!(
            "{}: lint and evaluate {both:.1?}, {rate:.0} a second, evaluate {one:.1?}, parse {parse:.1?}, ratio {ratio:.2}",
            row.name
        );
        slow += usize::from(ratio > MOST);
    }
    if slow > 0 {
        println!("{slow} beyond {MOST} of parsing");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// How long one of them takes in the fastest round.
fn block<T>(mut does: impl FnMut() -> T) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        for _ in 0..TIMES {
            black_box(does());
        }
        begin.elapsed() / TIMES
    });
    rounds.min().unwrap_or_default()
}

/// One policy, and one question about it.
struct Row {
    name: &'static str,
    template: Template,
    policy: Policy,
    text: String,
    principal: Principal,
    context: Context,
}

/// The template's policy with two releases; the same with statements whose keys are not known, asked for the enclave,
/// and for the role that a service needs.
fn rows() -> [Row; 3] {
    let enclave = || {
        let role = common::template().enclave_role_arn();
        Principal::session(&role, ACCOUNT, "chamber")
    };
    let app = Principal::session("arn:aws:iam::111122223333:role/App", ACCOUNT, "*");
    let plain = common::template().render(&[1, 2].map(common::release));
    let open = || common::with(OPEN);
    [
        Row::of("the template's, the enclave", plain, enclave()),
        Row::of("with unknown keys, the enclave", open(), enclave()),
        Row::of("with unknown keys, an application", open(), app),
    ]
}

impl Row {
    fn of(name: &'static str, policy: Policy, principal: Principal) -> Self {
        let release = common::release(2);
        Self {
            name,
            template: common::template(),
            text: policy.to_json(),
            policy,
            context: Context::of(&principal, KEY).attesting(&release),
            principal,
        }
    }

    fn parse(&self) -> Policy {
        Policy::parse(black_box(&self.text)).unwrap()
    }

    fn evaluate(&self) -> Decision {
        let request = Request {
            principal: &self.principal,
            action: "kms:Decrypt",
            resource: KEY,
            context: &self.context,
        };
        let policy = black_box(&self.policy);
        evaluate::key_policy(policy, ACCOUNT, Identity::Policies(&[]), &request)
    }

    fn lint_and_evaluate(&self) -> (Vec<Finding>, Decision) {
        let findings = lint(black_box(&self.policy), &self.template);
        (findings, self.evaluate())
    }
}
