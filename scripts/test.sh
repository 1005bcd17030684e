#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: scripts/test.sh [PART...]
#
#   lint   format, shell scripts, layers, headers, documents
#   unit   every test binary, release build
#   e2e    network namespaces around a running sluiced (needs root; else skipped, saying so)
#   fuzz   each fuzzer for a few seconds
#   asan   every test binary under the address and undefined-behaviour sanitizers
#   tsan   the tests that use threads, under the thread sanitizer
#
#   cluster[.SHAPE]   Kubernetes' own NetworkPolicy suite on real clusters (tests/cluster; needs root), or on one of them:
#          bridge, ptp, two.bridge, two.ptp, masquerade, clusterpolicy
#
# No PART means all but the last. Every check is a ctest test, so one ctest summary closes the run.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ ${1:-} != -h && ${1:-} != --help ]] || exec scripts/usage.sh scripts/test.sh

all_parts=(lint unit e2e fuzz asan tsan)
parts=("$@")
clusters=(cluster cluster.bridge cluster.ptp cluster.two.bridge cluster.two.ptp cluster.masquerade cluster.clusterpolicy)
((${#parts[@]})) || parts=("${all_parts[@]}")
packages='test'
tools=()
target=node_programs
for part in "${parts[@]}"; do
  if [[ " ${clusters[*]} " == *" $part "* ]]; then
    packages='cluster'
    tools=(nodes)
  elif [[ " ${all_parts[*]} " == *" $part "* ]]; then
    target=checks
  else
    echo "test: no part is called '$part'; there are: ${all_parts[*]} ${clusters[*]}" >&2
    exit 2
  fi
done

# Parts share a build where they can.
presets=()
for part in "${parts[@]}"; do
  case $part in
    lint | unit | e2e | cluster*) preset=release ;;
    fuzz | asan) preset=asan ;;
    tsan) preset=tsan ;;
  esac
  [[ " ${presets[*]} " == *" $preset "* ]] || presets+=("$preset")
done

steps=$((${#presets[@]} + 3))
step=0
Step() {
  step=$((step + 1))
  echo "[$step/$steps] $*"
}

Step "installing what is missing"
scripts/install-deps.sh "$packages"

# For the tests of the Kubernetes side. Where it cannot be had they are skipped, saying so; in CI that is a failure.
Step "finding or building a Kubernetes API server${tools[*]:+, kubelet and test suite}"
mkdir -p build/tests
scripts/progress.sh build/tests/cluster.log scripts/build-test-cluster.sh "${tools[@]}" || {
  code=$?
  tail -n 20 build/tests/cluster.log >&2
  [[ $code == 3 && ${CI:-} != true ]] || exit "$code"
}

for preset in "${presets[@]}"; do
  Step "building $preset"
  mkdir -p "build/$preset"
  if ! scripts/progress.sh "build/$preset/build.log" scripts/build.sh "$preset" --target "$target"; then
    grep -E -A 20 'error|FAILED|Error' "build/$preset/build.log" | head -n 100 >&2 || tail -n 50 "build/$preset/build.log" >&2
    echo "test: building $preset failed; all of it is in build/$preset/build.log" >&2
    exit 1
  fi
done

# One ctest run over the chosen builds, two slots a core: tests/CMakeLists.txt tells what takes how many.
for preset in "${presets[@]}"; do
  echo "subdirs(\"$PWD/build/$preset\")"
done >build/tests/CTestTestfile.cmake

labels=$(IFS='|' && echo "${parts[*]//./\\.}")
Step "testing: ${parts[*]}"
scripts/progress.sh --rest build/tests/ctest.log ctest --test-dir build/tests --label-regex "^($labels)\$" \
  --parallel "$((2 * $(nproc)))" --output-on-failure --no-label-summary --no-tests=error
