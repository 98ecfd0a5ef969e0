#!/usr/bin/env bash
# SARIF of `policy lint`, judged by Microsoft's validator: the schema and the rules beyond it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=5.7.0
command -v npm >/dev/null || { echo "needs npm on the PATH" >&2; exit 2; }
cache="${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/npm/sarif-multitool-$version"
validator="$cache/package/Sarif.Multitool"
if [ ! -x "$validator" ]; then
    mkdir -p "$cache"
    archive=$(cd "$cache" && npm pack --silent "@microsoft/sarif-multitool-linux@$version")
    tar xzf "$cache/$archive" -C "$cache"
    chmod +x "$validator"
fi
cd "$here/../.."
cargo build -q --locked -p kubectl-chamber
chamber="${CARGO_TARGET_DIR:-target}/debug/kubectl-chamber"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cluster=(--cluster-id prod-us-east-1-mainnet --account 111122223333)
"$chamber" policy render "${cluster[@]}" --measurement "$(printf '01%.0s' {1..48})" >"$folder/good.json"
# Of one statement gone wrong, and of a document that has nothing of ours.
sed 's/kms:Put\*/kms:*/; s/"StringEqualsIgnoreCase"/"StringEquals"/' "$folder/good.json" >"$folder/bad.json"
echo '{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}' >"$folder/foreign.json"
for name in good bad foreign; do
    # Findings are its exit status 1.
    "$chamber" policy lint "$folder/$name.json" "${cluster[@]}" -o sarif >"$folder/$name.sarif" || [ $? -eq 1 ]
done
# It ends with 1 where it has found something, and with more where it could not judge.
status=0
DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 "$validator" validate "$folder"/*.sarif --output "$folder/judged.sarif" \
    >"$folder/said" 2>&1 || status=$?
[ "$status" -le 1 ] || { cat "$folder/said" >&2; echo "0 passed, 3 failed" && exit 1; }
python3 - "$folder" <<'PYTHON'
import json, os, sys

judged = json.load(open(f"{sys.argv[1]}/judged.sarif", encoding="utf-8-sig"))["runs"][0]
rules = judged["tool"]["driver"].get("rules", [])
# Where a result names no level, its rule's counts, and that is a warning where the rule names none (SARIF 3.27.10).
def level(result):
    rule = rules[result["ruleIndex"]] if "ruleIndex" in result else {}
    return result.get("level") or rule.get("defaultConfiguration", {}).get("level", "warning")

def file(location):
    return os.path.basename(location["physicalLocation"]["artifactLocation"]["uri"])

# That the tool names no web page is a warning of theirs, of every file: a file without a word was not looked at.
results = judged.get("results", [])
judged_files = {file(result["locations"][0]) for result in results if result["ruleId"] == "SARIF2005"}
errors = [result for result in results if level(result) == "error"]
for error in errors:
    print("FAILED", file(error["locations"][0]), json.dumps(error["message"]))
bad = {file(error["locations"][0]) for error in errors}
good = judged_files & {f"{name}.sarif" for name in ("good", "bad", "foreign")} - bad
print(f"{len(good)} passed, {3 - len(good)} failed")
sys.exit(len(good) != 3)
PYTHON
