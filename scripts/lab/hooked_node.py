"""A node of network namespaces with Sluice in node mode: `sluice-node` hooks its pods, `sluiced --wire hooks` judges them."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

from lab import node
from lab.agents import Agents
from lab.netns import run
from lab.programs import BIN, Program


def lacking():
    """Why this kernel cannot have hooks, or None. `sluice-node check` knows; the file system of pins is made here."""
    done = subprocess.run([str(BIN / "sluice-node"), "check"], capture_output=True, text=True, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line.startswith("error")]
    return "; ".join(line for line in lines if not line.startswith("error    bpffs")) or None


class HookedNode(contextlib.ExitStack):
    """The node with its pods, the file system that hooks are pinned in, and the programs. Closing it ends them all."""

    def __init__(self, prefix, shape, pods=node.PODS, config="", services=True):
        super().__init__()
        try:
            self._start(node.NodeTopology(prefix, shape, pods, services), config)
        except BaseException:
            self.close()
            raise

    def _start(self, topology, config):
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="sluice-node-")))
        self.bpffs = self.folder / "bpf"
        self.bpffs.mkdir()
        run("mount", "-t", "bpf", "bpf", str(self.bpffs))
        self.callback(lambda: run("umount", str(self.bpffs)))
        self.topology = self.enter_context(topology)
        self.agents = self.enter_context(Agents(self.topology))
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir()
        (self.manifests / "cluster.yaml").write_text(node.manifests(topology.pods))
        self.config = self.folder / "sluiced.yaml"
        self.config.write_text(f"bpffs: {self.bpffs}\n{config}\n")
        self.target = f"unix:{self.folder}/sluiced.sock"
        self.node = self.enter_context(self.sluice_node())
        self.filter = self.enter_context(self.sluiced())

    def node_command(self, *words):
        return [*self.topology.inside("node"), str(BIN / "sluice-node"), "--bpffs", str(self.bpffs), *words]

    def sluice_node(self, *words):
        return Program("sluice-node", self.node_command("run", "--pods", "all", *words), self.folder)

    def sluiced(self):
        command = [*self.topology.inside("node"), BIN / "sluiced", "--wire", "hooks"]
        command += ["--manifests", self.manifests, "--listen", self.target, "--no-huge", "--config", self.config]
        return Program("sluiced", command, self.folder)

    def ask_sluiced(self, *words, exits=(0,)):
        """What `sluicectl` reads from sluiced, of its JSON; `exits` are the exit codes that are answers."""
        command = [BIN / "sluicectl", *words, "--target", self.target, "-o", "json"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        if done.returncode not in exits:
            raise RuntimeError(f"sluicectl {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)


def prefix(letters):
    """Of the names of namespaces that this process makes."""
    return f"{letters}{os.getpid()}-"
