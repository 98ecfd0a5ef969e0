//! What one plan costs, with 100 chambers and 5 keys. The goal is 50 microseconds.

#[path = "../tests/stories/play.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the stories use all of it, and are tests"
)]
mod play;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use play::{Play, release, share};
use rollover::plan;

fn large() -> Play {
    let names = ["a", "b", "c", "d", "e"];
    let mut play = Play::new(names.map(|name| share(name, true)).to_vec());
    play.world.spec.replicas = 100;
    play.run(4000);
    play
}

fn plans(criterion: &mut Criterion) {
    let settled = large();
    criterion.bench_function("plan, settled", |bencher| {
        bencher.iter(|| plan(black_box(&settled.world)));
    });
    let mut begins = large();
    begins.world.spec.release = release(2);
    // The first turn looks at the keys, the second at the metrics; then every policy is linted.
    begins.turn();
    begins.turn();
    criterion.bench_function("plan, Measure", |bencher| {
        bencher.iter(|| plan(black_box(&begins.world)));
    });
    let mut rolls = large();
    rolls.world.spec.release = release(2);
    for _ in 0..60 {
        rolls.turn();
    }
    criterion.bench_function("plan, Roll", |bencher| {
        bencher.iter(|| plan(black_box(&rolls.world)));
    });
}

criterion_group!(benches, plans);
criterion_main!(benches);
