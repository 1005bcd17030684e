#!/usr/bin/env bash
# Finds or builds a real Kubernetes API server, etcd and kubectl for the tests: scripts/build-test-cluster.sh
#
# Each is taken from its variable (SLUICE_KUBE_APISERVER, SLUICE_ETCD, SLUICE_KUBECTL), else from the PATH, else built
# once from its Go module (tests/kube/cluster) into ${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kube-VERSION, where the tests
# look for it. Of the PATH, no etcd before 3.5: it does not answer JSON as the tests ask it.
# Exit 0: all are there. Exit 3: something is missing and Go is not there to build it.
set -euo pipefail
cd "$(dirname "$0")/../tests/kube/cluster"

version=$(sed -n 's|^\tk8s.io/kubernetes v\(.*\)$|\1|p' kubernetes/go.mod)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kube-$version
git_version=k8s.io/component-base/version.gitVersion=v$version

# IsUsable NAME: whether the PATH has one that will do.
IsUsable() {
  command -v "$1" >/dev/null || return 1
  [[ $1 != etcd ]] || [[ $("$1" --version 2>/dev/null) =~ ^etcd\ Version:\ (3\.([5-9]|[1-9][0-9])|[4-9])\. ]]
}

# Provide NAME VARIABLE MODULE PACKAGE
Provide() {
  local name=$1 variable=$2 module=$3 package=$4
  if [[ -n ${!variable:-} ]]; then
    [[ -x ${!variable} ]] && return
    echo "build-test-cluster: $variable is '${!variable}', which cannot be run; unset it, or name $name itself" >&2
    exit 2
  fi
  if IsUsable "$name" || [[ -x $folder/$name ]]; then
    return
  fi
  if ! command -v go >/dev/null; then
    echo "build-test-cluster: no $name that will do in $variable or on the PATH, and no Go to build it (package golang-go)" >&2
    exit 3
  fi
  echo "build-test-cluster: building $name $version once, into $folder (a few minutes)"
  mkdir -p "$folder"
  # A name of its own until it is whole: another run may be looking.
  (cd "$module" && CGO_ENABLED=0 nice go build -trimpath -ldflags "-s -w -X $git_version" -o "$folder/.$name.$$" "$package")
  mv "$folder/.$name.$$" "$folder/$name"
}

Provide etcd SLUICE_ETCD etcd .
Provide kubectl SLUICE_KUBECTL kubernetes ./kubectl
Provide kube-apiserver SLUICE_KUBE_APISERVER kubernetes ./kube-apiserver
