#!/usr/bin/env bash
# Every C++ file, and every program for the kernel, is as clang-format leaves it.
set -euo pipefail
# Releases differ in layout; the sources have that of Debian 12's.
if [[ $(clang-format --version) != *" version 14."* ]]; then
  echo "skipped: the sources are laid out as by clang-format 14; here is $(clang-format --version)"
  exit 77
fi
if ! find base bench codec control dataplane include node programs reference tests -name '*.cc' -print0 -o -name '*.h' -print0 -o -name '*.bpf.c' -print0 |
  xargs -0 clang-format --dry-run -Werror; then
  echo "mend it with: clang-format -i FILE..." >&2
  exit 1
fi
