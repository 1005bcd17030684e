"""The CNI plugin with a real API server, sluice-sync, sluiced and hooks: node_cni_test.py bridge|routed KUBE_CLUSTER

A runtime's part is played here: it makes a pod's interface and asks the plugin, which answers once the pod may start.
The Node object has no pod CIDRs, so that what policy does not know yet is taken for the world outside, which it admits:
a pod that started too early would be seen.
"""

import concurrent.futures
import ctypes
import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import node_fixture
from node_fixture import FAMILIES, Lab, wait_for
from lab import node
from lab.hosts import Host
from lab.netns import run
from lab.node import CLIENT, OPEN
from lab.programs import BIN, Program

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netpol"))

import cluster
from case_file import ObjectName

RACERS = int(os.environ.get("SLUICE_RACERS", "200"))
AT_ONCE = 8  # as a kubelet starts pods side by side
ANSWER_SECONDS = 20  # for the one datagram that is sent; it is never sent again
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# Racers may ask the open pod at port 53, and nothing else. Guarded ones may do nothing.
POLICIES = {
    "racer": """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: racer, namespace: web}
spec:
  podSelector: {matchLabels: {app: racer}}
  policyTypes: [Ingress, Egress]
  egress:
    - to: [{podSelector: {matchLabels: {app: open}}}]
      ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
""",
    "guarded": """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: guarded, namespace: web}
spec:
  podSelector: {matchLabels: {app: guarded}}
  policyTypes: [Ingress, Egress]
""",
}

api = None  # the API server


def pod_name(pod):
    return ObjectName("Pod", "web", pod.short)


def make_object(pod, app):
    """The pod as its kubelet first has it: without an address. Returns its uid."""
    spec = {"nodeName": "node", "containers": [{"name": "main", "image": "none"}]}
    _, manifest, _ = cluster.to_object("v1", pod_name(pod), {"app": app}, spec)
    return api.apply(pod_name(pod), manifest)["metadata"]["uid"]


def set_addresses(pod):
    addresses = [{"ip": address} for address in pod.addresses.values()]
    api.set_status(pod_name(pod), {"phase": "Running", "podIP": addresses[0]["ip"], "podIPs": addresses})


