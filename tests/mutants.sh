#!/usr/bin/env bash
# cargo-mutants over the planner and the policy engine; needs nothing of the cluster. MUTANTS=<i>/<n>: one part of n.
set -euo pipefail
cd "$(dirname "$0")/.."
version=27.1.0
home="${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/cargo-mutants-$version"
[ -x "$home/bin/cargo-mutants" ] || cargo install --locked --root "$home" --version "$version" cargo-mutants
mkdir -p target/mutants
for crate in ${CRATES:-rollover key-policy}; do
    "$home/bin/cargo-mutants" mutants --config tests/mutants.toml --package "$crate" --test-package "$crate" --no-shuffle --jobs "${JOBS:-2}" \
        ${MUTANTS:+--shard "$MUTANTS"} --output "target/mutants/$crate"
done
