"""Pods of one node kept apart by hooks at their interfaces, with real packets: node_test.py bridge|routed.

Services are translated by nftables in between, as kube-proxy does it.
"""

import pathlib
import sys

import node_fixture
from node_fixture import FAMILIES, NodeTest, wait_for
from lab import node
from lab.netns import run
from lab.node import CLIENT, HOME, MIXED, NODE, OPEN, OUTSIDE, SERVER, SERVICE, THIRD
from schema import check

TCP, UDP = 6, 17


class Pods(NodeTest):
    def test_a_pod_that_policy_admits_is_reached(self):
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80, size=300_000), "open")

    def test_a_pod_that_policy_denies_is_not(self):
        self.assertEqual(self.reach(THIRD, "tcp", SERVER, port=80), "timeout")
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "timeout")

    def test_a_port_that_policy_denies_is_not_reached(self):
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=8080), "timeout")
        self.assertEqual(self.reach(CLIENT, "udp", SERVER, port=80), "timeout")
        self.assertEqual(self.reach(CLIENT, "icmp", SERVER), "timeout")

    def test_pods_without_policy_reach_each_other(self):
        self.assertEqual(self.reach(CLIENT, "icmp", OPEN), "open")
        self.assertEqual(self.reach(CLIENT, "udp", OPEN, port=53), "open")
        self.assertEqual(self.reach(SERVER, "tcp", OPEN, port=80), "open")

    def test_fragments_of_a_datagram_are_judged_with_it(self):
        self.assertEqual(self.reach(CLIENT, "udp", OPEN, port=53, size=4000), "open")
        self.assertEqual(self.reach(THIRD, "udp", OPEN, port=53, size=4000), "timeout")


class Services(NodeTest):
    def test_a_service_is_reached_by_whom_policy_admits(self):  # NP-43: by what is behind it
        self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, size=300_000), "open")

    def test_a_service_is_not_reached_by_whom_policy_denies(self):
        self.assertEqual(self.reach(OPEN, "tcp", SERVICE, port=80), "timeout")
        self.assertEqual(self.reach(THIRD, "udp", MIXED, port=53), "timeout")

    def test_a_service_by_udp_with_fragments_both_ways(self):
        self.assertEqual(self.reach(CLIENT, "udp", MIXED, port=53, size=4000), "open")

    def test_a_pod_reaches_itself_by_its_service(self):
        self.assertEqual(self.reach(SERVER, "tcp", SERVICE, port=80), "open")

    def test_a_node_port_shows_the_client_to_policy(self):  # NP-73
        self.assertEqual(self.reach(OUTSIDE, "tcp", NODE, port=30081, size=300_000), "open")
        self.assertEqual(self.reach(OUTSIDE, "tcp", NODE, port=30080), "timeout")

    def test_a_node_port_from_a_pod_shows_the_pod_to_policy(self):  # NP-73
        self.assertEqual(self.reach(CLIENT, "tcp", NODE, port=30080), "open")
        self.assertEqual(self.reach(OPEN, "tcp", NODE, port=30080), "timeout")
        self.assertEqual(self.reach(CLIENT, "tcp", NODE, port=30081), "timeout")

    def test_fragments_to_a_node_port(self):
        self.assertEqual(self.reach(OUTSIDE, "udp", NODE, port=30053, size=4000), "open")


class NodesOwn(NodeTest):
    def test_the_node_reaches_its_pods_whatever_policy_says(self):
        self.assertEqual(self.reach(HOME, "tcp", SERVER, port=8080), "open")
        self.assertEqual(self.reach(HOME, "icmp", SERVER), "open")
        self.assertEqual(self.reach(HOME, "tcp", SERVICE, port=80), "open")

    def test_pods_reach_their_node(self):
        self.assertEqual(self.reach(OPEN, "tcp", NODE, port=9000), "open")
        self.assertEqual(self.reach(THIRD, "tcp", NODE, port=9000), "open")
        self.assertEqual(self.reach(OPEN, "icmp", node.GATEWAY), "open")

    def test_without_sluiced_the_node_reaches_its_pods_and_nobody_else_does(self):
        self.lab.filter.kill()
        try:
            self.assertEqual(self.reach(HOME, "tcp", SERVER, port=80), "open")
            self.assertEqual(self.reach(HOME, "icmp", SERVER), "open")
            self.assertEqual(self.reach(OPEN, "tcp", NODE, port=9000), "open")
            self.assertEqual(self.reach(HOME, "tcp", OUTSIDE, port=443), "open")
            self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "timeout")
            self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80), "timeout")
            self.assertEqual(self.reach(OPEN, "tcp", OUTSIDE, port=443), "timeout")
        finally:
            self.lab.restart_filter()
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "open")


