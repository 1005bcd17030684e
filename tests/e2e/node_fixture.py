"""What the tests of hooks share: a node with pods, `sluice-node` that hooks them and `sluiced` that judges them.

The shape of the node comes from the command line: bridge or routed.
"""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import netns, node
from lab.agents import Agents
from lab.netns import run
from lab.programs import BIN, Program
from schema import check

SKIPPED = 77
FAMILIES = (4, 6)
WAIT_SECONDS = 30

numbers = itertools.count()
is_bridge = True  # else routed


def wait_for(condition, what, seconds=WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Lab:
    """A node with its pods, the file system that hooks are pinned in, and the programs."""

    def __init__(self, add_cleanup, mtu=1500, config=""):
        self.stack = contextlib.ExitStack()
        add_cleanup(self.stack.close)
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-node-")))
        self.bpffs = self.folder / "bpf"
        self.bpffs.mkdir()
        run("mount", "-t", "bpf", "bpf", str(self.bpffs))
        self.stack.callback(lambda: run("umount", str(self.bpffs)))
        shape = node.Shape(is_bridge, mtu)
        self.topology = self.stack.enter_context(node.NodeTopology(f"sn{os.getpid()}-{next(numbers)}-", shape))
        self.agents = self.stack.enter_context(Agents(self.topology))
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir()
        (self.manifests / "cluster.yaml").write_text(node.manifests())
        self.config = self.folder / "sluiced.yaml"
        self.config.write_text(f"bpffs: {self.bpffs}\n{config}\n")
        self.node = self.stack.enter_context(self.sluice_node())
        self.filter = self.stack.enter_context(self.sluiced())

    def restart_filter(self):
        self.filter = self.stack.enter_context(self.sluiced())

    def restart_node(self):
        self.node = self.stack.enter_context(self.sluice_node())

    def node_command(self, *words):
        return [*self.topology.inside("node"), str(BIN / "sluice-node"), "--bpffs", str(self.bpffs), *words]

    def sluice_node(self, *words):
        return Program("sluice-node", self.node_command("run", "--pods", "all", *words), self.folder)

    def sluiced(self):
        command = [*self.topology.inside("node"), BIN / "sluiced", "--wire", "hooks"]
        command += ["--manifests", self.manifests, "--listen", f"unix:{self.folder}/sluiced.sock", "--no-huge"]
        command += ["--config", self.config]
        return Program("sluiced", command, self.folder)

    def ask(self, *words):
        """What sluice-node answers: (exit code, output, errors)."""
        done = subprocess.run(self.node_command(*words), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def status(self):
        code, output, errors = self.ask("status", "-o", "json")
        if not output:
            raise AssertionError(f"sluice-node status: exit {code}\n{errors}")
        status = json.loads(output)
        assert not check.problems("node_status", status), check.problems("node_status", status)
        return status

    def ask_sluiced(self, *words):
        """What `sluicectl` reads from sluiced, of its JSON."""
        command = [BIN / "sluicectl", *words, "--target", f"unix:{self.folder}/sluiced.sock", "-o", "json"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"sluicectl {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def watch_drops(self):
        """From now on; returns a function that tells all so far."""
        path = self.folder / "drops.jsonl"
        command = [BIN / "sluicectl", "drops", "--follow", "--target", f"unix:{self.folder}/sluiced.sock", "-o", "json"]
        with path.open("w") as output:
            process = subprocess.Popen(list(map(str, command)), stdout=output)

        def stop():
            process.kill()
            process.wait()

        self.stack.callback(stop)
        return lambda: [json.loads(line) for line in path.read_text().splitlines()]

    def frames(self, what):
        """Of all interfaces."""
        return sum(hook["frames"][what] for hook in self.status()["hooks"])

    def hooked(self):
        return {hook["interface"] for hook in self.status()["hooks"] if hook["attached"]}


class NodeTest(unittest.TestCase):
    """Most classes share one node with its programs; those that change it have their own."""

    shared = None
    mtu = 1500
    config = ""  # of sluiced
    is_alone = False

    @classmethod
    def setUpClass(cls):
        if not cls.is_alone:
            NodeTest.shared = NodeTest.shared or Lab(unittest.addModuleCleanup)
            cls.lab = NodeTest.shared
        else:
            cls.lab = Lab(cls.addClassCleanup, cls.mtu, cls.config)

    def reach(self, source, action, destination, **request):
        """What becomes of it by IPv4 and by IPv6; one word where it is the same."""
        addresses = destination if isinstance(destination, dict) else destination.addresses
        agent = self.lab.agents[source.name]
        answers = [agent.start(action, address=addresses[family], **request) for family in FAMILIES]
        outcomes = [answer()["outcome"] for answer in answers]
        return outcomes[0] if outcomes[0] == outcomes[1] else outcomes


def main():
    global is_bridge
    shape = sys.argv.pop(1)
    is_bridge = shape == "bridge"
    missing = netns.missing_privilege()
    if not missing and shutil.which("nft") is None:
        missing = "no nft; scripts/install-deps.sh installs it"
    if missing:
        print(f"skipped: needs root and nftables, to make a node of network namespaces ({missing})")
        sys.exit(SKIPPED)
    done = subprocess.run([str(BIN / "sluice-node"), "check"], capture_output=True, text=True, timeout=60)
    lacking = [line for line in done.stdout.splitlines() if line.startswith("error") and not line.startswith("error    bpffs")]
    if lacking:
        print("skipped: this kernel cannot have hooks: " + "; ".join(lacking))
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)

