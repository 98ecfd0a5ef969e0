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
use key_policy::{Policy, lint};
use std::hint::black_box;

fn policies(criterion: &mut Criterion) {
    let template = common::template();
    let releases = [1, 2].map(common::release);
    let policy = template.render(&releases);
    let text = policy.to_json();
    let principal = Principal::session(&template.enclave_role_arn(), "111122223333", "chamber");
    let key = "arn:aws:kms:us-east-1:111122223333:key/a";
    let context = Context::of(&principal, key).attesting(&releases[1]);
    let identity = Identity::Policies(&[]);
    let request = Request {
        principal: &principal,
        action: "kms:Decrypt",
        resource: key,
        context: &context,
    };
    let mut group = criterion.benchmark_group("seed policy");
    group.throughput(Throughput::Elements(1));
    group.bench_function("lint and evaluate", |bencher| {
        bencher.iter(|| {
            let findings = lint(black_box(&policy), &template);
            (
                findings,
                evaluate::key_policy(&policy, "111122223333", identity, &request),
            )
        });
    });
    group.bench_function("evaluate", |bencher| {
        bencher
            .iter(|| evaluate::key_policy(black_box(&policy), "111122223333", identity, &request));
    });
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Policy::parse(black_box(&text)));
    });
    group.finish();
}

criterion_group!(benches, policies);
criterion_main!(benches);
