#!/usr/bin/env bash
# Takes the pictures of the page in docs/ anew: from its test with real traffic, and from a large cluster. As root, with
# the programs built by scripts/build.sh; about three minutes. Look at them before you commit them.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
SLUICE_PICTURES="$folder" ctest --test-dir build/release -R '^e2e\.page$' --output-on-failure
for view in map drops staged; do cp "$folder/wide-$view.png" "docs/page-$view.png"; done
tests/e2e/page_scale.py --turns 1 --pictures "$folder"
cp "$folder/scale-map.png" docs/page-large.png
