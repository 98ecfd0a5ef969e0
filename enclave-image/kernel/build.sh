#!/usr/bin/env bash
# The enclave's kernel from Debian's source package, the same bit for bit from any folder; its path is the last line.
#
#   enclave-image/kernel/build.sh [JOBS]
#
# Kept under $KERNEL_CACHE (~/.cache/chamber-operator/kernel) by what decides its bits: the source package's version, the
# options and the tools. Beside bzImage lie `config` (all options) and `source` (the package and its version).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jobs=${1:-$(nproc)}
series=6.12
package=linux-source-$series
cache=${KERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chamber-operator/kernel}
packages=(bc binutils bison flex gcc libelf-dev libssl-dev make xz-utils "$package")

say() { echo "kernel: $*" >&2; }

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
    local missing=()
    for name in "${packages[@]}"; do installed "$name" || missing+=("$name"); done
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || { say "needs the Debian packages ${missing[*]}: install them, or run this as root"; exit 1; }
    say "installs ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The options of enclave.config, without the reasons.
wanted() { grep '^CONFIG_' "$here/enclave.config"; }

# Options of enclave.config that the finished configuration does not have.
lost() {
    local line name
    wanted | while IFS= read -r line; do
        name=${line%%=*}
        case $line in
        *=n) ! grep -q "^$name=" "$1" || echo "$line" ;;
        *) grep -qxF -- "$line" "$1" || echo "$line" ;;
        esac
    done
}

configure() {
    make -s O="$2" tinyconfig >/dev/null
    scripts/kconfig/merge_config.sh -m -O "$2" "$2/.config" "$here/enclave.config" >/dev/null
    make -s O="$2" olddefconfig
    local missing
    missing=$(lost "$2/.config")
    [ -z "$missing" ] || { say "$1 did not take these lines of enclave.config:"; echo "$missing" >&2; exit 1; }
}

install_packages
version=$(dpkg-query -W -f='${Version}' "$package")
tools="$(gcc -dumpfullversion) $(gcc --version | head -1) $(ld --version | head -1)"
# What a kernel says of its build is the same everywhere.
export KBUILD_BUILD_TIMESTAMP='1970-01-01T00:00:00Z' KBUILD_BUILD_USER=chamber KBUILD_BUILD_HOST=enclave
export KBUILD_BUILD_VERSION=1 LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0
key=$({ echo "$package $version"; echo "$tools"; env | grep '^KBUILD_' | sort; wanted; } | sha256sum | cut -d' ' -f1)
kept="$cache/$key"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # One build at a time: the second finds the first one's result.
if [ -f "$kept/bzImage" ]; then
    say "$package $version is built already"
    echo "$kept/bzImage"
    exit 0
fi

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "unpacks $package $version"
tar -xf "/usr/src/$package.tar.xz" -C "$work" --exclude='*/drivers/gpu/drm/amd/include/*' \
    --exclude='*/Documentation/*.rst' --exclude='*/arch/*/boot/dts/*'
cd "$work/$package"
mkdir "$work/out"
configure "$package $version" "$work/out"
say "builds $package $version with $jobs jobs"
make -s O="$work/out" -j"$jobs" bzImage >"$work/log" 2>&1 || { tail -30 "$work/log" >&2; say "did not build"; exit 1; }
mkdir "$work/kept"
cp "$work/out/arch/x86/boot/bzImage" "$work/kept/bzImage"
cp "$work/out/.config" "$work/kept/config"
echo "$package $version" >"$work/kept/source"
mv "$work/kept" "$kept"
echo "$kept/bzImage"
