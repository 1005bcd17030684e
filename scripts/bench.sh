#!/usr/bin/env bash
# Builds, then runs every benchmark of bench/: scripts/bench.sh [NAME...]; a line of JSON for each measurement.
# Figures of two runs compare only if nothing else ran beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps.sh >&2
echo "bench: building release" >&2
scripts/build.sh release >&2

benches=("$@")
if ((${#benches[@]} == 0)); then
  mapfile -t benches < <(cd build/release/bin && ls -- *_bench)
fi
for bench in "${benches[@]}"; do
  echo "bench: $bench" >&2
  "build/release/bin/$bench"
done
