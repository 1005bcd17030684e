#!/usr/bin/env bash
# Sluice's main job on real traffic, from nothing: installs, builds, joins network namespaces by a running sluiced, and
# shows which connections pass; then the same between two pods of one node. Cleans up after itself.
#
#   scripts/quickstart.sh                  all of it, by the first kind of port that works here; needs root for the traffic
#   scripts/quickstart.sh --device DEVICE  by that kind: af_xdp or af_packet
#   scripts/quickstart.sh --replay         what it does without privileges: replays examples/quickstart.pcap
set -euo pipefail
cd "$(dirname "$0")/.."
[[ ${1:-} != -h && ${1:-} != --help ]] || exec scripts/usage.sh scripts/quickstart.sh

echo "[1/6] installing what is missing"
scripts/install-deps.sh run

echo "[2/6] building sluiced, sluice-sync, sluice-node and sluicectl (build/quick)"
mkdir -p build/quick
if ! scripts/progress.sh build/quick/build.log scripts/build.sh quick --target sluiced sluice-sync sluice-node sluicectl; then
  tail -n 50 build/quick/build.log >&2
  echo "quickstart: the build failed; all of it is in build/quick/build.log" >&2
  exit 2
fi

export SLUICE_BIN=$PWD/build/quick/bin
exec python3 scripts/lab/quickstart.py "$@"
