#!/usr/bin/env bash
# Finds or builds a real Kubernetes API server, etcd, kubectl and CoreDNS for the tests: scripts/build-test-cluster.sh [nodes]
#
# Each is taken from its variable (SLUICE_KUBE_APISERVER, SLUICE_ETCD, SLUICE_KUBECTL, SLUICE_COREDNS), else from the PATH,
# else built once from its Go module (tests/kube/cluster) into ${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kube-VERSION, where
# the tests look for it. Of the PATH, no etcd before 3.5: it does not answer JSON as the tests ask it.
#
# With "nodes", what a cluster with real nodes needs (tests/cluster) is built there as well: kubelet, kube-proxy, controllers
# and scheduler in one program, Kubernetes' own NetworkPolicy suite with its test image, and network-policy-api's
# conformance suite.
# Exit 0: all are there. Exit 3: something is missing and Go is not there to build it.
set -euo pipefail
cd "$(dirname "$0")/../tests/kube/cluster"

if [[ ${1:-nodes} != nodes || $# -gt 1 ]]; then
  echo "build-test-cluster: there is nothing called '$*'; give nothing, or: nodes" >&2
  exit 2
fi

version=$(sed -n 's|^\tk8s.io/kubernetes v\(.*\)$|\1|p' kubernetes/go.mod)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kube-$version
git_version=k8s.io/component-base/version.gitVersion=v$version

# IsUsable NAME: whether the PATH has one that will do.
IsUsable() {
  command -v "$1" >/dev/null || return 1
  [[ $1 != etcd ]] || [[ $("$1" --version 2>/dev/null) =~ ^etcd\ Version:\ (3\.([5-9]|[1-9][0-9])|[4-9])\. ]]
}

# Build NAME COMMAND...: makes NAME by a command that has OUT where the file is named that it writes.
Build() {
  local name=$1
  shift
  echo "build-test-cluster: building $name $version once, into $folder (a few minutes)"
  mkdir -p "$folder"
  # A name of its own until it is whole: another run may be looking.
  CGO_ENABLED=0 nice "${@/#OUT/"$folder/.$name.$$"}"
  mv "$folder/.$name.$$" "$folder/$name"
}

# NeedGo NAME: stops where there is none to build it.
NeedGo() {
  command -v go >/dev/null && return
  echo "build-test-cluster: no $1 that will do in its variable or on the PATH, and no Go to build it (package golang-go)" >&2
  exit 3
}

flags=(-trimpath -ldflags "-s -w -X $git_version")

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
  NeedGo "$name"
  (cd "$module" && Build "$name" go build "${flags[@]}" -o OUT "$package")
}

# ProvideOwn NAME COMMAND...: what is made from sources here is made again when they change.
ProvideOwn() {
  local name=$1 sources
  sources=$(cat "${own_sources[@]}" | sha256sum)
  [[ ! -x $folder/$name || $(cat "$folder/$name.sources" 2>/dev/null) != "$sources" ]] || return 0
  NeedGo "$name"
  Build "$@"
  echo "$sources" >"$folder/$name.sources"
}

Provide etcd SLUICE_ETCD etcd .
Provide kubectl SLUICE_KUBECTL kubernetes ./kubectl
Provide kube-apiserver SLUICE_KUBE_APISERVER kubernetes ./kube-apiserver

Provide coredns SLUICE_COREDNS coredns .

[[ ${1:-} == nodes ]] || exit 0
policy_api=sigs.k8s.io/network-policy-api
own_sources=(kubernetes/go.* kubernetes/kube-node/* kubernetes/netpol/* sctp/* pause.c)
ProvideOwn kube-node go build -C kubernetes "${flags[@]}" -o OUT ./kube-node
ProvideOwn agnhost go build -C kubernetes "${flags[@]}" -o OUT k8s.io/kubernetes/test/images/agnhost
ProvideOwn ginkgo go build -C kubernetes "${flags[@]}" -o OUT github.com/onsi/ginkgo/v2/ginkgo
ProvideOwn netpol.test go test -C kubernetes -c -vet=off "${flags[@]}" -o OUT ./netpol
ProvideOwn pause cc -Os -static -o OUT pause.c
own_sources=(policy-api/*)
ProvideOwn clusterpolicy.test go test -C policy-api -c -vet=off "${flags[@]}" -o OUT "$policy_api/conformance"
# shellcheck disable=SC2016 # the inner shell's words
ProvideOwn clusternetworkpolicies.yaml sh -c 'install -m 0755 "$(go list -C policy-api -m -f "{{.Dir}}" "$1")/$2" "$0"' OUT \
  "$policy_api" config/crd/experimental/policy.networking.k8s.io_clusternetworkpolicies.yaml
