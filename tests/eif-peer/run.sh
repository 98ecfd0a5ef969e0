#!/usr/bin/env bash
# describe-eif against AWS's own crate (aws-nitro-enclaves-image-format): files that the crate wrote, and files of ours
# that it reads, signed ones among them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command -v openssl >/dev/null || { echo "needs openssl, with its headers (libssl-dev)" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha384 -nodes -days 30 -subj /CN=signer \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
cd "$here/../.."
cargo build -q --locked -p kubectl-chamber
EIF_OUT=$folder/plain bash enclave-image/build.sh
EIF_OUT=$folder/signed EIF_KEY=$folder/key.pem EIF_CERT=$folder/certificate.pem bash enclave-image/build.sh
CARGO_TARGET_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/eif-peer" \
    cargo run -q --locked --manifest-path tests/eif-peer/Cargo.toml -- "$folder" "$folder/plain/chamber.eif" "$folder/signed/chamber.eif" >"$folder/measured.jsonl"
DESCRIBE="${CARGO_TARGET_DIR:-target}/debug/kubectl-chamber" python3 - "$folder" <<'PYTHON'
import json, os, subprocess, sys

folder = sys.argv[1]
passed = failed = 0
for line in open(f"{folder}/measured.jsonl"):
    theirs = json.loads(line)
    described = subprocess.run(
        [os.environ["DESCRIBE"], "describe-eif", os.path.join(folder, theirs["file"])],
        check=True, capture_output=True, text=True,
    )
    ours = json.loads(described.stdout)
    pcrs = {name: value for name, value in ours["Measurements"].items() if name.startswith("PCR")}
    wanted = {name: value for name, value in theirs["measurements"].items() if name.startswith("PCR")}
    good = (
        pcrs == wanted
        and ours["IsSigned"] == theirs["signed"]
        and ours["CheckCRC"] is True
        and ours["ImageName"] == "chamber"
        and ("PCR8" in pcrs) == theirs["signed"]
    )
    passed, failed = passed + good, failed + (not good)
    print(f"{'ok' if good else 'FAILED'}  {theirs['file']}", *([] if good else [ours, theirs]))
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0 or passed == 0)
PYTHON