class Drops(NodeTest):
    def test_a_drop_names_the_interface_where_it_would_have_left(self):
        drops = self.lab.watch_drops()  # which does not say when it has begun

        def are_seen():
            self.reach(OPEN, "tcp", SERVER, port=80)
            self.reach(THIRD, "tcp", OUTSIDE, port=444)
            return {"hserver", "eth0"} <= {drop["device"] for drop in drops()}

        wait_for(are_seen, "drops at both interfaces")
        self.assertEqual({drop["device"] for drop in drops()}, {"hserver", "eth0"})
        self.assertEqual([problem for drop in drops() for problem in check.problems("drop", drop)], [])


class Outside(NodeTest):
    def test_what_leaves_the_node_is_judged_by_the_pod_that_sent_it(self):
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=443, size=300_000), "open")
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=444), "timeout")
        self.assertEqual(self.reach(THIRD, "icmp", OUTSIDE), "timeout")
        self.assertEqual(self.reach(OPEN, "icmp", OUTSIDE), "open")

    def test_fragments_that_leave_the_node_hidden_behind_it(self):
        self.assertEqual(self.reach(OPEN, "udp", OUTSIDE, port=443, size=4000), "open")


class Spoofing(NodeTest):
    """What a pod sends under another's name is dropped at its own interface."""

    def send(self, pod, source, destination, protocol, port=0, count=5):
        """As `pod`, by IPv4 and IPv6."""
        for family in FAMILIES:
            addresses = [ends[family] for ends in (source, destination)]
            sender = str(pathlib.Path(__file__).with_name("raw_sender.py"))
            run(*self.lab.topology.inside(pod.short), sys.executable, sender, *addresses, str(protocol), str(port), str(count))

    def frames_of(self, pod, what):
        name = self.lab.topology.interface(pod)
        return next(hook["frames"][what] for hook in self.lab.status()["hooks"] if hook["interface"] == name)

    def counts_all(self, what, *arguments, **keywords):
        before, given = self.frames_of(OPEN, what), self.frames_of(SERVER, "to_filter")
        self.send(OPEN, *arguments, **keywords)
        wait_for(lambda: self.frames_of(OPEN, what) - before >= 10, f"10 frames counted as {what}")
        self.assertEqual(self.frames_of(OPEN, what) - before, 10)
        self.assertEqual(self.frames_of(SERVER, "to_filter"), given)

    def test_sluiced_counts_what_hooks_drop(self):
        def counted(what):
            drops = {drop["reason"]: drop["packets"] for drop in self.lab.ask_sluiced("get", "drops")}
            self.assertEqual(self.lab.ask_sluiced("status")[what], drops[what])
            return drops[what]

        for what, destination, protocol in (("spoofed_source", SERVER.addresses, TCP), ("spoofed_tunnel", NODE, 47)):
            before = counted(what)
            source = CLIENT.addresses if what == "spoofed_source" else OPEN.addresses
            self.send(OPEN, source, destination, protocol)
            wait_for(lambda: counted(what) - before >= 10, f"10 drops counted as {what}")

    def test_explain_says_what_a_pods_hook_lets_out(self):
        def verdict(source, destination, protocol, *words):
            told = self.lab.ask_sluiced("explain", "--src", source, "--dst", destination, "--proto", protocol, *words)
            self.assertEqual(check.problems("explain", told), [])
            return told["verdict"], told["reason"]

        client, pod = CLIENT.addresses[4], OPEN.name
        for destination in (NODE[4], OUTSIDE.addresses[4]):  # the gateway is a node that hooks alone know
            self.assertEqual(verdict(pod, destination, "udp", "--dport", "8472"), ("deny", "spoofed_tunnel"))
            self.assertEqual(verdict(pod, destination, "udp", "--dport", "53"), ("allow", ""))
        self.assertEqual(verdict(client, SERVER.name, "tcp", "--dport", "80"), ("allow", ""))
        of_another = ("--dport", "80", "--interface", pod)
        self.assertEqual(verdict(client, SERVER.name, "tcp", *of_another), ("deny", "spoofed_source"))

    def test_another_pods_address_is_not_sent_from(self):
        self.counts_all("spoofed_source", CLIENT.addresses, SERVER.addresses, TCP, port=80)

    def test_the_nodes_address_is_not_sent_from(self):
        self.counts_all("spoofed_source", NODE, SERVER.addresses, TCP, port=80)
        self.counts_all("spoofed_source", node.GATEWAY, SERVER.addresses, UDP, port=80)

    def test_an_outsiders_address_is_not_sent_from(self):
        self.counts_all("spoofed_source", OUTSIDE.addresses, SERVER.addresses, TCP, port=8080)

    def test_a_pods_own_address_is_sent_from(self):
        before, passed = self.frames_of(OPEN, "spoofed_source"), self.frames_of(SERVER, "to_filter")
        self.send(OPEN, OPEN.addresses, SERVER.addresses, UDP, port=80)
        wait_for(lambda: self.frames_of(SERVER, "to_filter") - passed >= 10, "10 frames at the filter")
        self.assertEqual(self.frames_of(OPEN, "spoofed_source"), before)

    def test_tunnels_to_nodes_are_not_opened_by_pods(self):
        for port in (4789, 8472, 6081):
            self.counts_all("spoofed_tunnel", OPEN.addresses, NODE, UDP, port=port)
        for protocol in (4, 41, 47):
            self.counts_all("spoofed_tunnel", OPEN.addresses, NODE, protocol)
        self.counts_all("spoofed_tunnel", OPEN.addresses, OUTSIDE.addresses, UDP, port=8472)  # a gateway is a node, too

    def test_tunnels_between_pods_are_theirs(self):
        before = self.frames_of(OPEN, "spoofed_tunnel")
        passed = self.frames_of(SERVER, "to_filter")
        self.send(OPEN, OPEN.addresses, SERVER.addresses, UDP, port=8472)
        wait_for(lambda: self.frames_of(SERVER, "to_filter") - passed >= 10, "10 frames at the filter")
        self.assertEqual(self.frames_of(OPEN, "spoofed_tunnel"), before)

    def test_status_tells_each_pods_addresses(self):
        name = self.lab.topology.interface(OPEN)
        hook = next(hook for hook in self.lab.status()["hooks"] if hook["interface"] == name)
        self.assertLessEqual(set(OPEN.addresses.values()), set(hook["addresses"]))
        self.assertFalse(set(NODE.values()) & set(hook["addresses"]))


