"""kill -9 of the programs of a node, in any order, under load: node_kill_test.py bridge|routed.

SLUICE_KILLS rounds of it (10), in the order of SLUICE_SEED. What policy denies is counted where it would arrive.
"""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from random import Random

import node_carry_test
import node_fixture
from node_fixture import FAMILIES, Lab, wait_for
from lab.netns import run
from lab.node import CLIENT, OPEN, OUTSIDE, SERVER, SERVICE, THIRD
from lab.programs import BIN, Program, Sync

ROUNDS = int(os.environ.get("SLUICE_KILLS", 10))
PATIENCE = 60  # of a connection, on a slow machine

# What the open pod and the third send to the server is denied, whatever they send; the outside gets nothing at 444.
WATCH = {
    SERVER.short: [
        f"{word} saddr {{ {OPEN.addresses[family]}, {THIRD.addresses[family]} }} meta l4proto {{ tcp, udp }} counter name denied"
        for family, word in ((4, "ip"), (6, "ip6"))
    ],
    OUTSIDE.short: ["tcp dport 444 counter name denied"],
}


class KillLab(Lab):
    """Its policy comes from `sluice-sync`, and `sluiced` keeps it."""

    def __init__(self, add_cleanup):
        super().__init__(add_cleanup)
        self.sync = self.enter_context(self.sluice_sync())

    def sluiced(self):
        command = [*self.topology.inside("node"), BIN / "sluiced", "--wire", "hooks", "--config", self.config, "--no-huge"]
        return Program("sluiced", [*command, "--listen", self.target, "--state", self.folder / "state"], self.folder)

    def sluice_sync(self):
        return Sync(self.manifests, self.target, self.folder)

    def restart_sync(self):
        self.sync = self.enter_context(self.sluice_sync())

    def watch_arrivals(self):
        """Returns a function that tells how many packets that policy denies arrived since."""
        for short, rules in WATCH.items():
            lines = ["table inet watch {", "counter denied {}", "chain in {", "type filter hook prerouting priority raw", *rules, "}", "}"]
            run(*self.topology.inside(short), "nft", "-f", "-", text_input="\n".join(lines) + "\n")

        def arrived():
            answers = [
                json.loads(run(*self.topology.inside(short), "nft", "-j", "list", "counter", "inet", "watch", "denied"))
                for short in WATCH
            ]
            return sum(item["counter"]["packets"] for answer in answers for item in answer["nftables"] if "counter" in item)

        return arrived


class Talk:
    """A connection that is talked on without an end. `failure`: how it ended all the same."""

    def __init__(self, connection):
        self.connection, self.count, self.failure = connection, 0, None

    def go_on(self, is_over):
        is_udp = self.connection.protocol == "udp"
        # A datagram that a worker had in its hands when it was killed is lost. The next ones are not.
        settings = {"size": 100, "timeout": 2} if is_udp else {"size": 20_000, "timeout": PATIENCE}
        while not is_over.is_set() and not self.failure:
            outcome = self.connection.say(times=20, **settings)
            if outcome == "open":
                self.count += 1
            elif not (is_udp and outcome == "timeout"):
                self.failure = f"{self.connection.protocol} to {self.connection.address}: {outcome}"


class Kills(node_carry_test.CarryTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = KillLab(cls.addClassCleanup)

    def kill_some(self, random):
        """And starts them again; any of them, in any order, with any time between."""
        killed = random.sample(["node", "filter", "sync"], random.randint(1, 3))
        for name in killed:
            getattr(self.lab, name).kill()
            time.sleep(random.random() * 0.1)
        random.shuffle(killed)
        # sluice-sync says that it is ready once its policy is in force: the filter comes before it.
        for name in sorted(killed, key=lambda name: name == "sync"):
            getattr(self.lab, f"restart_{name}")()

    def send_what_is_denied(self):
        """Once each way; what becomes of connections."""
        for family in FAMILIES:
            sender = str(pathlib.Path(__file__).with_name("raw_sender.py"))
            ends = [OPEN.addresses[family], SERVER.addresses[family]]
            subprocess.run([*self.lab.topology.inside(OPEN.short), sys.executable, sender, *ends, "17", "80", "200"])
        tries = ((OPEN, SERVER, 80), (OPEN, SERVICE, 80), (THIRD, SERVER, 8080), (THIRD, OUTSIDE, 444))
        return [self.reach(source, "tcp", destination, port=port, timeout=0.3) for source, destination, port in tries]

    def test_nothing_denied_arrives_and_what_is_carried_goes_on(self):
        seed = int(os.environ.get("SLUICE_SEED", time.time_ns() % 1_000_000))
        print(f"seed {seed}, {ROUNDS} rounds", file=sys.stderr)
        random = Random(seed)
        arrived = self.lab.watch_arrivals()
        connections = self.hold(CLIENT, SERVER, 80) + self.hold(CLIENT, SERVICE, 80) + self.hold(OPEN, OUTSIDE, 443)
        connections += self.hold(CLIENT, OPEN, 53, protocol="udp")
        self.becomes_carried(connections)
        is_over, denied, talks = threading.Event(), [], [Talk(one) for one in connections]

        def go_on_denied():
            while not is_over.is_set():
                denied.extend(self.send_what_is_denied())

        threads = [threading.Thread(target=go_on_denied)]
        threads += [threading.Thread(target=talk.go_on, args=(is_over,)) for talk in talks]
        for thread in threads:
            thread.start()
        try:
            for number in range(ROUNDS):
                self.kill_some(random)
                told = [talk.count + 1 for talk in talks]
                wait_for(lambda: all(talk.failure or talk.count > count for talk, count in zip(talks, told)), "all to go on", 2 * PATIENCE)
                self.assertEqual([talk.failure for talk in talks if talk.failure], [], f"round {number}")
                self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, timeout=PATIENCE), "open")
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        self.assertEqual([talk.failure for talk in talks if talk.failure], [])
        self.assertEqual(set(denied), {"timeout"})
        self.assertEqual(arrived(), 0)
        self.lab.node.stop()
        self.assertEqual(self.lab.ask("remove")[0], 0)
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80, timeout=PATIENCE), "open")
        self.assertGreater(arrived(), 0, "without hooks it does arrive, and would have been seen")


if __name__ == "__main__":
    node_fixture.main()
