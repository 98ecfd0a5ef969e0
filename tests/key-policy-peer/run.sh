#!/usr/bin/env bash
# The evaluator of key policies against an independent one, over generated policies and requests.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command -v node >/dev/null && command -v npm >/dev/null || {
    echo "needs node (20 or newer) and npm on the PATH" >&2
    exit 2
}
cache="${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/npm/policy-peer"
mkdir -p "$cache"
if ! cmp -s "$here/package-lock.json" "$cache/installed-lock.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$cache/"
    (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$here/package-lock.json" "$cache/installed-lock.json"
fi
cd "$here/../.."
POLICY_PEER="$cache" cargo test -p key-policy --locked --test peer -- --include-ignored --nocapture
