#!/usr/bin/env bash
# The archives of a release, and krew's manifest of them on standard output.
#   krew.sh VERSION URL HOMEPAGE FOLDER
# FOLDER has a static program for each platform, kubectl-chamber-OS-ARCH; kubectl-chamber-OS-ARCH.tar.gz is put beside it, to be
# uploaded to URL.
set -euo pipefail
version=${1:?VERSION, such as v0.1.0} url=${2:?URL of the folder that the archives will be in} homepage=${3:?HOMEPAGE} folder=${4:?FOLDER with the programs}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]] || { echo "krew.sh: VERSION $version: krew takes v, and three numbers with dots between them" >&2; exit 2; }
shopt -s nullglob
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=("$folder"/kubectl-chamber-*-*[0-9a-z])
[ ${#programs[@]} -gt 0 ] || { echo "krew.sh: FOLDER $folder: has no kubectl-chamber-OS-ARCH" >&2; exit 2; }

cat <<YAML
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: chamber
spec:
  version: $version
  homepage: $homepage
  shortDescription: Rolling upgrades of attested workloads
  description: |
    Shows and steers the rollovers of ChamberClusters: which step, which keys and chambers, and what it waits for. Lints and explains the KMS
    key policies that attested enclaves are let in by, reads enclave images and attestation documents, and collects what support needs.
  caveats: |
    For completion: kubectl chamber completion kubectl > kubectl_complete-chamber, made executable, on the PATH.
  platforms:
YAML
for program in "${programs[@]}"; do
    name=${program##*/}
    case $name in *.tar.gz) continue ;; esac
    platform=${name#kubectl-chamber-}
    install -m 0755 "$program" "$work/kubectl-chamber"
    install -m 0644 "$root/LICENSE" "$work/LICENSE"
    # The same bytes whoever packs it, whenever.
    tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - LICENSE kubectl-chamber | gzip -n >"$program.tar.gz"
    sum=$(sha256sum "$program.tar.gz")
    cat <<YAML
    - selector:
        matchLabels:
          os: ${platform%-*}
          arch: ${platform##*-}
      uri: $url/$name.tar.gz
      sha256: ${sum%% *}
      bin: kubectl-chamber
YAML
done
