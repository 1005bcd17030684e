#!/usr/bin/env bash
# Installs what Sluice needs to build, test and run on Debian 12 or 13: packages of the distribution, nothing else,
# and each by a name that both releases have. Run it as often as you like: it only asks dpkg when all is there. With
# `bench`, also what scripts/bench.sh measures with.
set -euo pipefail

packages=(
  # build
  g++ cmake ninja-build ccache pkg-config git ca-certificates
  # link
  libdpdk-dev libyaml-cpp-dev libsimdjson-dev nlohmann-json3-dev libroaring-dev libssl-dev libcurl4-openssl-dev libspdlog-dev libfmt-dev libcli11-dev
  prometheus-cpp-dev libcivetweb-dev libsystemd-dev
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc zlib1g-dev
  # hooks in the kernel: clang compiles them, bpftool makes a header of them
  clang bpftool libbpf-dev libmnl-dev
  # test and check
  libgtest-dev libgmock-dev libre2-dev libbenchmark-dev librapidcheck-dev libpcap-dev
  clang libclang-rt-14-dev clang-format clang-tidy shellcheck python3 python3-jsonschema openssl systemd zsh prometheus
  # the quickstart's network namespaces
  iproute2 iputils-ping ethtool nftables
)

# testpmd, and those whom Sluice is measured against
if [[ ${1:-} == bench ]]; then
  packages+=(dpdk-dev openvswitch-switch-dpdk valgrind)
fi

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
if ! { "${as_root[@]}" apt-get -qq update &&
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${missing[@]}"; } \
  >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "install-deps: apt-get failed (its last lines are above)" >&2
  exit 2
fi
