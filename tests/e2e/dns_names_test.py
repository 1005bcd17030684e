"""Egress by name across a running sluiced: `curl` of a name that nobody asked for before works at its first packet, and
no connection opens that no rule names."""

import sys
import time

import dns_fixture
from dns_fixture import (ASK_ONCE, ASKS, BY_ADDRESS, CLIENT, DNS, ONE, PODS, ROTATED, ROTATING, DnsTest, answer, bytes_of,
                         query)
from dns_test import SEND_RAW

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


def rules_for(*names):
    return PODS + "---" + ASKS + "---" + BY_NAME.replace("NAMES", ", ".join(f'"{name}"' for name in names))


class Names(DnsTest):
    def start(self, dns=None, extra=()):
        # No machine is so slow that a hold runs out.
        super().start({"resolvers": ["kube-system/k8s-app=kube-dns"], "hold_ms": 1000}, extra)

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


if __name__ == "__main__":
    dns_fixture.main()