class CniLab(Lab):
    """Its policy comes from the API server."""

    def __init__(self, add_cleanup):
        super().__init__(add_cleanup)
        self.sync = self.enter_context(self.sluice_sync())

    def sluiced(self):
        command = [*self.topology.inside("node"), BIN / "sluiced", "--wire", "hooks", "--config", self.config]
        command += ["--listen", self.target, "--no-huge"]
        return Program("sluiced", command, self.folder)

    def sluice_sync(self):
        command = [BIN / "sluice-sync", "--kubeconfig", api.reach["sync_kubeconfig"], "--node", "node"]
        command += ["--target", self.target, "--socket", f"{self.folder}/cni.sock"]
        return Program("sluice-sync", command, self.folder)

    def restart_sync(self):
        self.sync = self.enter_context(self.sluice_sync())

    def configuration(self, pod):
        interfaces = [{"name": "cni0"}] if node_fixture.is_bridge else []
        interfaces += [{"name": self.topology.interface(pod)}, {"name": "eth0", "sandbox": "/var/run/netns/any"}]
        ips = [{"address": f"{address}/{node.LENGTH[family]}"} for family, address in pod.addresses.items()]
        result = {"cniVersion": "1.1.0", "interfaces": interfaces, "ips": ips, "dns": {"search": ["x"]}}
        return {
            "cniVersion": "1.1.0",
            "name": "pods",
            "type": "sluice",
            "socket": f"{self.folder}/cni.sock",
            "bpffs": str(self.bpffs),
            "prevResult": result,
        }

    def ask_plugin(self, command, pod, uid="", container=None, **changes):
        """(exit code, document on standard output or None)."""
        environment = {
            **os.environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container or f"c-{pod.short}",
            "CNI_NETNS": "/var/run/netns/any",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME={pod.short};K8S_POD_UID={uid}",
        }
        done = subprocess.run(
            [*self.topology.inside("node"), BIN / "sluice-cni"],
            input=json.dumps({**self.configuration(pod), **changes}),
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None


class CniTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = CniTest.lab = getattr(CniTest, "lab", None) or CniLab(unittest.addModuleCleanup)

    def add(self, pod, uid=""):
        code, answer = self.lab.ask_plugin("ADD", pod, uid)
        self.assertEqual(code, 0, answer)
        return answer

    def becomes_addable(self, pod, uid):
        """As a kubelet tries again and again."""
        wait_for(lambda: self.lab.ask_plugin("ADD", pod, uid)[0] == 0, "the pod to be added")

    def fails(self, code, words, command, pod, **arguments):
        exit_code, answer = self.lab.ask_plugin(command, pod, **arguments)
        self.assertEqual(exit_code, 1, answer)
        self.assertEqual(answer["code"], code, answer)
        self.assertIn(words, answer["msg"])

    def come(self, pod, app):
        uid = make_object(pod, app)
        self.lab.topology.add_pod(pod)
        self.addCleanup(self.go, pod)
        return uid

    def go(self, pod):
        self.lab.ask_plugin("DEL", pod)
        self.lab.topology.remove_pod(pod)
        api.delete(pod_name(pod))


class Sockets:
    """Of a pod that starts: made in its network namespace, by a thread that is in it."""

    def __init__(self, namespace):
        made = []
        thread = threading.Thread(target=self._make, args=(namespace, made))
        thread.start()
        thread.join()
        if len(made) != 6:
            raise RuntimeError(f"no sockets in {namespace}")
        self.forbidden, self.datagrams, self.streams = (dict(zip(FAMILIES, made[at : at + 2])) for at in (0, 2, 4))

    @staticmethod
    def _make(namespace, made):
        with open(f"/var/run/netns/{namespace}") as file:
            if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
                return
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for family in (socket.AF_INET, socket.AF_INET6):
                made.append(socket.socket(family, kind | socket.SOCK_NONBLOCK))

    def act(self, to):
        """What the pod does first: what is forbidden, then what is allowed, each once."""
        for family, one in self.forbidden.items():
            one.connect_ex((to.addresses[family], 80))
        for family, one in self.datagrams.items():
            one.sendto(b"first", (to.addresses[family], 53))
        for family, one in self.streams.items():
            one.connect_ex((to.addresses[family], 53))

    def failed(self):
        """What is allowed and was not answered at the first try."""
        return [
            f"{what} by IPv{family}"
            for what, sockets, event in (("udp", self.datagrams, select.POLLIN), ("tcp", self.streams, select.POLLOUT))
            for family, one in sockets.items()
            if not self._becomes(one, event)
        ]

    def through(self):
        """What is forbidden and passed, until now: the kernel goes on trying."""
        return [f"tcp 80 by IPv{family}" for family, one in self.forbidden.items() if self._is_connected(one)]

    @staticmethod
    def _is_connected(one):
        try:
            one.getpeername()
            return True
        except OSError:
            return False

    @classmethod
    def _becomes(cls, one, event):
        poll = select.poll()
        poll.register(one, event)
        ready = poll.poll(ANSWER_SECONDS * 1000)
        return bool(ready) and (one.type == socket.SOCK_DGRAM or cls._is_connected(one))

    def close(self):
        for sockets in (self.forbidden, self.datagrams, self.streams):
            for one in sockets.values():
                one.close()


class StartRace(CniTest):
    """Pods whose first act is to try what their policy forbids, and then what it allows."""

    def start(self, number, lock):
        pod = Host(f"web/r{number}", {4: f"10.77.0.{20 + number}", 6: f"fd77::{0x100 + number:x}"})
        with lock:
            uid = make_object(pod, "racer")
        self.lab.topology.add_pod(pod)
        sockets = Sockets(self.lab.topology.namespace(pod.short))
        begun = time.monotonic()
        code, answer = self.lab.ask_plugin("ADD", pod, uid)
        seconds = time.monotonic() - begun
        sockets.act(OPEN)
        failed = sockets.failed()
        with lock:
            set_addresses(pod)
        return pod, sockets, None if code == 0 else answer, failed, seconds

    def test_nothing_forbidden_passes_and_nothing_allowed_fails_at_the_first_try(self):
        lock = threading.Lock()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(lambda number: self.start(number, lock), range(RACERS)))
        for _, sockets, _, _, _ in results:
            self.addCleanup(sockets.close)
        seconds = sorted(result[4] for result in results)
        print(f"{RACERS} pods: ADD took {seconds[len(seconds) // 2]:.3f} s (median), {seconds[-1]:.3f} s at most", file=sys.stderr)
        self.assertEqual([(pod.name, error) for pod, _, error, _, _ in results if error], [])
        self.assertEqual([(pod.name, failed, self.hook(pod)) for pod, _, _, failed, _ in results if failed], [])
        self.assertEqual([(pod.name, sockets.through()) for pod, sockets, _, _, _ in results if sockets.through()], [])

    def test_a_pod_that_does_not_wait_is_seen(self):
        """Without the plugin, the same does get through: what the race above tries can fail."""
        pod = Host("web/hasty", {4: "10.77.0.230", 6: "fd77::ff0"})
        self.come(pod, "racer")
        wait_for(lambda: self.lab.topology.interface(pod) in self.lab.hooked(), "the hook")
        wait_for(lambda: self.owns(pod), "the pod's addresses")
        sockets = Sockets(self.lab.topology.namespace(pod.short))
        self.addCleanup(sockets.close)
        sockets.act(OPEN)
        wait_for(sockets.through, "what is forbidden to pass")

    def hook(self, pod):
        name = self.lab.topology.interface(pod)
        return next(hook for hook in self.lab.status()["hooks"] if hook["interface"] == name)

    def owns(self, pod):
        return set(pod.addresses.values()) <= set(self.hook(pod)["addresses"])


