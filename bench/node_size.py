"""A node with 110 pods and 10,000 carried flows: memory, what idling costs, and how soon a change cuts one of the flows.

    python3 bench/node_size.py [CHANGES]    # as root, once release is built; two minutes for 40 changes

The three programs run as deploy/node.yaml has them, policy comes from a real API server (build the target kube_cluster).
Flows are UDP, an answer to each datagram, and no datagram is sent twice: the 10,000 that a change does not concern go on
meanwhile, one exchange after the other, and what they lose is said.
"""

import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "tests" / "netpol"))

import cluster
from case_file import ObjectName
from lab import hooked_node, node
from lab.agents import Agents
from lab.hosts import Host
from lab.programs import BIN, Program

PODS, FLOWS = 110, 10_000
CONFIG = "flows: {ipv4: 262144, ipv6: 65536}"  # deploy/node.yaml
IDLE_SECONDS = 20
PARTS = (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1))
POLICY_ADMITS, POLICY_DENIES = "podSelector: {matchLabels: {app: client}}", "podSelector: {matchLabels: {app: nobody}}"

ECHO = """
import socket, sys, threading, time
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind((sys.argv[1], int(sys.argv[2])))
last = 0.0
def echo():
    global last
    while True:
        data, peer = own.recvfrom(100)
        last = time.monotonic()
        own.sendto(data, peer)
threading.Thread(target=echo, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    print(last, flush=True)
"""

TALK = """
import socket, sys, time
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.connect((sys.argv[1], int(sys.argv[2])))
own.setblocking(False)
print("ready", flush=True)
while True:
    for act in (lambda: own.send(b"x"), lambda: own.recv(100)):
        try:
            act()
        except OSError:
            pass
    time.sleep(0.0002)
"""

FLOWS_OF = """
import resource, socket, sys
count = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
flows = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
for flow in flows:
    flow.settimeout(5)
    flow.connect((sys.argv[1], int(sys.argv[2])))
def lost_of_a_turn():
    lost = 0
    for flow in flows:
        flow.send(b"x")
        try:
            flow.recv(100)
        except TimeoutError:
            lost += 1
    return lost
print(sum(lost_of_a_turn() for _ in range(4)), flush=True)
for line in sys.stdin:
    print(lost_of_a_turn(), flush=True)
"""


class Few:
    """A topology whose agents are its ends' alone: a hundred of them would be all that is measured."""

    def __init__(self, topology):
        self.inside, self.hosts = topology.inside, (node.HOME, node.OUTSIDE)


