#!/usr/bin/env bash
# Builds Sluice: scripts/build.sh [PRESET [CMAKE-BUILD-ARGUMENT...]]; the programs are then in build/PRESET/bin.
# Presets: release (the default), debug, asan, tsan, fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
shift || true

# Configuring again is only needed once: ninja does it when a CMake file changes.
if [[ ! -f build/$preset/build.ninja ]]; then
  mkdir -p "build/$preset"
  if ! cmake --preset "$preset" >"build/$preset/configure.log" 2>&1; then
    cat "build/$preset/configure.log" >&2
    echo "build: cmake --preset $preset failed; scripts/install-deps.sh installs what it needs" >&2
    exit 2
  fi
fi
cmake --build "build/$preset" "$@"
