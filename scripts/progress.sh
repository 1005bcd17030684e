#!/usr/bin/env bash
# Runs a command and shows how far it is: scripts/progress.sh [--rest] LOG COMMAND...
#
# On a terminal a bar, elsewhere a line every five seconds: percent, steps, seconds, and what is being done. Steps are
# read from what ninja, ctest and apt-get (with -o APT::Status-Fd=1) print; of any other command the last line is shown.
# Everything goes to LOG. With --rest, what tells no progress is shown too, as it comes. Exit code: the command's.
set -euo pipefail

rest=false
if [[ $1 == --rest ]]; then
  rest=true
  shift
fi
log=$1
shift

exec 5>&1 # in a substitution, too, what is shown on
period=5
[[ -t 1 ]] && period=1
indent=${SLUICE_PROGRESS_INDENT:-      }

percent=
steps=
doing=
shown=-$period
width=0

# Clear: takes the bar off the terminal, so that a line can stand there.
Clear() {
  ((width == 0)) || printf '\r%*s\r' "$width" ''
  width=0
}

Show() {
  ((SECONDS - shown >= period)) || return 0
  shown=$SECONDS
  local text=${SECONDS}\ s
  [[ -z $steps ]] || text="$steps, $text"
  [[ -z $doing ]] || text+=": $doing"
  if [[ ! -t 1 ]]; then
    printf '%s%s%s\n' "$indent" "${percent:+$percent% }" "$text"
    return
  fi
  local bar='' columns
  if [[ -n $percent ]]; then
    printf -v bar '%*s' $((percent * 24 / 100)) ''
    printf -v bar '[%-24s] %3d%% ' "${bar// /#}" "$percent"
  fi
  columns=$(stty size <&5 2>/dev/null | cut -d ' ' -f 2) || true
  ((${columns:-0} > 20)) || columns=80
  text="$indent$bar$text"
  text=${text:0:columns-1}
  Clear
  printf '%s' "$text"
  width=${#text}
}

# Read LINE: false where it tells no progress.
Read() {
  local line=$1
  if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*)$ ]]; then # ninja
    percent=$((BASH_REMATCH[1] * 100 / BASH_REMATCH[2]))
    steps="${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
    doing=${BASH_REMATCH[3]%%,*}
    if [[ $doing =~ ^Building\ [A-Z]+\ object\ (.*)CMakeFiles/([^/]*)\.dir/(.*)\.o$ ]]; then
      doing=${BASH_REMATCH[1]}${BASH_REMATCH[3]}
      [[ $doing != *Unity/* ]] || doing="${BASH_REMATCH[1]}${BASH_REMATCH[2]}, part ${doing//[^0-9]/}"
    fi
  elif [[ $line =~ ^\ *([0-9]+)/([0-9]+)\ Test\ +\#[0-9]+:\ ([^ ]+)\ (.*)$ ]]; then # ctest, a test's end
    percent=$((BASH_REMATCH[1] * 100 / BASH_REMATCH[2]))
    steps="${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
    [[ ${BASH_REMATCH[4]} =~ ^\.*\ +Passed\  ]]
  elif [[ $line =~ ^\ +Start\ +[0-9]+:\ (.*)$ ]]; then # ctest, its start
    doing=${BASH_REMATCH[1]}
  elif [[ $line =~ ^dlstatus:[^:]*:([0-9]+)[^:]*: ]]; then # apt-get: the first half of the work
    percent=$((BASH_REMATCH[1] / 2))
    doing=downloading
  elif [[ $line =~ ^pmstatus:([^:]*)(:[a-z0-9]+)?:([0-9]+)\.?[0-9]*:(.*)$ ]]; then
    percent=$((50 + BASH_REMATCH[3] / 2))
    doing=${BASH_REMATCH[4]}
  elif ! $rest && [[ -n $line ]]; then
    [[ -n $steps$percent ]] || doing=$line
    return 1
  else
    return 1
  fi
}

exec 3< <(export NINJA_STATUS='[%f/%t] ' && exec "$@" 2>&1)
command=$!
trap 'Clear; kill "$command" 2>/dev/null' EXIT
exec 4>"$log"
line=
while true; do
  part=
  code=0
  IFS= read -r -t 1 -u 3 part || code=$?
  line+=$part
  # Above 128, no line's end came within the second.
  if ((code == 0)); then
    printf '%s\n' "$line" >&4
    if ! Read "$line" && $rest; then
      Clear
      printf '%s\n' "$line"
    fi
    line=
  elif ((code <= 128)); then
    [[ -z $line ]] || printf '%s\n' "$line" >&4
    break
  fi
  Show
done
trap - EXIT
code=0
wait "$command" || code=$?
Clear
((code != 0)) || $rest || printf '%sdone in %d s\n' "$indent" "$SECONDS"
exit "$code"
