#!/usr/bin/env bash
# Builds Sluice: scripts/build.sh [PRESET [CMAKE-BUILD-ARGUMENT...]]; the programs are then in build/PRESET/bin.
# Presets: release (the default), quick, debug, asan, tsan. With CI=true, as in CI, warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ ${1:-} != -h && ${1:-} != --help ]] || exec scripts/usage.sh scripts/build.sh

preset=${1:-release}
shift || true

settings=()
[[ ${CI:-} != true ]] || settings+=(-DSLUICE_WERROR=ON)

# Configuring is needed once, and when packages came or went: ninja does it again when a CMake file changes.
if [[ ! -f build/$preset/build.ninja || build/$preset/build.ninja -ot /var/lib/dpkg/status ]] ||
  { ((${#settings[@]})) && ! grep -q '^SLUICE_WERROR:BOOL=ON$' "build/$preset/CMakeCache.txt"; }; then
  mkdir -p "build/$preset"
  echo "configuring build/$preset"
  if ! cmake --preset "$preset" "${settings[@]}" >"build/$preset/configure.log" 2>&1; then
    cat "build/$preset/configure.log" >&2
    echo "build: cmake --preset $preset failed; scripts/install-deps.sh installs what it needs" >&2
    exit 2
  fi
fi
cmake --build "build/$preset" "$@"
