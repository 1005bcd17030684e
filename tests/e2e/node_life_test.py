"""Hooks that come and go, with their interfaces, with `sluice-node` and beside others': node_life_test.py bridge|routed."""

import contextlib
import pathlib
import subprocess
import sys
import time

import node_fixture
from node_fixture import NodeTest, wait_for
from lab import node
from lab.hosts import Host
from lab.netns import run
from lab.node import CLIENT, NODE, OPEN, OUTSIDE, SERVER, SERVICE, THIRD


class Lifecycle(NodeTest):
    is_alone = True

    def test_hooks_outlive_sluice_node_and_are_taken_over(self):
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "open")
        before = self.lab.frames("forwarded")
        self.lab.node.kill()
        self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80), "open")
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
        code, output, _ = self.lab.ask("status")
        self.assertEqual(code, 1)
        self.assertIn("nobody follows them", output)
        self.lab.restart_node()
        self.assertEqual(self.lab.ask("status")[0], 0)
        self.assertGreater(self.lab.frames("forwarded"), before)
        self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80), "open")
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")

    def test_a_worker_that_has_nothing_to_do_waits_for_frames(self):
        """Napping instead, it would wake nearly a thousand times a second."""
        tasks = pathlib.Path(f"/proc/{self.lab.filter.process.pid}/task").iterdir()
        worker = next(task for task in tasks if "worker" in (task / "comm").read_text())

        def wakes():
            return int((worker / "status").read_text().split("voluntary_ctxt_switches:")[1].split()[0])

        def wakes_of_a_second():
            before = wakes()
            time.sleep(1)
            return wakes() - before

        wait_for(lambda: wakes_of_a_second() < 300, "a second without a frame")
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "open")

    def test_a_second_run_is_refused(self):
        code, _, errors = self.lab.ask("run", "--pods", "all")
        self.assertEqual(code, 1)
        self.assertIn("another `sluice-node run`", errors)

    def test_remove_is_refused_while_it_runs(self):
        code, _, errors = self.lab.ask("remove")
        self.assertEqual(code, 1)
        self.assertIn("end it first", errors)

    def test_an_interface_that_is_renamed_stays_hooked(self):
        self.lab.topology.ip("node", "link set hopen down", "link set hopen name veth-new", "link set veth-new up")
        wait_for(lambda: "veth-new" in self.lab.hooked(), "the new name")
        self.assertNotIn("hopen", self.lab.hooked())
        self.lab.topology.ip("node", "link set veth-new down", "link set veth-new name hopen", "link set hopen up")
        wait_for(lambda: "hopen" in self.lab.hooked(), "the old name")
        if node_fixture.is_bridge:  # routes go with a link that is down
            self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")

    def test_an_address_that_another_pod_takes_over_is_judged_at_the_new_interface(self):
        third = next(host for host in self.lab.topology.pods if host is THIRD)
        interface = self.lab.topology.interface(third)

        def taken():
            status = self.lab.status()
            hooks = [hook["frames"] for hook in status["hooks"] if hook["interface"] == interface]
            return sum(frames["to_filter"] for frames in hooks), status["gone"]["to_filter"]

        self.assertEqual(self.reach(CLIENT, "tcp", THIRD, port=80), "open")
        of_interface, of_gone = taken()
        self.assertGreater(of_interface, 0)
        self.lab.agents.close_one(third.name)
        self.lab.topology.remove_pod(third)
        self.lab.topology.add_pod(third)
        self.lab.agents.open_one(third)
        wait_for(lambda: self.lab.topology.interface(third) in self.lab.hooked(), "the new interface")
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=444), "timeout")
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=443), "open")
        # The pod that has the address now has a link address of its own.
        self.lab.topology.ip(CLIENT.short, "neigh flush dev eth0")
        self.assertEqual(self.reach(CLIENT, "tcp", THIRD, port=80), "open")
        hooks = [hook for hook in self.lab.status()["hooks"] if hook["interface"] == self.lab.topology.interface(third)]
        self.assertEqual(len(hooks), 1)
        self.assertGreaterEqual(taken()[1], of_gone + of_interface, "what the old interface counted is kept")

    def test_an_address_that_a_pod_gives_itself_later_is_not_its_own(self):
        topology = self.lab.topology
        name = topology.interface(OPEN)

        def hook():
            return next(hook for hook in self.lab.status()["hooks"] if hook["interface"] == name)

        wait_for(lambda: OPEN.addresses[6] in hook()["addresses"], "the pod's addresses")
        time.sleep(3)  # the time that a plugin has
        topology.ip(OPEN.short, "addr add 192.0.2.1/32 dev eth0", "addr add 198.51.100.9/32 dev eth0")
        before = hook()["frames"]["spoofed_source"]
        for address in ("192.0.2.1", "198.51.100.9"):
            done = subprocess.run([*topology.inside(OPEN.short), "ping", "-c", "1", "-W", "1", "-I", address, SERVER.addresses[4]])
            self.assertNotEqual(done.returncode, 0)
        topology.ip(OPEN.short, "addr del 192.0.2.1/32 dev eth0", "addr del 198.51.100.9/32 dev eth0")
        self.assertGreaterEqual(hook()["frames"]["spoofed_source"] - before, 2)
        self.assertEqual(self.reach(OPEN, "tcp", CLIENT, port=80), "open")


