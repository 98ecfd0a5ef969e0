#!/usr/bin/env bash
# An enclave image file from this repository and what the user brings: see docs/enclave-image.md.
#
#   [WORKLOAD=BINARY] [FILES=FOLDER] [AUTHORITIES="PEM..."] [EIF_KEY=PEM | EIF_KMS_KEY=ARN] [EIF_CERT=PEM] enclave-image/build.sh
#
# Writes chamber.eif and measurements.json to $EIF_OUT (target/enclave). The same bits from any folder and any cargo home,
# but for a signature.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${EIF_OUT:-$root/target/enclave}
build=$root/target/enclave-build
target=x86_64-unknown-linux-gnu
cargo_home=${CARGO_HOME:-$HOME/.cargo}
profile=enclave

kernel=$(bash "$root/enclave-image/kernel/build.sh" | tail -n 1)

# What the compilers say of paths is the same everywhere. The standard library's source has its public name, whether it is installed or not.
sysroot=$(cd "$root" && rustc --print sysroot)
commit=$(cd "$root" && rustc -vV | sed -n 's/^commit-hash: //p')
rust_flags="-C target-feature=+crt-static --remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
rust_flags="$rust_flags --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$root=/src"
c_flags="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$root=/src"
# Without the processor's jitter as a source of random numbers: it takes 0.1 s at each start, and the kernel's, which the
# security module seeds, need no help.
(
    cd "$root"
    env RUSTFLAGS="$rust_flags" CFLAGS_x86_64_unknown_linux_gnu="$c_flags" CARGO_INCREMENTAL=0 \
        AWS_LC_SYS_NO_JITTER_ENTROPY=1 \
        cargo build --quiet --locked --target "$target" --target-dir "$build" --profile "$profile" -p enclave --bin unseal-agent
)

features=(--no-default-features)
[ -z "${EIF_KMS_KEY:-}" ] || features=()
(cd "$root" && cargo build --quiet --locked --release --target-dir "$build" -p eif-build "${features[@]}")

arguments=()
[ -z "${WORKLOAD:-}" ] || arguments+=(--workload "$WORKLOAD")
[ -z "${FILES:-}" ] || arguments+=(--files "$FILES")
[ -z "${EIF_KEY:-}" ] || arguments+=(--sign-key "$EIF_KEY")
[ -z "${EIF_KMS_KEY:-}" ] || arguments+=(--kms-key "$EIF_KMS_KEY")
[ -z "${EIF_CERT:-}" ] || arguments+=(--sign-cert "$EIF_CERT")
for pem in ${AUTHORITIES:-}; do arguments+=(--authorities "$pem"); done
"$build/release/eif-build" --kernel "$kernel" --kernel-config "$(dirname "$kernel")/config" \
    --init "$build/$target/$profile/unseal-agent" "${arguments[@]}" \
    --out "$out/chamber.eif" --measurements "$out/measurements.json"
