//! Lint and evaluation of the template's policy during a rollover; `cargo bench -p key-policy`.

#[path = "../tests/policies/common.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "a helper of the tests, which use all of it"
)]
mod common;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use key_policy::evaluate::{self, Context, Identity, Principal, Request};
use key_policy::{Policy, Template, lint};
use std::hint::black_box;

/// What a fence of an organisation and a service's use of the key look like: neither says what it asks for.
const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{
        "StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},
        "Bool":{"aws:PrincipalIsAWSService":"false"}}},
    {"Sid":"Network","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{
        "StringNotEquals":{"aws:SourceVpce":["vpce-1a2b3c4d","vpce-5e6f7a8b"]}}},
    {"Sid":"Service","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/App"},"Action":"kms:Decrypt",
        "Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"},
        "StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::bucket*"}}}]}"#;

fn policies(criterion: &mut Criterion) {
    let template = common::template();
    let releases = [1, 2].map(common::release);
    let rendered = template.render(&releases);
    let enclave = Principal::session(&template.enclave_role_arn(), "111122223333", "chamber");
    let context = Context::of(&enclave, KEY).attesting(&releases[1]);
    bench(
        criterion,
        "seed policy",
        &template,
        &rendered,
        &enclave,
        &context,
    );
    // The same with statements whose keys are not known, asked for the enclave, and for the role that a service needs.
    let mut open: serde_json::Value = serde_json::from_str(&rendered.to_json()).unwrap_or_default();
    let more: serde_json::Value = serde_json::from_str(OPEN).unwrap_or_default();
    for statement in more["Statement"].as_array().into_iter().flatten() {
        if let Some(statements) = open["Statement"].as_array_mut() {
            statements.push(statement.clone());
        }
    }
    let open = Policy::parse(&open.to_string()).unwrap_or(rendered);
    bench(
        criterion,
        "unknown keys, enclave",
        &template,
        &open,
        &enclave,
        &context,
    );
    let app = Principal::session("arn:aws:iam::111122223333:role/App", "111122223333", "*");
    let context = Context::of(&app, KEY).attesting(&releases[1]);
    bench(
        criterion,
        "unknown keys, application",
        &template,
        &open,
        &app,
        &context,
    );
}

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/a";

fn bench(
    criterion: &mut Criterion,
    name: &str,
    template: &Template,
    policy: &Policy,
    principal: &Principal,
    context: &Context,
) {
    let text = policy.to_json();
    let identity = Identity::Policies(&[]);
    let request = Request {
        principal,
        action: "kms:Decrypt",
        resource: KEY,
        context,
    };
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("lint and evaluate", |bencher| {
        bencher.iter(|| {
            let findings = lint(black_box(policy), template);
            (
                findings,
                evaluate::key_policy(policy, "111122223333", identity, &request),
            )
        });
    });
    group.bench_function("evaluate", |bencher| {
        bencher
            .iter(|| evaluate::key_policy(black_box(policy), "111122223333", identity, &request));
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Policy::parse(black_box(&text)));
    });
    group.finish();
}

criterion_group!(benches, policies);
criterion_main!(benches);
