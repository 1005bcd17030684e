"""Egress by name across a running sluiced: `curl` of a name that nobody asked for before works at its first packet, and
no connection opens that no rule names."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

import dns_fixture
from dns_fixture import (ASK_ONCE, ASKS, BY_ADDRESS, CLIENT, DNS, ONE, OTHER, PODS, ROTATED, ROTATING, DnsTest, answer,
                         bytes_of, query)
from dns_test import SEND_RAW
from lab import programs

BY_NAME = """
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: by-name}
spec:
  tier: Admin
  priority: 10
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: client}}}}
  egress:
  - name: web
    action: Accept
    to: [{domainNames: [NAMES]}]
    protocols: [{tcp: {destinationPort: {number: 80}}}]
"""


# Of a JVM's cache: as it comes, an answer is kept for 30 seconds; with this, for as long as it runs.
FOREVER = "-Dsun.net.inetaddr.ttl=-1"
CLIENT_SOURCE = pathlib.Path(__file__).with_name("NameClient.java")


def verdicts_in(pcapng):
    """The first word of each packet's comment."""
    data, at, verdicts = pcapng.read_bytes(), 0, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            captured, = struct.unpack_from("<I", data, at + 20)
            option = at + 28 + (captured + 3) // 4 * 4
            while option < at + length - 4:
                code, size = struct.unpack_from("<HH", data, option)
                if code == 1:
                    verdicts.append(data[option + 4:option + 4 + size].decode().replace(":", " ").split()[0].rstrip(";"))
                if code == 0:
                    break
                option += 4 + (size + 3) // 4 * 4
        at += length
    return verdicts


def rules_for(*names):
    return PODS + "---" + ASKS + "---" + BY_NAME.replace("NAMES", ", ".join(f'"{name}"' for name in names))


class NamesTest(DnsTest):
    def start(self, dns=None, extra=()):
        # No machine is so slow that a hold runs out.
        super().start(dns or {"resolvers": ["kube-system/k8s-app=kube-dns"], "hold_ms": 1000}, extra)

    def setUp(self):
        pass

    def begin(self, *names):
        self.manifests = self.folder / "manifests.yaml"
        self.manifests.write_text(rules_for(*names))
        self.start()

    def curl(self, name, family=4, seconds=30):
        """Whether the page of that name comes; the connection by a single SYN, or it is not tried again in time. One that a
        change of policy cuts in the middle gets no answer any more."""
        done = self.inside("curl", f"-{family}", "-sf", "--noproxy", "*", "--connect-timeout", seconds, "--max-time",
                           2 * seconds, f"http://{name}/", check=False)
        return done.returncode == 0

    def assert_first_packet_passes(self, name, family=4):
        before = self.status()["denied"]
        self.assertTrue(self.curl(name, family), self.daemon.words()[-2000:])
        status = self.status()
        self.assertEqual(status["denied"], before, name)
        self.assertEqual(status["ran_out"], 0)