class BigNode(hooked_node.HookedNode):
    def __init__(self, add_cleanup, pods, api):
        super().__init__(hooked_node.prefix("nz"), node.Shape(False), pods, CONFIG)
        add_cleanup(self.close)
        command = [BIN / "sluice-sync", "--kubeconfig", api.reach["sync_kubeconfig"], "--node", "node", "--target", self.target]
        self.sync = self.enter_context(Program("sluice-sync", command, self.folder))

    def sluiced(self):
        command = [*self.topology.inside("node"), BIN / "sluiced", "--wire", "hooks", "--config", self.config, "--no-huge"]
        return Program("sluiced", [*command, "--listen", self.target, "--state", self.folder / "state"], self.folder)

    def programs(self):
        named = {"sluiced": self.filter, "sluice-node": self.node, "sluice-sync": self.sync}
        return {name: program.process.pid for name, program in named.items()}

    def start(self, short, code, *words):
        process = subprocess.Popen(
            [*self.topology.inside(short), sys.executable, "-c", code, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.callback(lambda: (process.kill(), process.communicate()))
        return process, process.stdout.readline().strip()

    def status(self):
        return json.loads(subprocess.run(self.node_command("status", "-o", "json"), capture_output=True, text=True).stdout)


def resident_mb(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def busy_seconds(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def say_size(lab, when):
    sizes = {name: resident_mb(pid) for name, pid in lab.programs().items()}
    words = ", ".join(f"{name} {size:.0f}" for name, size in sizes.items())
    before = {name: busy_seconds(pid) for name, pid in lab.programs().items()}
    time.sleep(IDLE_SECONDS)
    busy = sum(busy_seconds(pid) - before[name] for name, pid in lab.programs().items()) / IDLE_SECONDS
    print(f"{when}: {sum(sizes.values()):.0f} MB resident ({words}); {100 * busy:.1f} % of a core, idle", flush=True)


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("a flow is not carried after 60 s")
        time.sleep(0.1)


def cut(lab, api, echo):
    """Milliseconds to the flow's last packet: since the change was sent, and since the API server said that it has it."""

    def is_carried():
        def taken():
            return sum(hook["frames"]["to_filter"] for hook in lab.status()["hooks"])

        before = taken()
        time.sleep(0.1)
        return taken() == before and time.monotonic() - float(ask(echo)) < 0.05

    wait_for(is_carried)
    sent = time.monotonic()
    apply(api, node.POLICY.replace(POLICY_ADMITS, POLICY_DENIES, 1), "server")
    said = time.monotonic()
    wait_for(lambda: time.monotonic() - float(ask(echo)) > 0.5)
    last = float(ask(echo))
    apply(api, node.POLICY, "server")
    return (last - sent) * 1000, max(last - said, 0) * 1000  # it may be cut before we have the answer


def say_cuts(lab, api, others, changes):
    echo, _ = lab.start("server", ECHO, node.SERVER.addresses[4], 80)
    lab.start("client", TALK, node.SERVER.addresses[4], 80)
    lost, turns, took = 0, 0, []
    for _ in range(changes):
        others.stdin.write("\n")
        others.stdin.flush()  # a turn of all flows, beside the change
        took.append(cut(lab, api, echo))
        lost += int(others.stdout.readline())
        turns += 1
    times = [sorted(kind) for kind in zip(*took)]
    words = [
        ", ".join(f"{kind[min(int(len(kind) * part), len(kind) - 1)]:.1f} ({name})" for name, part in PARTS) for kind in times
    ]
    print(f"{changes} changes, each cuts one of {lab.status()['carried_flows']:,} carried flows: its last packet, in ms, "
          f"{words[1]} after the API server said that it has it, {words[0]} after it was sent; "
          f"the others lost {lost} of {turns * FLOWS:,} datagrams", flush=True)  # fmt: skip


def documents(text):
    """{name: (kind, manifest)}, each without what the API server takes elsewhere."""
    parts = [re.sub(r"\nstatus:.*", "", part) for part in text.split("\n---\n")]
    return {re.search(r"metadata: {name: (\w+)", part)[1]: (re.search(r"kind: (\w+)", part)[1], part) for part in parts}


def apply(api, text, name):
    kind, manifest = documents(text)[name]
    namespace = "web" if kind == "NetworkPolicy" else ""
    api.apply(ObjectName(kind, namespace, name), manifest)


def fill_cluster(api, pods):
    for name in documents(node.POLICY):
        apply(api, node.POLICY, name)
    addresses = [{"type": "InternalIP", "address": address} for address in node.NODE.values()]
    api.set_status(ObjectName("Node", "", "node"), {"addresses": addresses})
    for pod in pods:
        spec = {"nodeName": "node", "containers": [{"name": "main", "image": "none"}]}
        name, manifest, _ = cluster.to_object("v1", ObjectName("Pod", "web", pod.short), {"app": pod.short}, spec)
        api.apply(name, json.dumps(manifest))
        addresses = [{"ip": address} for address in pod.addresses.values()]
        api.set_status(name, {"phase": "Running", "podIP": addresses[0]["ip"], "podIPs": addresses})


def main():
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    more = [Host(f"web/p{i}", {4: f"10.77.0.{20 + i}", 6: f"fd77::{100 + i}"}) for i in range(PODS - len(node.PODS))]
    node.POLICY = node.POLICY.replace("ports: [{port: 80}]", "ports: [{port: 80}, {port: 80, protocol: UDP}]", 1)
    hooked_node.Agents = lambda topology: Agents(Few(topology))
    cleanups = []
    pods = (*node.PODS, *more)
    with cluster.ApiServer(BIN.parent / "tests" / "kube_cluster") as api:
        if api.exit_code != 0:
            sys.exit("there is no API server: scripts/build-test-cluster.sh builds it")
        fill_cluster(api, pods)
        try:
            lab = BigNode(cleanups.append, pods, api)
            say_size(lab, f"{PODS} pods, no flows")
            lab.start("open", ECHO, node.OPEN.addresses[4], 53)
            others, _ = lab.start("p0", FLOWS_OF, node.OPEN.addresses[4], 53, FLOWS)
            say_size(lab, f"{PODS} pods, {lab.status()['carried_flows']:,} carried flows")
            say_cuts(lab, api, others, changes)
        finally:
            for close in cleanups:
                close()


if __name__ == "__main__":
    main()
