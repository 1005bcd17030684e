"""The quickstart's namespaces, tested: namespaces_test.py af_xdp|af_packet. One sluiced serves all tests of a class."""

import re
import subprocess
import time

import fixture
from fixture import NamespaceTest
from lab import hosts, programs, quickstart

FAMILIES = hosts.FAMILIES
PATH_MTU = hosts.BY_NAME["partner"].path_mtu

# DPDK's af_packet driver joins a packet fan-out with PACKET_FANOUT_FLAG_DEFRAG: the kernel puts IPv4 fragments together
# before the filter sees them, and what comes out is too long for the wire.
KERNEL_REASSEMBLES = {("af_packet", 4): "af_packet: the kernel reassembles IPv4 fragments before DPDK sees them"}


class Filtered(NamespaceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        daemon = programs.Daemon(cls.topology, fixture.device, cls.manifests, cls.folder)
        cls.daemon = cls.stack.enter_context(daemon)

    def skip_where_kernel_reassembles(self, family):
        reason = KERNEL_REASSEMBLES.get((fixture.device, family))
        if reason:
            self.skipTest(reason)

    def edit(self, name, old, new):
        path = self.manifests / name
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))
        self.addCleanup(self.restore, path, text)

    def restore(self, path, text):
        path.write_text(text)
        self.assertIsNotNone(
            quickstart.wait_until(lambda: self.ask("shop/frontend", "tcp", "shop/backend", 4, port=80) == "open", 10)
        )


class Table(Filtered):
    def test_every_flow_is_reached_or_blocked_as_the_examples_say(self):
        flows = hosts.load_flows()
        seen = self.agents.probe(flows, timeout=1.5)
        for flow, outcome in zip(flows, seen):
            with self.subTest(flow=flow.to_check()):
                self.assertEqual(outcome, "open" if flow.allowed else "timeout")

    def test_check_decides_as_the_examples_say(self):
        flows = hosts.load_flows()
        decisions = programs.check(flows, self.manifests, self.folder)
        for flow in flows:
            with self.subTest(flow=flow.to_check()):
                self.assertEqual(decisions[flow.id]["verdict"], "allow" if flow.allowed else "deny")


class Fragments(Filtered):
    def test_fragmented_icmp_of_an_allowed_flow_passes(self):
        for family in FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.skip_where_kernel_reassembles(family)
                # The first datagram may be lost to the path-MTU error that it causes.
                outcomes = [self.ask("shop/backend", "icmp", "partner", family, size=4000) for _ in range(3)]
                self.assertEqual(outcomes[-1], "open")

    def test_fragmented_udp_of_an_allowed_flow_passes(self):
        for family in FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.skip_where_kernel_reassembles(family)
                outcomes = [self.ask("shop/backend", "udp", "partner", family, port=443, size=4000) for _ in range(3)]
                self.assertEqual(outcomes[-1], "open")

    def test_fragmented_icmp_of_a_denied_flow_is_blocked(self):
        for family in FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.skip_where_kernel_reassembles(family)
                self.assertEqual(self.ask("shop/frontend", "icmp", "shop/backend", family, size=4000), "timeout")


class PathMtu(Filtered):
    def known_mtu(self, short, address):
        route = subprocess.run(
            [*self.topology.inside(short), "ip", "route", "get", address], capture_output=True, text=True, check=True
        ).stdout
        match = re.search(r"\bmtu (\d+)", route)
        return int(match.group(1)) if match else None

    def test_related_error_reaches_the_sender_and_the_transfer_completes(self):
        for family in FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                address = hosts.BY_NAME["partner"].addresses[family]
                self.assertNotEqual(self.known_mtu("backend", address), PATH_MTU)
                self.assertEqual(
                    self.ask("shop/backend", "tcp", "partner", family, port=443, size=1_000_000, timeout=10), "open"
                )
                self.assertEqual(self.known_mtu("backend", address), PATH_MTU)


class Edits(Filtered):
    def test_edit_cuts_live_connections_and_putting_it_back_admits_new_ones(self):
        self.assertEqual(quickstart.cut_and_restore(self.agents, self.manifests, self.daemon.target), 0)

    def test_broken_edit_leaves_the_old_policies_in_force_and_is_named(self):
        self.edit("backend.yaml", "podSelector:\n    matchLabels: { app: backend }", "podSelector: [")
        self.assertIsNotNone(quickstart.wait_until(lambda: "backend.yaml" in self.daemon.words(), 10))
        time.sleep(1)  # whatever it would wrongly apply, it has applied by now
        for family in FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.assertEqual(self.ask("shop/frontend", "tcp", "shop/backend", family, port=80), "open")
                self.assertEqual(self.ask("shop/frontend", "tcp", "shop/backend", family, port=8080), "timeout")
                self.assertEqual(self.ask("shop/database", "tcp", "shop/backend", family, port=80), "timeout")

    def test_removed_policy_file_ends_what_it_allowed(self):
        path = self.manifests / "frontend.yaml"
        text = path.read_text()
        path.unlink()
        self.addCleanup(self.restore, path, text)
        blocked = quickstart.wait_until(
            lambda: self.ask("shop/frontend", "tcp", "shop/backend", 4, port=80, timeout=0.5) == "timeout", 10
        )
        self.assertIsNotNone(blocked)

    def test_added_policy_file_allows(self):
        path = self.manifests / "ping.yaml"
        path.write_text(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { namespace: shop, name: ping }\n"
            "spec: { podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}] }\n"
        )
        self.addCleanup(path.unlink)
        for family in FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                reached = quickstart.wait_until(
                    lambda: self.ask("shop/frontend", "icmp", "shop/backend", family, timeout=0.5) == "open", 10
                )
                self.assertIsNotNone(reached)


if __name__ == "__main__":
    fixture.main()
