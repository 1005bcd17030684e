#!/usr/bin/env bash
# The README's two commands on a bare Debian: tests/system/bare_debian.sh [OPTION...] RELEASE [COMMAND...]
#
#   RELEASE       12 or bookworm, 13 or trixie
#   COMMAND       what to run there, in the source folder [scripts/quickstart.sh, then scripts/test.sh]
#   --mirror URL  where packages come from [$SLUICE_DEBIAN_MIRROR, else debootstrap's own choice]
#   --folder DIR  where the system is made; must not be there yet [a new one under ${TMPDIR:-/var/tmp}]
#   --keep        the system stays when all is over
#
# Makes the smallest system that has apt, copies this tree into it (what git tracks or would), and runs each command in
# mount, PID, IPC and UTS namespaces of its own; the network is the machine's, as apt needs it. Says of each how it ended,
# its wall seconds and its CPU seconds. Needs root, debootstrap, and 4 GB (12 GB for scripts/test.sh).
# Exit 0: all went well; 1: a command failed; 2: the system could not be made.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)

Refuse() {
  echo "bare_debian: $*" >&2
  exit 2
}

mirror=${SLUICE_DEBIAN_MIRROR:-}
folder=
keep=false
while [[ ${1:-} == --* ]]; do
  case $1 in
    --mirror | --folder)
      [[ -n ${2:-} ]] || Refuse "$1 wants a value"
      [[ $1 == --mirror ]] && mirror=$2 || folder=$2
      shift
      ;;
    --keep) keep=true ;;
    *) Refuse "no option is called '$1'; there are: --mirror URL, --folder DIR, --keep" ;;
  esac
  shift
done
case ${1:-} in
  12 | bookworm) release=bookworm ;;
  13 | trixie) release=trixie ;;
  *) Refuse "'${1:-}' is no release that Sluice is built on; there are: 12 (bookworm), 13 (trixie)" ;;
esac
shift
commands=("$@")
((${#commands[@]})) || commands=(scripts/quickstart.sh scripts/test.sh)

((EUID == 0)) || Refuse "needs root, for debootstrap and namespaces"
command -v debootstrap >/dev/null || Refuse "no debootstrap here (package debootstrap)"
[[ -z $folder || ! -e $folder ]] || Refuse "$folder is there already; name another folder, or remove it"
if [[ -z $folder ]]; then
  folder=$(mktemp -d "${TMPDIR:-/var/tmp}/sluice-$release-XXXXXX")
else
  mkdir -p "$folder"
fi
# Its mounts went with their namespace; should one still be there, it is left alone.
$keep || trap 'rm -rf --one-file-system "$folder"' EXIT
system=$folder/system

echo "bare_debian: making $release in $system"
debootstrap --variant=minbase "$release" "$system" ${mirror:+"$mirror"} >"$folder/debootstrap.log" 2>&1 || {
  tail -n 20 "$folder/debootstrap.log" >&2
  Refuse "debootstrap failed (its last lines are above)"
}
mkdir "$system/sluice"
git -C "$source" ls-files --cached --others --exclude-standard -z |
  (cd "$source" && while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done) |
  tar --create --directory "$source" --null --files-from - | tar --extract --directory "$system/sluice"

# Inside COMMAND: the namespaces are made, their mounts are not.
# shellcheck disable=SC2016  # for the shell inside
inside='
  mount --types proc proc "$1/proc" && mount --types sysfs sysfs "$1/sys" && mount --types tmpfs tmpfs "$1/run" &&
  mount --rbind /dev "$1/dev" && mount --types tmpfs tmpfs "$1/dev/shm" || exit 2
  exec chroot "$1" /usr/bin/env --ignore-environment --chdir=/sluice HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c "$2"'

failed=0
summary=()
for command in "${commands[@]}"; do
  echo "bare_debian: $release: $command"
  before=$EPOCHSECONDS
  code=0
  TIMEFORMAT='%U %S'
  { time unshare --mount --pid --fork --kill-child --ipc --uts --propagation private \
    bash -c "$inside" bash "$system" "$command" 2>&3; } 3>&2 2>"$folder/cpu" || code=$?
  summary+=("$release: $command: exit $code, $((EPOCHSECONDS - before)) s, $(awk '{ print int($1 + $2) }' "$folder/cpu") CPU s")
  ((code == 0)) || failed=1
done
printf 'bare_debian: %s\n' "${summary[@]}"
exit "$failed"
