#!/usr/bin/env bash
# Prints what the comment at the head of a script says: scripts/usage.sh SCRIPT. Each script's --help is this.
set -euo pipefail
sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"
