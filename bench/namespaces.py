"""nftables with sets and conntrack: the kernel forwards between two veth pairs, in a network namespace of its own; the rig
of section 1 sends and receives at their other ends. The kernel's work is steered to the worker's core."""

import contextlib
import os
import shutil
import subprocess

from run import Failed, keys

SECTION = "peers"
MAC = "02:00:00:00:00:02"  # where the traffic's frames are sent to, in both directions

RULES = """
table inet filter {
  set clients { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
  set ports { type inet_service; flags interval; elements = { 1000-1015 } }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ip saddr @clients udp dport @ports accept
  }
}
"""


def run_quietly(*command, text=None):
    process = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)}: {process.stderr.strip()[-200:]}")


@contextlib.contextmanager
def router(run, name):
    """Yields the names of the two outer ends."""
    ends = [f"{name}{side}" for side in "ab"]
    inside = lambda *command, text=None: run_quietly("ip", "netns", "exec", name, *command, text=text)
    run_quietly("ip", "netns", "add", name)
    try:
        for number, end in enumerate(ends):
            inner = f"in{number}"
            run_quietly("ip", "link", "add", end, "type", "veth", "peer", "name", inner, "netns", name)
            run_quietly("ip", "link", "set", end, "up")
            inside("ip", "link", "set", inner, "address", MAC, "up")
            inside("ip", "address", "add", f"169.254.{number}.1/24", "dev", inner)
            inside("ip", "neighbour", "add", f"169.254.{number}.2", "lladdr", "02:00:00:00:00:01", "dev", inner)
            inside("ip", "route", "add", f"{10 + number}.0.0.0/8", "via", f"169.254.{number}.2")
            inside("sysctl", "-qw", f"net.ipv4.conf.{inner}.rp_filter=0")
            mask = f"{1 << int(run.core_of_worker):x}"
            inside("sh", "-c", f"echo {mask} > /sys/class/net/{inner}/queues/rx-0/rps_cpus")
        inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
        inside("nft", "-f", "-", text=RULES)
        yield ends
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def measure(run):
    if shutil.which("nft") is None:
        run.skip(SECTION, "nftables", "no nft (apt-get install nftables)")
        return
    try:
        with router(run, f"snb{os.getpid() % 10000}") as ends:
            devices = keys(a=f"net_af_packet0,iface={ends[0]}", b=f"net_af_packet1,iface={ends[1]}")
            run.program(
                SECTION, "line_bench", *devices, *keys(contender="nftables", flows=1000, checksums=1, steps=4), what="in namespaces"
            )
    except Failed as problem:
        run.skip(SECTION, "nftables", str(problem))
