#!/usr/bin/env bash
# Every shell script passes shellcheck, and says in its first line which shell runs it.
set -euo pipefail
mapfile -d '' scripts < <(find .ci scripts tests examples -type f \( -name '*.sh' -o -path .ci/run \) -print0)
shellcheck "${scripts[@]}"
