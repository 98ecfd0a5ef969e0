#!/usr/bin/env bash
# Prints a folder with a QEMU that can be given devices of other processes: vhost-user-test-device, which came with
# QEMU 11. It is Debian's own build, from the backports of trixie, and runs from the folder alone, on any x86-64 Linux.
# The folder is kept in ~/.cache/chamber-operator/qemu; delete it for a newer one.
#   qemu-system-x86_64   the program; call it by `lib/ld-linux-x86-64.so.2 --library-path lib ./qemu-system-x86_64`
#   lib                  its loader and libraries
#   firmware             what the machine microvm boots a kernel with when it has no ACPI (option -L)
#   version              of the Debian package
# Debian's archive is the one of this machine's apt sources, or DEBIAN_MIRROR.
set -euo pipefail

device=vhost-user-test-device
suite=trixie
cache="$HOME/.cache/chamber-operator/qemu"
folder="$cache/x86_64"
loader=lib/ld-linux-x86-64.so.2

refuse() {
    echo "qemu.sh: no QEMU with $device: $1" >&2
    exit 1
}

# Runs the QEMU in folder $1.
run() {
    "$1/$loader" --library-path "$1/lib" "$1/qemu-system-x86_64" "${@:2}"
}

# Whether the QEMU in folder $1 has the device: its exit status says nothing, and to list all devices it would load
# modules of another QEMU of the system's.
has_device() {
    [ -f "$1/firmware/qboot.rom" ] && [[ $(run "$1" -device "$device,help" 2>/dev/null) == "$device options:"* ]]
}

# The archive and its keyring: of the first deb822 stanza, or else the first line, whose address ends in /debian.
archive() {
    awk -v RS= '
        /(^|\n)Types:[^\n]*deb/ && match($0, /(^|\n)URIs:[ \t]*[^ \t\n]+\/debian\/?([ \t\n]|$)/) {
            keyring = ""
            count = split($0, lines, "\n")
            for (at = 1; at <= count; at++) {
                if (lines[at] ~ /^URIs:/) { split(lines[at], words); address = words[2] }
                if (lines[at] ~ /^Signed-By:/) { split(lines[at], words); keyring = words[2] }
            }
            print address, keyring
            exit
        }' /etc/apt/sources.list.d/*.sources 2>/dev/null
    awk '$1 == "deb" { for (at = 2; at <= NF; at++) if ($at ~ /\/debian\/?$/) { print $at; exit } }' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
}

need_mmdebstrap() {
    command -v mmdebstrap >/dev/null && return
    [ "$(id -u)" = 0 ] || refuse "mmdebstrap is missing, and only root may install it"
    { apt-get update && apt-get install -y --no-install-recommends mmdebstrap; } >&2 || refuse "mmdebstrap cannot be installed"
}

# Unpacks the package with all that it depends on into $1.
unpack() {
    local address keyring
    read -r address keyring <<<"${DEBIAN_MIRROR:-$(archive | head -n 1)}" || true
    [ -n "$address" ] || refuse "apt's sources name no archive that ends in /debian; name one as DEBIAN_MIRROR"
    need_mmdebstrap
    printf '%s\n' "Types: deb" "URIs: $address" "Suites: $suite $suite-backports" "Components: main" \
        "Signed-By: ${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}" >"$1.sources"
    # Without a default release apt takes the firmware of trixie, which is too old for this QEMU.
    mmdebstrap --variant=extract --format=directory --include=qemu-system-x86 \
        --aptopt='APT::Install-Recommends "false"' --aptopt="APT::Default-Release \"$suite-backports\"" \
        "$suite" "$1" "$1.sources" >"$1.log" 2>&1 || {
        tail -n 5 "$1.log" >&2
        refuse "it cannot be unpacked from $suite-backports; the whole log is $1.log"
    }
}

# Copies what is needed of $1 to $2.
pick() {
    local library libraries="$1/usr/lib/x86_64-linux-gnu" program="$1/usr/bin/qemu-system-x86_64"
    mkdir -p "$2/lib" "$2/firmware"
    cp "$program" "$2/"
    cp -L "$1/usr/lib64/ld-linux-x86-64.so.2" "$2/$loader"
    "$2/$loader" --library-path "$libraries" --list "$program" | awk '$2 == "=>" { print $3 }' >"$1.libraries"
    while read -r library; do
        case $library in
            */ld-linux-x86-64.so.2) ;;
            "$libraries"/*) cp -L "$library" "$2/lib/" ;;
            *) refuse "it needs the library $library, which was not unpacked" ;;
        esac
    done <"$1.libraries"
    cp "$1"/usr/share/qemu/{qboot.rom,linuxboot_dma.bin} "$2/firmware/"
    run "$2" --version | head -n 1 >"$2/version"
}

[ "$(uname -m)" = x86_64 ] || refuse "this machine is $(uname -m), and only x86_64 was tried"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if ! has_device "$folder"; then
    rm -rf "$cache"/new.*
    work=$(mktemp -d "$cache/new.XXXXXX")
    unpack "$work/root"
    pick "$work/root" "$work/x86_64"
    has_device "$work/x86_64" || refuse "Debian's package has lost it"
    rm -rf "$folder"
    mv "$work/x86_64" "$folder"
    rm -rf "$work"
fi
echo "$folder"
