"""What the figures were taken on: machine, versions, flags."""

import os
import pathlib
import platform
import re
import subprocess


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    except OSError:
        return ""


def package(name):
    return output("dpkg-query", "--show", "--showformat=${Version}", name) or "absent"


def cache_value(build, key):
    text = (pathlib.Path(build) / "CMakeCache.txt").read_text()
    match = re.search(rf"^{key}(?:-ADVANCED)?:\w+=(.*)$", text, re.MULTILINE)
    return match.group(1) if match else ""


def tsc_ghz():
    """The time-stamp counter's rate, as the kernel's own cycle counter clock states it in BogoMIPS (twice the rate)."""
    match = re.search(r"^bogomips\s*:\s*([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE | re.IGNORECASE)
    return float(match.group(1)) / 2000 if match else None


def describe(build):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    field = lambda name: (re.search(rf"^{name}\s*:\s*(.*)$", cpuinfo, re.MULTILINE) or [None, "?"])[1]
    lscpu = output("lscpu")
    caches = ", ".join(" ".join(match) for match in re.findall(r"^(L\w+) cache:\s+(.*)$", lscpu, re.MULTILINE))
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) // (1 << 20)
    hugepages = pathlib.Path("/proc/sys/vm/nr_hugepages").read_text().strip()
    compiler = output(cache_value(build, "CMAKE_CXX_COMPILER") or "c++", "--version").splitlines()
    return {
        "processor": f"{field('model name')}, family {field('cpu family')} model {field('model')}, {os.cpu_count()} cores",
        "caches": caches,
        "time-stamp counter": f"{tsc_ghz():.3f} GHz",
        "hypervisor": " ".join(re.findall(r"^Hypervisor vendor:\s+(.*)$", lscpu, re.MULTILINE)) or "none seen",
        "memory": f"{memory} GB, {hugepages} hugepages of 2 MB",
        "kernel": platform.release(),
        "compiler": f"{compiler[0] if compiler else '?'}; {cache_value(build, 'CMAKE_CXX_FLAGS_RELWITHDEBINFO')} -march=x86-64-v3",
        "DPDK": package("libdpdk-dev"),
        "Open vSwitch": package("openvswitch-switch-dpdk"),
        "nftables": package("nftables"),
        "commit": output("git", "describe", "--always", "--dirty", "--abbrev=12"),
    }
