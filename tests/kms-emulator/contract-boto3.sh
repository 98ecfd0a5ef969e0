#!/usr/bin/env bash
# The contract with boto3: makes a virtual environment under .cache/, starts the emulator, runs the checks.
# Ends with a line "N passed, M failed" and exits non-zero when anything failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
boto3_version=1.44.5
venv="$root/.cache/boto3-$boto3_version"
work=$(mktemp -d)
emulator=

cleanup() {
    # Tidying up, no check: the status of the script is that of the checks.
    if [[ -n $emulator ]]; then
        kill "$emulator" 2>/dev/null || true # It may have ended already.
        wait "$emulator" 2>/dev/null || true # It was killed, so this is never 0.
    fi
    rm -rf "$work"
}
trap cleanup EXIT

if [[ ! -f $venv/complete ]]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "boto3==$boto3_version"
    touch "$venv/complete"
fi

cd "$root"
cargo build --quiet -p nsm-emulator -p kms-emulator --bins
bin="${CARGO_TARGET_DIR:-target}/debug"
"$bin/nsm-test-root" "$work"
python3 "$here/tests/boto3_config.py" "$work/root.pem" >"$work/config.json"

# Port 0 picks free ports; the emulator's first line names them.
mkfifo "$work/ready"
"$bin/kms-emulator" --config "$work/config.json" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --log warn >"$work/ready" &
emulator=$!
read -r line <"$work/ready"
kms=${line#kms=}
kms=${kms% admin=*}
admin=${line##*admin=}

PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" "$here/tests/boto3_contract.py" "http://$kms" "http://$admin"