class ForeignPrograms(NodeTest):
    """Another tc program at the same interface, which clears marks or sets them."""

    is_alone = True
    OWN = "0x51c30000"  # the hooks' own
    MARKS = ("0", "0x4000", OWN)  # none, kube-proxy's

    @contextlib.contextmanager
    def program(self, place, mark, interface="hserver"):
        script = str(pathlib.Path(__file__).with_name("mark_setter.py"))
        command = [*self.lab.topology.inside("node"), sys.executable, script, interface, place, mark, f"{self.lab.bpffs}/foreign"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(process.stdout.readline(), "ready\n")
            yield
        finally:
            process.stdin.close()
            process.wait(timeout=20)
            process.stdout.close()

    def goes_round(self, before):
        """Each try is a few frames; one that goes round is a hundred thousand."""
        return self.lab.frames("to_filter") - before > 1000

    def test_behind_the_hooks_it_is_in_nobodys_way(self):
        # Where it is a filter of a clsact qdisc, the kernel puts it behind.
        places = [("behind", mark) for mark in self.MARKS] + [("classic", mark) for mark in self.MARKS[1:]]
        for place, mark in places:
            with self.subTest(place=place, mark=mark), self.program(place, mark):
                before = self.lab.frames("to_filter")
                # Frames that it gives the hooks' own mark are nobody's, and dropped.
                expected, timeout = ("timeout", 1) if mark == self.OWN else ("open", 20)
                self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80, timeout=timeout), expected)
                self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, timeout=timeout), expected)
                self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
                self.assertEqual(self.reach(OPEN, "tcp", SERVICE, port=80), "timeout")
                self.assertTrue(all(hook["first"] for hook in self.lab.status()["hooks"]))
                self.assertFalse(self.goes_round(before))

    def test_ahead_of_the_hooks_it_makes_no_frame_go_round_and_lets_nothing_through(self):
        for mark in self.MARKS:
            with self.subTest(mark=mark), self.program("ahead", mark):
                before, lost = self.lab.frames("to_filter"), self.lab.frames("mark_lost")
                self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "timeout")
                self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
                self.assertEqual(self.reach(OPEN, "tcp", SERVICE, port=80), "timeout")
                self.assertGreater(self.lab.frames("mark_lost"), lost)
                self.assertFalse(self.goes_round(before))
                _, output, _ = self.lab.ask("check")
                self.assertIn("interface hserver: another tc program comes before the hook", output)
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80, timeout=20), "open")

    def test_at_the_way_out_it_lets_nothing_through(self):
        for place in ("ahead", "behind"):
            for mark in self.MARKS:
                with self.subTest(place=place, mark=mark), self.program(place, mark, "eth0"):
                    before = self.lab.frames("to_filter")
                    self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=444), "timeout")
                    self.assertEqual(self.reach(OUTSIDE, "tcp", NODE, port=30080), "timeout")
                    self.assertFalse(self.goes_round(before))
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=443, timeout=20), "open")

    def test_at_the_clients_end_it_lets_nothing_through(self):
        for place in ("ahead", "behind"):
            for mark in self.MARKS:
                with self.subTest(place=place, mark=mark), self.program(place, mark, "hopen"):
                    before = self.lab.frames("to_filter")
                    self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
                    self.assertEqual(self.reach(OPEN, "tcp", SERVICE, port=80), "timeout")
                    self.assertFalse(self.goes_round(before))
        self.assertEqual(self.reach(OPEN, "tcp", CLIENT, port=80, timeout=20), "open")


