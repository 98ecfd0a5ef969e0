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
DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 "$validator" validate "$folder"/*.sarif --output "$folder/judged.sarif" >/dev/null || true
python3 - "$folder/judged.sarif" <<'PYTHON'
import json, sys

judged = json.load(open(sys.argv[1], encoding="utf-8-sig"))["runs"][0]
# That the tool names no web page is a warning of theirs; errors are what counts.
errors = [result for result in judged.get("results", []) if result.get("level", "warning") == "error"]
for error in errors:
    print("FAILED", json.dumps(error["message"]))
print(f"{3 if not errors else 0} passed, {len(errors)} failed")
sys.exit(bool(errors))
PYTHON
