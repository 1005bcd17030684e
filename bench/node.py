"""Between two pods of one node, in network namespaces: without a filter, with nftables and conntrack, and with Sluice at the
pods' interfaces, established flows carried by the kernel or not. Contenders take turns; each has a node of its own."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from run import Failed

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))

from lab import netns, node
from lab.netns import run as run_command
from lab.node import CLIENT, SERVER
from lab.programs import DaemonFailed, Program

SECTION = "node"
PORT = "7000"
CONTENDERS = ("no filter", "nftables with conntrack", "sluice carried", "sluice not carried")
WORKLOADS = {  # what pod_traffic is asked, and the metrics of its answer
    "1 stream": (("stream",), ("1",), ("gbps",)),
    "8 streams": (("stream",), ("8",), ("gbps",)),
    "requests": (("requests",), (), ("p50_us", "p99_us")),
    "connections, one after the other": (("connections",), ("1",), ("per_second",)),
    "connections, 8 at once": (("connections",), ("8",), ("per_second",)),
    "datagrams": (("datagrams",), (), ("per_second",)),
}

RULES = f"""
table inet filter {{
  set clients {{ type ipv4_addr; elements = {{ {CLIENT.addresses[4]} }} }}
  set servers {{ type ipv4_addr; elements = {{ {SERVER.addresses[4]} }} }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ip saddr @clients ip daddr @servers meta l4proto {{ tcp, udp }} th dport {PORT} accept
  }}
}}
"""

POLICY = f"""
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: bench, namespace: web}}
spec:
  podSelector: {{matchLabels: {{app: server}}}}
  policyTypes: [Ingress]
  ingress:
    - from: [{{podSelector: {{matchLabels: {{app: client}}}}}}]
      ports: [{{port: {PORT}}}, {{port: {PORT}, protocol: UDP}}]
"""


class Pods(node.NodeTopology):
    """Two pods with routes of their own. What kube-proxy does is not there."""

    def _build(self):
        super()._build()
        run_command(*self.inside("node"), "nft", "flush", "ruleset")


class Contender:
    def __init__(self, run, name, stack):
        self.run = run
        number = CONTENDERS.index(name)
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        self.topology = stack.enter_context(Pods(f"sb{os.getpid() % 10000}-{number}-", node.Shape(False), (CLIENT, SERVER)))
        if name.startswith("nftables"):
            run_command(*self.topology.inside("node"), "nft", "-f", "-", text_input=RULES)
        self.programs = []
        if name.startswith("sluice"):
            self._filter(folder, stack, "not" not in name)
        command = [*self.topology.inside("server"), str(run.bin / "pod_traffic"), "serve", SERVER.addresses[4], PORT]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        stack.callback(lambda: (server.kill(), server.wait(), server.stdout.close()))
        if server.stdout.readline() != "ready\n":
            raise Failed(f"{name}: pod_traffic does not serve")

    def _filter(self, folder, stack, carries):
        bpffs = folder / "bpf"
        bpffs.mkdir()
        run_command("mount", "-t", "bpf", "bpf", str(bpffs))
        stack.callback(lambda: run_command("umount", str(bpffs)))
        (folder / "cluster.yaml").write_text(node.manifests((CLIENT, SERVER)) + POLICY)
        (folder / "sluiced.yaml").write_text(f"bpffs: {bpffs}\ncarry: {str(carries).lower()}\n")
        inside = self.topology.inside("node")
        hooks = [*inside, self.run.bin / "sluice-node", "--bpffs", bpffs, "run", "--pods", "all", "--uplink", "eth0"]
        stack.enter_context(Program("sluice-node", hooks, folder))
        command = [*inside, self.run.bin / "sluiced", "--wire", "hooks", "--manifests", folder / "cluster.yaml"]
        command += ["--listen", f"unix:{folder}/sluiced.sock", "--no-huge", "--config", folder / "sluiced.yaml"]
        stack.enter_context(Program("sluiced", command, folder))

    def measure(self, workload, seconds):
        what, extra, metrics = WORKLOADS[workload]
        command = [*self.topology.inside("client"), str(self.run.bin / "pod_traffic"), *what, SERVER.addresses[4], PORT, str(seconds), *extra]
        before = busy_seconds()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Failed(f"{workload}: {done.stderr.strip()[-200:]}")
        answer = json.loads(done.stdout)
        values = {metric: answer[metric] for metric in metrics}
        if "bytes" in answer:
            values["cpu_seconds_a_gigabit"] = (busy_seconds() - before) / (answer["bytes"] * 8e-9)
        return values


def busy_seconds():
    """Of all processors, whatever they did: what the kernel does for a packet is nobody's."""
    fields = list(map(int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def measure(run):
    missing = netns.missing_privilege()
    if missing:
        run.skip(SECTION, "all", f"network namespaces need root ({missing})")
        return
    with contextlib.ExitStack() as stack:
        contenders = {}
        for name in CONTENDERS:
            try:
                contenders[name] = Contender(run, name, stack)
            except (Failed, DaemonFailed, RuntimeError, OSError, subprocess.SubprocessError) as problem:
                run.skip(SECTION, name, str(problem))
        seconds = run.choose(1, 3)
        for _ in range(run.choose(1, 5)):
            for workload in WORKLOADS:
                for name, contender in contenders.items():
                    try:
                        values = contender.measure(workload, seconds)
                    except (Failed, subprocess.SubprocessError) as problem:
                        run.skip(SECTION, f"{name}, {workload}", str(problem))
                        continue
                    for metric, value in values.items():
                        run.add(SECTION, name, metric, [value], workload=workload)
                    time.sleep(0.2)  # what is on its way still
