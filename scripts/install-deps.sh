#!/usr/bin/env bash
# Installs what Sluice needs to build, test and run on Debian 12 or 13: packages of the distribution, nothing
# else, and each by a name that both releases have. Run it as often as you like: it only asks dpkg when all is there.
#
#   scripts/install-deps.sh          all that scripts/test.sh needs
#   scripts/install-deps.sh run      what the programs are built from, and the quickstart
#   scripts/install-deps.sh cluster  all, and what nodes of a real cluster run (scripts/test.sh cluster)
#   scripts/install-deps.sh bench    all, and what scripts/bench.sh measures with
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  # build
  g++ cmake ninja-build ccache pkg-config git ca-certificates
  # link
  libdpdk-dev libyaml-cpp-dev libsimdjson-dev nlohmann-json3-dev libroaring-dev libssl-dev libcurl4-openssl-dev libspdlog-dev libfmt-dev libcli11-dev
  prometheus-cpp-dev libcivetweb-dev libsystemd-dev
  libgrpc++-dev libabsl-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc zlib1g-dev
  libpcap-dev
  # hooks in the kernel: clang compiles them, bpftool makes a header of them
  clang bpftool libbpf-dev libmnl-dev
  # the quickstart's network namespaces
  python3 iproute2 iputils-ping ethtool nftables
)
tests=(
  libgtest-dev libgmock-dev libre2-dev libbenchmark-dev librapidcheck-dev
  libclang-rt-dev clang-format clang-tidy shellcheck python3-jsonschema openssl systemd zsh prometheus tshark nfdump curl chromium unbound default-jdk-headless
)
# a node's container runtime, network plugins, and what kube-proxy writes its rules with
cluster=(containerd runc containernetworking-plugins iptables)
# testpmd, and the programs that Sluice is measured against
bench=(dpdk-dev openvswitch-switch-dpdk valgrind)

case ${1:-test} in
  run) ;;
  test) packages+=("${tests[@]}") ;;
  cluster) packages+=("${tests[@]}" "${cluster[@]}") ;;
  bench) packages+=("${tests[@]}" "${bench[@]}") ;;
  *)
    echo "install-deps: no set of packages is called '$1'; there are: run, test (the default), cluster, bench" >&2
    exit 2
    ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "install-deps: all ${#packages[@]} packages are there"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install-deps: needs root; run once as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 2
  fi
  as_root=(sudo)
fi

echo "install-deps: installing ${#missing[@]} of ${#packages[@]} packages with apt-get: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! scripts/progress.sh "$log" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c '
  echo "reading the lists of packages"
  apt-get -qq update &&
  exec apt-get -qq -o APT::Status-Fd=1 install --yes --no-install-recommends "$@"' sh "${missing[@]}"; then
  grep -v -E "^(dl|pm)status:" "$log" | tail -n 20 >&2
  echo "install-deps: apt-get failed (its last lines are above)" >&2
  exit 2
fi
