#!/usr/bin/env bash
# clang-tidy with the short list of .clang-tidy over the layers that read untrusted bytes: tidy.sh BUILD-FOLDER.
set -euo pipefail
build=$1
find base dataplane/core dataplane/table -name '*.cc' -print0 |
  xargs -0 --max-args=4 --max-procs="$(nproc)" clang-tidy -p "$build" --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-unknown-warning-option 2> >(grep -v 'warnings generated' >&2)
