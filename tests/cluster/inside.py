"""Process 1 of the cluster's namespaces: makes the machines, installs Sluice and runs the suite. All ends with it.

inside.py ORDER: a file of JSON, which cluster_test.py writes.
"""

import json
import pathlib
import signal
import subprocess
import sys
import time

from control_plane import KUBECONFIG, ControlPlane
from machine import wait_for
from node import Node
from shape import SHAPES

SETTLED_SECONDS = 180
SYSTEM = "sluice-system"
IMPLEMENTATION = (  # what the report of network-policy-api's suite says of it
    "-organization=sluice",
    "-project=sluice",
    "-url=https://sluice.example",
    "-version=0.1.0",
    "-contact=@sluice",
    "-additional-info=scripts/test.sh cluster.clusterpolicy",
)


class Cluster:
    def __init__(self, order):
        self.order = order
        self.shape = SHAPES[order["shape"]]
        self.started = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def begin(self):
        order, folder = self.order, pathlib.Path(self.order["folder"])
        kept = order["kept"]
        machines = folder / "machines"
        self.control = ControlPlane(order["programs"], machines, kept, order["logs"])
        self.control.begin()
        self.say("the API server answers")
        numbers = range(1, self.shape.nodes + 1)
        parts = (self.shape, order["programs"], self.control, machines, kept, order["logs"], order["group"])
        self.nodes = [Node(number, *parts) for number in numbers]
        for node in self.nodes:
            node.join([other for other in self.nodes if other is not node])
            self.control.kubectl("create", "-f", "-", text_input=json.dumps(node.object()))
        for node in self.nodes:
            node.begin(self.control.kubeconfig, order["images"], order["pause"])
        wait_for(self._nodes_are_ready, "the nodes to be ready", SETTLED_SECONDS)
        self.say(f"{len(self.nodes)} node(s) ready")

    def _nodes_are_ready(self):
        for machine in (self.control, *self.nodes):
            if machine.fallen():
                raise RuntimeError(f"{machine.name}: ended by themselves: {machine.fallen()}; see their logs")
        conditions = [node["status"].get("conditions", []) for node in self.control.objects("nodes")]
        return all(any(one["type"] == "Ready" and one["status"] == "True" for one in node) for node in conditions)

    def install(self):
        """As docs/operating.md says."""
        for manifest in self.order["manifests"]:
            self.control.kubectl("apply", "-f", "-", text_input=pathlib.Path(manifest).read_text())
        words = ("rollout", "status", "--namespace", SYSTEM, "daemonset/sluice-node", f"--timeout={SETTLED_SECONDS}s")
        self.control.kubectl(*words, seconds=SETTLED_SECONDS + 30)
        self.say("Sluice runs on every node")

    def test(self):
        if self.shape.suite == "netpol":
            self._test_netpol()
        else:
            self._test_clusterpolicy()

    def _test_clusterpolicy(self):
        command = ["env", f"KUBECONFIG={KUBECONFIG}", self.order["programs"]["clusterpolicy.test"], "-test.v"]
        command += ["-test.run=TestConformanceProfiles", f"-test.timeout={self.order['seconds']}s"]
        command += ["-conformance-profiles=ClusterNetworkPolicy", "-all-features", *IMPLEMENTATION]
        command += [f"-report-output={self.order['logs']}/conformance.yaml"]
        with (pathlib.Path(self.order["logs"]) / "suite.log").open("w") as log:
            words = self.control.inside(*command)
            subprocess.run(words, stdout=log, stderr=log, timeout=self.order["seconds"] + 60)

    def _test_netpol(self):
        programs, reports = self.order["programs"], self.order["logs"]
        # Which pod a service's address leads to, for as long as the case lasts: what a pod sends itself counts for nothing.
        columns = "A:.spec.clusterIP,N:.metadata.namespace,P:.spec.selector.pod"
        words = ("get", "services", "-A", "--watch", "--no-headers", "-o", f"custom-columns={columns}")
        self.control.start("services", programs["kubectl"], f"--kubeconfig={KUBECONFIG}", *words)
        command = [programs["ginkgo"], "run", f"--procs={self.order['procs']}", "--no-color", "--succinct"]
        command += [f"--focus={self.order['focus']}", f"--timeout={self.order['seconds']}s"]
        command += ["--json-report=suite.json", f"--output-dir={reports}"]
        command += [programs["netpol.test"], "--", f"--kubeconfig={KUBECONFIG}", "--provider=local"]
        # Whether cases failed is for the reader of the report to say.
        subprocess.run(self.control.inside(*command), timeout=self.order["seconds"] + 60)

    def collect(self):
        """What the programs said, and how they are, for a person who looks for a fault."""
        for pod in self.control.objects("pods", "-n", SYSTEM):
            name, place = pod["metadata"]["name"], pod["spec"].get("nodeName", "nowhere")
            for part in ("sluice-node", "sluiced", "sluice-sync", "sluice-cni"):
                self._note(f"{place}.{part}.log", "logs", "-n", SYSTEM, name, "-c", part)
            status = ("exec", "-n", SYSTEM, name, "-c")
            self._note(f"{place}.hooks.json", *status, "sluice-node", "--", "sluice-node", "status", "-o", "json")
            self._note(f"{place}.status.txt", *status, "sluiced", "--", "sluicectl", "status")
            for part in ("sluice-node", "sluiced", "sluice-sync"):
                self._note(f"{place}.{part}.process.txt", *status, part, "--", "cat", "/proc/1/status")
        self._note("pods.txt", "get", "pods", "-A", "-o", "wide")
        self._note("events.txt", "get", "events", "-A", "--sort-by=.lastTimestamp")

    def _note(self, name, *words):
        try:
            text = self.control.kubectl(*words)
        except RuntimeError as error:
            text = str(error)
        (pathlib.Path(self.order["logs"]) / name).write_text(text)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    cluster = Cluster(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    try:
        cluster.begin()
        try:
            cluster.install()
            if cluster.order["waits"]:
                machines = (cluster.control, *cluster.nodes)
                cluster.say(f"it stays until it is interrupted; machines: { {one.name: one.holder.pid for one in machines} }")
                signal.pause()
            cluster.test()
        finally:
            cluster.collect()
    except RuntimeError as error:
        print(f"cluster: {error}", file=sys.stderr)
        sys.exit(1)
    cluster.say("the suite is through")


main()
