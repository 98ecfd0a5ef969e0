#!/usr/bin/env bash
# The enclave image file twice, the second time from another folder and another cargo home; with KERNEL=1 the kernel, too.
# Ends with a line "N passed, M failed" and exits non-zero when anything failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
most=$((8 * 1024 * 1024))
passed=0 failed=0

check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok  $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
    fi
}

agent() { echo "$1/target/enclave-build/x86_64-unknown-linux-gnu/enclave/unseal-agent"; }
small() { [ "$(stat -c %s "$1")" -le "$most" ]; }
says_no_path() { ! grep -aqF -e "$1" -e "$2" "$3"; }
# Made of another kernel cache where the kernel is to be built again.
bz_image() { KERNEL_CACHE=$1 bash "$2/enclave-image/kernel/build.sh" | tail -n 1; }

cargo_home=${CARGO_HOME:-$HOME/.cargo}
elsewhere=$work/another/folder
mkdir -p "$elsewhere" "$work/home"
(cd "$root" && git ls-files -co --exclude-standard -z | tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -xf - -C "$elsewhere"

EIF_OUT=$work/one bash "$root/enclave-image/build.sh"
# Links take no room; where the file systems differ, copies do.
cp -al "$cargo_home/registry" "$work/home/registry" 2>/dev/null || cp -a "$cargo_home/registry" "$work/home/registry"
if [ -n "${KERNEL:-}" ]; then
    first=$(bz_image "${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/kernel" "$root")
    export KERNEL_CACHE=$work/kernel
    second=$(bz_image "$KERNEL_CACHE" "$elsewhere")
    check "the kernel is the same" cmp "$first" "$second"
fi
CARGO_HOME=$work/home EIF_OUT=$work/two bash "$elsewhere/enclave-image/build.sh"

check "the agent is the same" cmp "$(agent "$root")" "$(agent "$elsewhere")"
check "the image file is the same" cmp "$work/one/chamber.eif" "$work/two/chamber.eif"
check "the measurements are the same" cmp "$work/one/measurements.json" "$work/two/measurements.json"
check "the agent names no folder of this machine" says_no_path "$root" "$cargo_home" "$(agent "$root")"
check "the image file has 8 MiB at most" small "$work/one/chamber.eif"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
