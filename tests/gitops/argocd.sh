#!/usr/bin/env bash
# Argo CD's health check and actions of a ChamberCluster (docs/examples/argocd), in Lua 5.1 from PyPI. BLESS=1 writes the ConfigMap.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lupa=2.8 yaml=6.0.4
environment=$root/.cache/lua-$lupa
if [ ! -f "$environment/complete" ]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "lupa==$lupa" "pyyaml==$yaml"
    touch "$environment/complete"
fi
"$environment/bin/python" "$root/tests/gitops/argocd.py" "$root/docs/examples/argocd/chamber.dev/ChamberCluster" \
    "$root/docs/examples/argocd/argocd-cm.yaml" ${BLESS:+--bless}
