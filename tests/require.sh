#!/usr/bin/env bash
# Says in one line what is missing that the project's own programs cannot install.
set -euo pipefail
missing=()
[ "$(id -u)" = 0 ] || missing+=("root (namespaces, mounts and packages need it)")
for tool in cargo rustc cc go python3; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ "${#missing[@]}" -gt 0 ]; then
    printf 'missing:'
    printf ' %s;' "${missing[@]}"
    printf '\n'
    exit 1
fi
