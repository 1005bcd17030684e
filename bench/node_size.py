"""A node with 110 pods and 10,000 carried flows: memory, what idling costs, and how soon a change cuts one of the flows.

    python3 bench/node_size.py [CHANGES]    # as root, once release is built; two minutes for 40 changes

The three programs run as deploy/node.yaml has them, but policy comes from files. Flows are UDP, an answer to each
datagram, and no datagram is sent twice: the 10,000 that a change does not concern go on meanwhile, one exchange after the
other, and what they lose is said.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))

from lab import hooked_node, node
from lab.agents import Agents
from lab.hosts import Host
from lab.programs import BIN, Program, Sync

PODS, FLOWS = 110, 10_000
CONFIG = "flows: {ipv4: 262144, ipv6: 65536}"  # deploy/node.yaml
IDLE_SECONDS = 20
SETTLE_MS = 50  # sluice-sync reads a file once it has not changed for so long: not counted
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
    def __init__(self, add_cleanup, pods):
        super().__init__(hooked_node.prefix("nz"), node.Shape(False), pods, CONFIG)
        add_cleanup(self.close)
        self.sync = self.enter_context(Sync(self.manifests, self.target, self.folder))

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


def cut(lab, echo, text):
    """Milliseconds from the change of the file to the flow's last packet."""
    path, new = lab.manifests / "cluster.yaml", lab.folder / "new.yaml"

    def is_carried():
        def taken():
            return sum(hook["frames"]["to_filter"] for hook in lab.status()["hooks"])

        before = taken()
        time.sleep(0.1)
        return taken() == before and time.monotonic() - float(ask(echo)) < 0.05

    wait_for(is_carried)
    new.write_text(text.replace(POLICY_ADMITS, POLICY_DENIES, 1))
    changed = time.monotonic()
    os.replace(new, path)
    wait_for(lambda: time.monotonic() - float(ask(echo)) > 0.5)
    last = float(ask(echo))
    new.write_text(text)
    os.replace(new, path)
    return (last - changed) * 1000


def say_cuts(lab, others, changes):
    echo, _ = lab.start("server", ECHO, node.SERVER.addresses[4], 80)
    lab.start("client", TALK, node.SERVER.addresses[4], 80)
    text = (lab.manifests / "cluster.yaml").read_text()
    lost, turns, took = 0, 0, []
    for _ in range(changes):
        others.stdin.write("\n")
        others.stdin.flush()  # a turn of all flows, beside the change
        took.append(cut(lab, echo, text) - SETTLE_MS)
        lost += int(others.stdout.readline())
        turns += 1
    took.sort()
    at = lambda part: took[min(int(len(took) * part), len(took) - 1)]
    print(f"{changes} changes, each cuts one of {lab.status()['carried_flows']:,} carried flows: its last packet "
          f"{at(0.5):.1f} ms (median), {at(0.9):.1f} (p90), {at(1):.1f} (most) after the file was read; "
          f"the others lost {lost} of {turns * FLOWS:,} datagrams", flush=True)  # fmt: skip


def main():
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    more = [Host(f"web/p{i}", {4: f"10.77.0.{20 + i}", 6: f"fd77::{100 + i}"}) for i in range(PODS - len(node.PODS))]
    node.POLICY = node.POLICY.replace("ports: [{port: 80}]", "ports: [{port: 80}, {port: 80, protocol: UDP}]", 1)
    hooked_node.Agents = lambda topology: Agents(Few(topology))
    cleanups = []
    try:
        lab = BigNode(cleanups.append, (*node.PODS, *more))
        say_size(lab, f"{PODS} pods, no flows")
        lab.start("open", ECHO, node.OPEN.addresses[4], 53)
        others, _ = lab.start("p0", FLOWS_OF, node.OPEN.addresses[4], 53, FLOWS)
        say_size(lab, f"{PODS} pods, {lab.status()['carried_flows']:,} carried flows")
        say_cuts(lab, others, changes)
    finally:
        for close in cleanups:
            close()


if __name__ == "__main__":
    main()
