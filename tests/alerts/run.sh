#!/usr/bin/env bash
# The chart's alerts by promtool: that they are rules, when each fires, that each has a heading in the runbook and a line in
# docs/metrics.md. Ends with a line "N passed, M failed" and exits non-zero when anything failed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
command -v promtool >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus; } >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rules=$root/charts/chamber-operator/files/alerts.yaml
tests=$root/tests/alerts/alerts.test.yaml
cp "$rules" "$tests" "$work"
passed=0 failed=0

check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
    fi
}
quiet() { local said; said=$("$@" 2>&1) || { echo "$said"; return 1; }; }
# GitHub's anchors: a heading in lower case.
has_heading() { grep -iqx "### $1" "$root/docs/runbook.md"; }

check "they are rules" quiet promtool check rules "$work/alerts.yaml"
check "each fires when it should, and not else" quiet promtool test rules "$work/alerts.test.yaml"
# Each query of the dashboard as a rule, with Grafana's variables filled in: promtool parses it, and every metric in it is one
# of docs/metrics.md or of the chambers'.
python3 - "$root" "$work" <<'PYTHON'
import json, re, sys
root, work = sys.argv[1:]
board = json.load(open(f"{root}/charts/chamber-operator/files/dashboard.json"))
queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
fill = {"$namespace": ".*", "$name": ".*", "$__rate_interval": "5m"}
rules, names = [], set()
for at, query in enumerate(queries):
    for variable, value in fill.items():
        query = query.replace(variable, value)
    rules.append({"record": f"dashboard:query:{at}", "expr": query})
    names |= set(re.findall(r"\b(?:chamber_operator|kms)_[a-z_]+", query))
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, open(f"{work}/dashboard.yaml", "w"))
open(f"{work}/names", "w").write("".join(f"{name}\n" for name in sorted(names)))
PYTHON
check "the dashboard's queries are PromQL" quiet promtool check rules "$work/dashboard.yaml"
while read -r name; do
    base=${name%_bucket}
    check "the dashboard's $name is documented" grep -q "\`$base\`" "$root/docs/metrics.md" "$root/docs/enclave-host.md"
done <"$work/names"
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
    check "$alert is in the tests" grep -q "$alert" "$tests"
    check "$alert is in docs/metrics.md" grep -q "^| \`$alert\` |" "$root/docs/metrics.md"
done
for anchor in $(sed -n 's/^ *runbook_url: RUNBOOK#//p' "$rules"); do
    check "the runbook has $anchor" has_heading "$anchor"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