class Rejects(NodeTest):
    """What is denied is answered: the answer goes the other way through the hook."""

    is_alone = True
    config = "action_on_deny: reject"

    def test_a_denied_connection_is_refused(self):
        self.assertEqual(self.reach(OPEN, "tcp", SERVER, port=80), "refused")

    def test_a_denied_connection_to_a_service_is_refused(self):
        self.assertEqual(self.reach(OPEN, "tcp", SERVICE, port=80), "refused")

    def test_a_denied_connection_to_a_node_port_is_refused(self):
        self.assertEqual(self.reach(OUTSIDE, "tcp", NODE, port=30080), "refused")
        self.assertEqual(self.reach(OPEN, "tcp", NODE, port=30080), "refused")

    def test_a_denied_connection_out_of_the_node_is_refused(self):
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=444), "refused")

    def test_what_is_allowed_is_not(self):
        self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80), "open")
        self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=443), "open")


class Sizes(NodeTest):
    """In a node of its own; the first exchange, by which neighbours find each other, is not what is tried."""

    def setUp(self):
        wait_for(lambda: self.reach(CLIENT, "icmp", OPEN) == "open", "the first ping")
        wait_for(lambda: self.reach(CLIENT, "tcp", SERVICE, port=80) == "open", "the first connection")


class LargeFrames(Sizes):
    is_alone = True
    mtu = 3000

    def test_frames_of_3000_bytes_pass_whole(self):
        self.assertEqual(self.reach(CLIENT, "icmp", OPEN, size=2900, do_not_fragment=True), "open")
        self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, size=300_000), "open")


class VeryLargeFrames(Sizes):
    """More than an AF_XDP buffer holds: packet sockets carry them."""

    is_alone = True
    mtu = 9000

    def test_frames_of_9000_bytes_pass_whole(self):
        self.assertIn("af_packet:sluice-p0", self.lab.filter.words())
        self.assertEqual(self.reach(CLIENT, "icmp", OPEN, size=8900, do_not_fragment=True), "open")
        self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, size=300_000), "open")


if __name__ == "__main__":
    node_fixture.main()