class Crowd(NodeTest):
    """As many pods as a kubelet lets a node have, which come while `sluice-node` runs; then all is removed."""

    is_alone = True
    PODS = 110
    MORE = [Host(f"web/p{i}", {4: f"10.77.0.{20 + i}"}, tcp=(80,)) for i in range(PODS - len(node.PODS))]
    POLICY = """
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: more, namespace: web}
spec:
  podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [client, server, third, open]}]}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]
"""
    SEND = """
import socket, sys
for address in sys.argv[1:]:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (address, 9))
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.topology.add_pods(cls.MORE)
        path = cls.lab.manifests / "cluster.yaml"
        path.with_suffix(".new").write_text(node.manifests((*node.PODS, *cls.MORE)) + cls.POLICY)
        path.with_suffix(".new").replace(path)

    def hooks(self):
        """By interface, those of our pods."""
        pods = {self.lab.topology.interface(pod) for pod in (*node.PODS, *self.MORE)}
        return {hook["interface"]: hook for hook in self.lab.status()["hooks"] if hook["interface"] in pods}

    def send_to_all(self, source):
        """To each pod that came."""
        addresses = [pod.addresses[4] for pod in self.MORE]
        run(*self.lab.topology.inside(source.short), sys.executable, "-c", self.SEND, *addresses)

    def ask(self, source, destination, timeout=1):
        return self.lab.agents[source.name].ask("tcp", address=destination.addresses[4], port=80, timeout=timeout)

    def frames_of_each(self, what):
        """Of those that came, but for the two that have agents."""
        hooks = self.hooks()
        return [hooks[self.lab.topology.interface(pod)]["frames"][what] for pod in self.MORE[1:-1]]

    def test_1_each_of_110_pods_is_hooked_and_judged(self):
        wait_for(lambda: sum(hook["attached"] for hook in self.hooks().values()) == self.PODS, "a hook of each pod")
        wait_for(lambda: len(self.lab.ask_sluiced("get", "policies")) == 3, "the policy")
        for agent in (self.MORE[0], self.MORE[-1]):
            self.lab.agents.open_one(agent)
        self.assertEqual(self.ask(CLIENT, self.MORE[-1], timeout=20), "open")
        self.assertEqual(self.ask(self.MORE[0], OPEN, timeout=20), "open")
        self.assertEqual(self.ask(self.MORE[0], SERVER), "timeout")
        self.assertEqual(self.ask(OPEN, self.MORE[-1]), "timeout")

        before = self.frames_of_each("forwarded")
        asked = self.frames_of_each("to_filter")

        def all_asked():
            self.send_to_all(OPEN)
            return all(now > then for now, then in zip(self.frames_of_each("to_filter"), asked))

        wait_for(all_asked, "each pod's hook to ask")
        self.assertEqual(self.frames_of_each("forwarded"), before)

        def all_forwarded():
            self.send_to_all(CLIENT)
            return all(now > then for now, then in zip(self.frames_of_each("forwarded"), before))

        wait_for(all_forwarded, "each pod to be sent what policy allows")

    def test_2_remove_leaves_no_trace(self):
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
        self.lab.node.stop()
        self.lab.filter.stop()
        code, output, errors = self.lab.ask("remove")
        self.assertEqual((code, errors), (0, ""), output)
        self.assertFalse((self.lab.bpffs / "sluice").exists())
        links = run("ip", "-n", self.lab.topology.namespace("node"), "link")
        self.assertNotIn("sluice", links)
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80, timeout=20), "open")
        code, _, errors = self.lab.ask("status")
        self.assertEqual(code, 1)
        self.assertIn("no hooks in this network namespace", errors)


if __name__ == "__main__":
    node_fixture.main()
