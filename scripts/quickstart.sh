#!/usr/bin/env bash
# Sluice's main job on real traffic, from nothing: installs, builds, joins network namespaces by a running sluiced, and
# shows who reaches whom. Cleans up after itself. scripts/quickstart.sh --replay does what it does without privileges.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "[1/5] installing what is missing"
scripts/install-deps.sh

echo "[2/5] building sluiced, sluice-sync and sluicectl (build/release)"
mkdir -p build/release
if ! scripts/build.sh release --target sluiced sluice-sync sluicectl >build/release/build.log 2>&1; then
  tail -n 50 build/release/build.log >&2
  echo "quickstart: the build failed; all of it is in build/release/build.log" >&2
  exit 2
fi

exec python3 scripts/lab/quickstart.py "$@"