class Names(NamesTest):
    def test_the_first_packet_to_a_fresh_name_passes(self):
        self.begin("one.example.com", "zero.example.com", "second.example.com", "chain.example.com",
                   "www.moved.example.com", "*.wild.example.com", "six.example.com")
        self.assertFalse(self.curl(ONE, seconds=2))
        for name in ("one", "zero", "second", "chain", "www.moved", "a.b.wild"):
            with self.subTest(name):
                self.assert_first_packet_passes(name + ".example.com")
        self.assert_first_packet_passes("six.example.com", 6)
        self.assertGreaterEqual(self.status()["learnt"], 7)

    def test_a_name_that_no_rule_asks_for_opens_nothing(self):
        self.begin("one.example.com", "*.example.com.example.net")
        self.assertFalse(self.curl("by-address.example.com", seconds=3))
        self.assertFalse(self.curl("a.wild.example.com", seconds=3))
        self.assertEqual(self.status()["learnt"], 0)
        self.assert_first_packet_passes("one.example.com")

    def test_each_name_of_a_chain_has_its_addresses(self):
        self.begin("link2.example.com")
        self.assert_first_packet_passes("chain.example.com")

    def test_four_hundred_addresses_by_tcp(self):
        self.begin("many.example.com")
        self.assertEqual(len(self.addresses("many.example.com")), 400)
        self.wait_for(lambda status: status["learnt"] >= 1)
        self.assertTrue(self.curl(ROTATED))

    def test_rotating_answers(self):
        self.begin("rotating.example.com")
        for _ in range(5):
            self.assertEqual(self.addresses("rotating.example.com"), [ROTATING, ROTATED])
        self.assertTrue(self.curl(ROTATING))
        self.assertTrue(self.curl(ROTATED))

    def test_what_nobody_asked_for_opens_nothing(self):
        self.begin("one.example.com")
        asked = self.inside(sys.executable, "-c", ASK_ONCE, DNS.addresses[4], 40003, 60, query("by-address.example.com").hex())
        self.assertIn(bytes_of(BY_ADDRESS), asked.stdout)
        lies = [answer("one.example.com", ONE, number=number) for number in range(1, 5)]
        self.inside(sys.executable, "-c", SEND_RAW, DNS.addresses[4], CLIENT.addresses[4], 53, 40003,
                    *[lie.hex() for lie in lies], host="dns")
        self.assertEqual(self.wait_for(lambda status: status["spoofed"] >= 4)["learnt"], 0)
        self.assertFalse(self.curl(ONE, seconds=3))

    def test_nothing_opens_once_the_rule_is_gone(self):
        self.begin("one.example.com")
        self.assert_first_packet_passes("one.example.com")
        self.manifests.write_text(PODS + "---" + ASKS)
        deadline = time.monotonic() + 60
        while self.curl(ONE, seconds=2) and time.monotonic() < deadline:
            pass
        self.assertFalse(self.curl("one.example.com", seconds=3))

    def test_a_fresh_name_after_a_restart(self):
        self.begin("one.example.com", "zero.example.com")
        self.assert_first_packet_passes("one.example.com")
        self.stop()
        self.start()
        self.assert_first_packet_passes("zero.example.com")

    def test_a_kill_between_answer_and_connection(self):
        kept = ("--state", self.folder / "state", "--run", self.folder / "run")
        self.manifests = self.folder / "manifests.yaml"
        self.manifests.write_text(rules_for("one.example.com"))
        self.start(extra=kept)
        self.assertEqual(self.addresses("one.example.com"), [ONE])
        names = self.folder / "state" / "names"
        deadline = time.monotonic() + 60
        while not (names.exists() and f"one.example.com {ONE} " in names.read_text()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.daemon.kill()
        self.start(extra=kept)
        before = self.status()
        self.assertTrue(self.curl(ONE), self.daemon.words()[-2000:])
        status = self.status()
        self.assertEqual((status["denied"], status["learnt"]), (before["denied"], 0))

    def jvm(self, *options):
        """Starts a client that connects to second.example.com; returns what tells it what to do."""
        command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true",
                   *options, CLIENT_SOURCE, "second.example.com"]
        client = subprocess.Popen([*self.topology.inside("client"), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True, bufsize=1)
        for step in (client.wait, client.kill, client.stdout.close, client.stdin.close):
            self.addCleanup(step)

        def told(line):
            client.stdin.write(line + "\n")
            return client.stdout.readline().strip()

        return client, told

    def test_jvms_that_cache_an_answer_longer_than_it_holds(self):
        if shutil.which("java") is None:
            self.assertNotEqual(os.environ.get("CI"), "true", "no java here: scripts/install-deps.sh installs it")
            self.skipTest("needs a JVM that runs a source file (default-jdk-headless)")
        self.begin("second.example.com")
        denied = self.status()["denied"]
        clients = [self.jvm(FOREVER), self.jvm()]
        for client, _ in clients:
            self.assertEqual(client.stdout.readline(), "ready\n")
        self.assertEqual(self.status()["denied"], denied, "first packets pass")
        forever, as_it_comes = (told for _, told in clients)

        def change(names, key):
            """Waits until what is counted there says that a flow met the change."""
            before = self.status()[key]
            self.manifests.write_text(rules_for(*names))
            self.wait_for(lambda status: status[key] > before, 60)

        self.wait_for(lambda status: status["addresses"] == 0, 120)  # a second, and 30 at least
        self.assertEqual(forever("new 3"), "nothing", "its answer holds no more")
        change(["one.example.com", "second.example.com"], "judged_again")
        self.assertEqual(forever("use 60"), "answered", "a live connection keeps what it began with")
        change(["one.example.com"], "cut")
        self.assertEqual(forever("use 3"), "nothing", "its rule is gone")
        self.manifests.write_text(rules_for("second.example.com"))
        deadline = time.monotonic() + 120
        while as_it_comes("new 2") != "open":  # once its cache asks anew
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(forever("new 60"), "open", "whoever asked, the address is what is allowed")

    def test_of_answers_the_one_with_id_port_resolver_and_question_of_the_query_counts(self):
        self.manifests = self.folder / "manifests.yaml"
        self.manifests.write_text(rules_for("one.example.com"))
        super().start({"resolvers": ["kube-system/k8s-app=kube-dns", OTHER.addresses[4]], "hold_ms": 1000})

        def ask():
            """Nobody answers there."""
            self.inside(sys.executable, "-c", ASK_ONCE, OTHER.addresses[4], 40005, 1, query("one.example.com", 7).hex())

        def tell(host, address, port, message):
            self.inside(sys.executable, "-c", SEND_RAW, address, CLIENT.addresses[4], 53, port, message.hex(), host=host)

        ask()
        right = answer("one.example.com", ONE, number=7)
        tell("other", OTHER.addresses[4], 40005, answer("one.example.com", ONE, number=8))
        tell("other", OTHER.addresses[4], 40006, right)
        tell("dns", DNS.addresses[4], 40005, right)
        tell("other", OTHER.addresses[4], 40005, answer("two.example.com", ONE, number=7))
        self.assertEqual(self.wait_for(lambda status: status["spoofed"] >= 4)["learnt"], 0)
        self.assertFalse(self.curl(ONE, seconds=3))
        deadline = time.monotonic() + 60
        while self.status()["learnt"] == 0 and time.monotonic() < deadline:
            ask()
            tell("other", OTHER.addresses[4], 40005, right)
            time.sleep(0.2)
        self.assertTrue(self.curl(ONE), self.status())

    def test_a_replay_of_what_was_captured_says_the_same(self):
        self.begin("one.example.com")
        capture = self.folder / "names.pcapng"
        process = subprocess.Popen([programs.BIN / "sluicectl", "capture", "--target", self.daemon.target, "--write", capture,
                                    "--payload", "--pod", "shop/client", "--packets", "30", "--for", "5m"], stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while not (capture.exists() and capture.stat().st_size > 0):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertFalse(self.curl(ONE, seconds=2))
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            self.curl("one.example.com", seconds=2)
        self.assertEqual(process.wait(1), 0)
        live = verdicts_in(capture)
        self.assertEqual(len(live), 30)
        self.assertEqual(set(live), {"drop", "forward"})
        code, out, err = programs.sluicectl("replay", "--manifests", self.manifests, "--config", self.folder / "sluiced.yaml",
                                            "-o", "json", capture)
        self.assertEqual(code, 0, err)
        self.assertEqual([json.loads(line)["verdict"] for line in out.splitlines()], live)
        self.assertIn("; 1 names with 1 addresses", err)


if __name__ == "__main__":
    dns_fixture.main()
