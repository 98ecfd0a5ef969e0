#!/usr/bin/env bash
# Builds the operator as it was before the last change to it, and prints where the program is.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=$(git log -1 --skip=1 --format=%H -- operator)
[ -n "$commit" ] || { echo "the history does not reach back to another operator" >&2; exit 1; }
# A folder of its own: cargo takes two checkouts of one workspace for the same.
folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/operator-before
program="$folder/$commit"
if [ ! -x "$program" ]; then
    rm -rf "$folder/source"
    mkdir -p "$folder/source"
    git archive "$commit" | tar -x -C "$folder/source"
    find "$folder/source" -name '*.rs' -exec touch {} +
    CARGO_TARGET_DIR="$folder/target" cargo build --locked -p chamber-operator --manifest-path "$folder/source/Cargo.toml" >&2
    cp "$folder/target/debug/chamber-operator" "$program"
fi
echo "$program"
