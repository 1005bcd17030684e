"""What the tests of hooks share: a node with pods, `sluice-node` that hooks them and `sluiced` that judges them.

The shape of the node comes from the command line: bridge or routed.
"""

import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import hooked_node, netns, node
from lab.hooked_node import HookedNode, prefix
from lab.programs import BIN
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


class Lab(HookedNode):
    """That node, and what tests ask of it."""

    def __init__(self, add_cleanup, mtu=1500, config=""):
        super().__init__(f"{prefix('sn')}{next(numbers)}-", node.Shape(is_bridge, mtu), config=config)
        add_cleanup(self.close)

    def restart_filter(self):
        self.filter = self.enter_context(self.sluiced())

    def restart_node(self):
        self.node = self.enter_context(self.sluice_node())

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

    def watch_drops(self):
        """From now on; returns a function that tells all so far."""
        path = self.folder / "drops.jsonl"
        command = [BIN / "sluicectl", "drops", "--follow", "--target", self.target, "-o", "json"]
        with path.open("w") as output:
            process = subprocess.Popen(list(map(str, command)), stdout=output)

        def stop():
            process.kill()
            process.wait()

        self.callback(stop)
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
    if lacking := hooked_node.lacking():
        print(f"skipped: this kernel cannot have hooks: {lacking}")
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)