class Plugin(CniTest):
    POD = Host("web/late", {4: "10.77.0.240", 6: "fd77::ff2"})

    def test_the_result_before_it_passes_through(self):
        uid = self.come(self.POD, "racer")
        self.assertEqual(self.add(self.POD, uid), self.lab.configuration(self.POD)["prevResult"])
        self.assertEqual(self.lab.ask_plugin("CHECK", self.POD, uid), (0, None))
        self.assertEqual(self.lab.ask_plugin("STATUS", self.POD), (0, None))
        self.assertEqual(self.lab.ask_plugin("DEL", self.POD), (0, None))
        self.fails(11, "is not known by its addresses", "CHECK", self.POD, uid=uid)

    def test_gc_takes_what_is_not_named(self):
        uid = self.come(self.POD, "racer")
        self.add(self.POD, uid)
        valid = [{"containerID": f"c-{self.POD.short}", "ifname": "eth0"}]
        self.assertEqual(self.lab.ask_plugin("GC", self.POD, **{"cni.dev/valid-attachments": valid}), (0, None))
        self.assertEqual(self.lab.ask_plugin("CHECK", self.POD, uid), (0, None))
        self.assertEqual(self.lab.ask_plugin("GC", self.POD, **{"cni.dev/valid-attachments": []}), (0, None))
        self.fails(11, "is not known by its addresses", "CHECK", self.POD, uid=uid)

    def test_an_address_is_its_next_pods_at_once(self):
        first = Host("web/first", {4: "10.77.0.241", 6: "fd77::ff3"})
        second = Host("web/second", first.addresses)
        make_object(second, "guarded")  # older than the pod whose address it gets
        self.addCleanup(lambda: api.delete(pod_name(second)))
        time.sleep(1.1)  # creation times are whole seconds
        make_object(first, "open-too")
        self.addCleanup(lambda: api.delete(pod_name(first)))
        self.lab.topology.add_pod(first)
        self.add(first)
        set_addresses(first)
        sockets = Sockets(self.lab.topology.namespace(first.short))
        sockets.act(OPEN)
        self.assertEqual(sockets.failed(), [])
        wait_for(lambda: len(sockets.through()) == 2, "what nobody forbids")
        sockets.close()
        self.lab.ask_plugin("DEL", first)
        self.lab.topology.remove_pod(first)
        self.lab.topology.add_pod(second)
        self.addCleanup(self.lab.topology.remove_pod, second)
        self.add(second)
        sockets = Sockets(self.lab.topology.namespace(second.short))
        self.addCleanup(sockets.close)
        sockets.act(OPEN)
        # A pod that may speak has its answer by then.
        self.assertEqual(self.lab.agents[CLIENT.name].ask("udp", address=OPEN.addresses[4], port=53), "open")
        self.assertEqual(sockets.through(), [])

    def test_without_sluiced_no_pod_starts_until_it_is_back(self):
        uid = self.come(self.POD, "racer")
        self.lab.filter.kill()
        try:
            self.fails(11, "sluice-sync: policy is not in force yet", "ADD", self.POD, uid=uid)
            self.fails(50, "policy is not in force yet", "STATUS", self.POD)
            self.assertEqual(self.lab.ask_plugin("DEL", self.POD), (0, None))
        finally:
            self.lab.restart_filter()
        self.becomes_addable(self.POD, uid)

    def test_without_sluice_sync_no_pod_starts_until_it_is_back(self):
        uid = self.come(self.POD, "racer")
        self.lab.sync.stop()
        try:
            self.fails(11, "cni.sock: Connection refused", "ADD", self.POD, uid=uid)
            self.assertEqual(self.lab.ask_plugin("DEL", self.POD), (0, None))
        finally:
            self.lab.restart_sync()
        self.becomes_addable(self.POD, uid)

    def test_without_sluice_node_no_pod_starts_until_it_is_back(self):
        self.lab.node.kill()
        try:
            uid = self.come(self.POD, "racer")
            self.fails(11, "no interface of the pod's is hooked yet", "ADD", self.POD, uid=uid)
        finally:
            self.lab.restart_node()
        self.becomes_addable(self.POD, uid)

    def test_a_pod_that_the_api_server_does_not_have_is_named(self):
        self.lab.topology.add_pod(self.POD)
        self.addCleanup(self.lab.topology.remove_pod, self.POD)
        self.fails(11, "Pod web/late of uid none is not known", "ADD", self.POD, uid="none")


