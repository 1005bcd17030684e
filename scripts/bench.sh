#!/usr/bin/env bash
# Measures Sluice against the best, and writes build/bench/report.md with plots (SVG) and all values (JSON).
#
#   scripts/bench.sh [--quick] [SECTION...]        all sections: 45 minutes; --quick: 5 minutes (the build not counted)
#   scripts/bench.sh --publish                     then also writes the tables of README.md and docs/speed.md, and docs/bench
#   scripts/bench.sh compare REV [SECTION...]      this tree and the commit REV side by side
#
# Sections: structures hits line peers connections change staged seeing flap compile tiers memory follow grid stages node.
#
# Figures of two runs compare only as ratios, and only if nothing else ran beside them. bench/README.md says more.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ ${1:-} != -h && ${1:-} != --help ]] || exec scripts/usage.sh scripts/bench.sh

scripts/install-deps.sh bench >&2
echo "bench: building release" >&2
mkdir -p build/release
if ! SLUICE_PROGRESS_INDENT='bench: ' scripts/progress.sh build/release/build.log scripts/build.sh release --target bench_programs >&2; then
  tail -n 50 build/release/build.log >&2
  echo "bench: the build failed; all of it is in build/release/build.log" >&2
  exit 1
fi

# Packets of a million flows stay in their buffers: of each contender 2.5 GB, in hugepages where the machine has them to
# give. Four of them side by side compare best; half of the memory is left for the rest.
half=$(awk '/^MemAvailable:/ { print int($2 / 2 / 2048) }' /proc/meminfo)
wanted=$((half < 5400 ? half : 5400))
pages=/proc/sys/vm/nr_hugepages
if ((EUID == 0)) && (($(<"$pages") < wanted)); then
  before=$(<"$pages")
  trap 'echo "$before" >"$pages"' EXIT
  echo "$wanted" >"$pages" || true
fi
python3 bench/bench.py "$@"
