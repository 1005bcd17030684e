"""Hooks that come and go, with their interfaces, with `sluice-node` and beside others': node_life_test.py bridge|routed."""

import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time
from random import Random

import node_fixture
from node_fixture import NodeTest, wait_for
from lab.netns import run
from lab.node import CLIENT, OPEN, OUTSIDE, SERVER, SERVICE, THIRD


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
    """Another tc program at the same interface, which clears marks."""

    is_alone = True

    @contextlib.contextmanager
    def program(self, place):
        command = [*self.lab.topology.inside("node"), sys.executable, str(pathlib.Path(__file__).with_name("mark_eraser.py"))]
        process = subprocess.Popen([*command, "hserver", place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(process.stdout.readline(), "ready\n")
            yield
        finally:
            process.stdin.close()
            process.wait(timeout=10)
            process.stdout.close()

    def test_behind_the_hooks_it_is_in_nobodys_way(self):
        with self.program("behind"):
            self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "open")
            self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
            self.assertTrue(all(hook["first"] for hook in self.lab.status()["hooks"]))

    def test_ahead_of_the_hooks_it_makes_no_frame_go_round_and_lets_nothing_through(self):
        with self.program("ahead"):
            before = self.lab.frames("to_filter")
            self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "timeout")
            self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
            self.assertGreater(self.lab.frames("mark_lost"), 0)
            self.assertLess(self.lab.frames("to_filter") - before, 100)
            _, output, _ = self.lab.ask("check")
            self.assertIn("interface hserver: another tc program comes before the hook", output)
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "open")


class Kills(NodeTest):
    """kill -9 of each program, in any order, under forbidden traffic: SLUICE_KILLS rounds of it."""

    is_alone = True

    def try_what_is_denied(self, is_over, outcomes):
        while not is_over.is_set():
            for destination, port in ((SERVER, 80), (SERVICE, 80), (SERVER, 8080)):
                outcomes.append(self.reach(OPEN, "tcp", destination, port=port, timeout=0.3))

    def test_nothing_that_policy_denies_gets_through(self):
        seed = int(os.environ.get("SLUICE_SEED", time.time_ns() % 1_000_000))
        print(f"seed {seed}", file=sys.stderr)
        random = Random(seed)
        is_over, outcomes = threading.Event(), []
        thread = threading.Thread(target=self.try_what_is_denied, args=(is_over, outcomes))
        thread.start()
        try:
            for _ in range(int(os.environ.get("SLUICE_KILLS", 4))):
                killed = random.sample(["node", "filter"], random.randint(1, 2))
                for name in killed:
                    getattr(self.lab, name).kill()
                random.shuffle(killed)
                for name in killed:
                    getattr(self.lab, f"restart_{name}")()
                self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, timeout=5), "open")
        finally:
            is_over.set()
            thread.join()
        self.assertGreater(len(outcomes), 0)
        self.assertEqual(set(outcomes), {"timeout"})


class Removal(NodeTest):
    is_alone = True

    def test_remove_leaves_no_trace(self):
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")
        self.lab.node.stop()
        self.lab.filter.stop()
        code, output, errors = self.lab.ask("remove")
        self.assertEqual((code, errors), (0, ""), output)
        self.assertFalse((self.lab.bpffs / "sluice").exists())
        links = run("ip", "-n", self.lab.topology.namespace("node"), "link")
        self.assertNotIn("sluice", links)
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "open")
        code, _, errors = self.lab.ask("status")
        self.assertEqual(code, 1)
        self.assertIn("no hooks in this network namespace", errors)


if __name__ == "__main__":
    node_fixture.main()
