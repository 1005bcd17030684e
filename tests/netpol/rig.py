"""The whole road, once for all tests of a process: API server, sluice-sync, sluiced, and both ends of its wire."""

import contextlib
import http.client
import math
import pathlib
import re
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import cluster
from lab import netns, programs
from wire import Wire

SKIPPED = 77
SECONDS_TO_LIVE = 10  # from a change to its being in force: far more than it takes, for a machine that is busy
POLL_SECONDS = 0.002


class Sync(programs.Program):
    """A `sluice-sync` between the API server and sluiced, ready when all that there is is in force. To the API server it
    is the service account of deploy/rbac.yaml."""

    def __init__(self, kubeconfig, target, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        command = [programs.BIN / "sluice-sync", "--kubeconfig", kubeconfig, "--target", target]
        super().__init__("sluice-sync", [*command, "--http", f"127.0.0.1:{self._port}"], folder)

    def generation(self):
        """Of the table that sluiced has answered for: what it says of a change is in force."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            metrics = connection.getresponse().read().decode()
        match = re.search(r"^sluice_sync_generation\{.*\} (\S+)$", metrics, re.MULTILINE)
        return float(match[1]) if match else 0

    def wait_beyond(self, generation):
        end = time.monotonic() + SECONDS_TO_LIVE
        while self.generation() <= generation:
            if time.monotonic() > end:
                raise AssertionError(f"nothing new is in force {SECONDS_TO_LIVE} s after the change")
            time.sleep(POLL_SECONDS)


class Rig:
    """A context manager. Its cluster holds cluster.base_objects(), and sluiced knows them."""

    def __init__(self, api):
        self.api = api
        self.live_seconds = []  # of each change: from asking the API server to its being in force
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with self._stack as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-netpol-")))
            topology = stack.enter_context(netns.Topology(()))
            self.target = stack.enter_context(programs.Daemon(topology, "af_packet", None, folder)).target
            for name, manifest, status in cluster.base_objects():
                self.api.apply(name, manifest, "base")
                if status:
                    self.api.set_status(name, status)
            self.sync = stack.enter_context(Sync(self.api.reach["sync_kubeconfig"], self.target, folder))
            self.wire = stack.enter_context(Wire(topology))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def change(self, act, *arguments):
        """One change that matters, until it is in force."""
        before = self.sync.generation()
        asked = time.monotonic()
        act(*arguments)
        self.sync.wait_beyond(before)
        self.live_seconds.append(time.monotonic() - asked)


def percentile(values, part):
    return sorted(values)[math.ceil(part * len(values)) - 1]


def run(test):
    """Calls `test(rig)`, which says whether all is well; returns the exit code, 77 where there can be no rig."""
    missing = netns.missing_privilege()
    if missing:
        print(f"skipped: needs root, to make network namespaces and open packet sockets ({missing})")
        return SKIPPED
    with cluster.ApiServer(sys.argv.pop(1)) as api:
        if api.exit_code != 0:
            return api.exit_code
        with Rig(api) as rig:
            return 0 if test(rig) else 1
