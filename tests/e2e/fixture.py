"""What the end-to-end tests share: a topology with agents and a copy of the example manifests, a class each."""

import contextlib
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import hosts, netns
from lab.agents import Agents

SKIPPED = 77

device = None  # af_xdp or af_packet: the kind of port that sluiced opens; from the command line


class NamespaceTest(unittest.TestCase):
    """One topology for all tests of a class."""

    segment = ()  # two more hosts, on a wire of their own

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.folder = pathlib.Path(cls.stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-e2e-")))
        cls.manifests = cls.folder / "manifests"
        cls.manifests.mkdir()
        for path in hosts.EXAMPLES.glob("*.yaml"):
            shutil.copy(path, cls.manifests)
        cls.topology = cls.stack.enter_context(netns.Topology(hosts.HOSTS, cls.segment))
        cls.agents = cls.stack.enter_context(Agents(cls.topology))

    def ask(self, source, action, destination, family, **request):
        """Traffic from one host to another; what became of it: "open", "timeout", ..."""
        address = hosts.BY_NAME[destination].addresses[family]
        return self.agents[source].ask(action, address=address, **request)


def main():
    global device
    device = sys.argv.pop(1)
    missing = netns.missing_privilege()
    if missing:
        print(f"skipped: needs root, to make network namespaces and open packet sockets ({missing})")
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)