class Installer(unittest.TestCase):
    """The program itself; what it writes, the unit tests have."""

    def test_the_entry_is_put_back_and_taken_out(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="sluice-cni-"))
        networks, programs = pathlib.Path(folder, "net.d"), pathlib.Path(folder, "bin")
        programs.mkdir()
        words = ["--conf-dir", str(networks), "--bin-dir", str(programs)]
        conflist = networks / "10-flannel.conflist"
        flannel = {"name": "cbr0", "cniVersion": "0.3.1", "plugins": [{"type": "flannel"}, {"type": "portmap"}]}

        def plugins():
            return [plugin["type"] for plugin in json.loads(conflist.read_text())["plugins"]]

        def is_in_place():
            done = subprocess.run([BIN / "sluice-cni", "status", *words], capture_output=True, timeout=30)
            return done.returncode == 0

        process = subprocess.Popen([BIN / "sluice-cni", "install", "--follow", *words], stderr=subprocess.PIPE, text=True)
        try:
            wait_for((programs / "sluice").exists, "the plugin")
            networks.mkdir()  # the network plugin comes later
            for _ in range(5):
                conflist.write_text(json.dumps(flannel))
                wait_for(is_in_place, "the entry")
                self.assertEqual(plugins(), ["flannel", "portmap", "sluice"])
        finally:
            process.terminate()
            errors = process.communicate(timeout=30)[1]
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(plugins(), ["flannel", "portmap", "sluice"])
        run(str(programs / "sluice"), "uninstall", *words)
        self.assertEqual(plugins(), ["flannel", "portmap"])
        self.assertFalse(is_in_place())
        version = subprocess.run([programs / "sluice"], env={"CNI_COMMAND": "VERSION"}, input="{}", capture_output=True, text=True)
        self.assertIn("1.1.0", json.loads(version.stdout)["supportedVersions"])


def fill_cluster():
    api.apply(ObjectName("Namespace", "", "web"), json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}))
    name = ObjectName("Node", "", "node")
    api.apply(name, cluster.to_object("v1", name, {})[1])
    addresses = [{"type": "InternalIP", "address": address} for address in node.NODE.values()]
    api.set_status(name, {"addresses": addresses})
    for policy, manifest in POLICIES.items():
        api.apply(ObjectName("NetworkPolicy", "web", policy), manifest)
    for pod in node.PODS:
        make_object(pod, pod.short)
        set_addresses(pod)


def main():
    global api
    with cluster.ApiServer(sys.argv.pop(2)) as api:
        if api.exit_code != 0:
            sys.exit(api.exit_code)
        fill_cluster()
        node_fixture.main()


if __name__ == "__main__":
    main()
