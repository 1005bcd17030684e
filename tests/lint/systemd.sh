#!/usr/bin/env bash
# The units in deploy/systemd are as systemd wants them, and keep what they shut (systemd-analyze security: 0 is the
# least exposed).
set -euo pipefail
if ! command -v systemd-analyze systemd-sysusers >/dev/null; then
  echo "skipped: no systemd-analyze here (package systemd)"
  exit 77
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for unit in deploy/systemd/*.service; do
  # The programs need not be installed.
  sed -E "s|^(Exec[A-Za-z]+=)[a-z-]+|\1/bin/true|" "$unit" >"$folder/${unit##*/}"
done

failed=0
Check() {
  "$@" >"$folder/words" 2>&1 && [[ ! -s $folder/words ]] && return
  cat "$folder/words" >&2
  failed=1
}
# CheckExposure UNIT MOST: tenths
CheckExposure() {
  systemd-analyze security --offline=true --no-pager --threshold="$2" "$folder/$1" >"$folder/words" 2>&1 && return
  tail -n 1 "$folder/words" >&2
  echo "$1: at most $2 tenths were wanted" >&2
  failed=1
}
mkdir "$folder/sluiced.service.d"
cp deploy/systemd/af_xdp.conf "$folder/sluiced.service.d"
Check systemd-analyze verify "$folder"/*.service
rm -r "$folder/sluiced.service.d"
CheckExposure sluiced.service 30
CheckExposure sluice-sync.service 16
CheckExposure sluice-node.service 30
CheckExposure sluice-cni.service 16

# /run/sluice says, over a restart, that the state file lacks policy.
if ! grep -q '^RuntimeDirectoryPreserve=yes$' deploy/systemd/sluiced.service; then
  echo "sluiced.service: /run/sluice must outlive the process (RuntimeDirectoryPreserve=yes)" >&2
  failed=1
fi

mkdir -p "$folder/root/etc"
systemd-sysusers --root="$folder/root" - <deploy/systemd/sluice.sysusers >"$folder/words" 2>&1 ||
  cat "$folder/words" >&2
if ! grep -q ^sluice-sync: "$folder/root/etc/passwd" || ! grep -q ^sluice: "$folder/root/etc/group"; then
  echo "deploy/systemd/sluice.sysusers does not make user and group" >&2
  failed=1
fi
exit "$failed"
