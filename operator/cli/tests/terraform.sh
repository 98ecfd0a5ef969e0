#!/usr/bin/env bash
# The rendered Terraform, read by python-hcl2, against the rendered JSON; and the examples, as far as they can be read.
set -euo pipefail
venv="${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/python/hcl2"
if ! "$venv/bin/python" -c 'import hcl2' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet python-hcl2==7.3.1
fi
cd "$(dirname "$0")/../../.."
find docs/examples -name '*.tf' -print | while read -r file; do
    "$venv/bin/python" -c 'import hcl2, sys; hcl2.load(open(sys.argv[1]))' "$file" || { echo "$file is no HCL"; exit 1; }
done
HCL2_PYTHON="$venv/bin/python" cargo test -p kubectl-chamber --locked --test cli -- --ignored
