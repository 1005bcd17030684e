"""What a node counts while pods start, before it knows their addresses: node_start_test.py bridge|routed.

A healthy node counts nothing that is dropped.
"""

import json
import pathlib
import sys

import node_fixture
from node_fixture import FAMILIES, Lab, NodeTest, wait_for
from lab import node
from lab.netns import run
from lab.node import CLIENT, NODE, OUTSIDE, SERVER, THIRD

DROPS = ("spoofed_source", "spoofed_tunnel", "unasked", "untranslated", "mark_lost", "bad_tag")
FREE = {4: "10.77.0.99", 6: "fd77::99"}
ALSO_FREE = {4: "10.77.0.98", 6: "fd77::98"}


class Start(NodeTest):
    is_alone = True

    def hook(self, name):
        return next((hook for hook in self.lab.status()["hooks"] if hook["interface"] == name), None)

    def spoofed(self, name):
        return self.hook(name)["frames"]["spoofed_source"]

    def link_local_of(self, short):
        links = json.loads(run("ip", "-j", "-6", "-n", self.lab.topology.namespace(short), "addr", "show", "dev", "eth0"))
        return next((info["local"] for info in links[0]["addr_info"] if info["scope"] == "link"), None)

    def is_known_to_the_node(self, address):
        """By neighbour discovery: a kernel asks for routers as soon as it has a link-local address."""
        return address in run("ip", "-6", "-n", self.lab.topology.namespace("node"), "neigh")


class Pods(Start):
    def test_a_pod_that_starts_raises_no_alarm(self):
        topology, agents = self.lab.topology, self.lab.agents
        # As the bridge plugin has it: addresses are announced as soon as they are there.
        make = topology._add_namespace

        def make_announcing(short):
            make(short)
            for where in ("default", "all"):
                topology.sysctl(short, **{f"net__ipv4__conf__{where}__arp_notify": 1, f"net__ipv6__conf__{where}__ndisc_notify": 1})

        topology._add_namespace = make_announcing
        for _ in range(5):
            agents.close_one(THIRD.name)
            topology.remove_pod(THIRD)
            topology.add_pod(THIRD)
            agents.open_one(THIRD)
            wait_for(lambda: self.link_local_of("third"), "its link-local address")
            wait_for(lambda: self.is_known_to_the_node(self.link_local_of("third")), "its call for routers")
            wait_for(lambda: set(THIRD.addresses.values()) <= set(self.hook("hthird")["addresses"]), "its addresses")
            self.assertEqual(self.reach(THIRD, "tcp", OUTSIDE, port=443, timeout=20), "open")
        status = self.lab.status()
        self.assertEqual([status["gone"][what] for what in DROPS], [0] * len(DROPS))
        counts = {hook["interface"]: [hook["frames"][what] for what in DROPS] for hook in status["hooks"]}
        self.assertEqual({tuple(frames) for frames in counts.values()}, {(0,) * len(DROPS)}, counts)
        self.assertEqual(status["bad_tag"], 0)
        self.assertEqual(self.lab.ask_sluiced("status")["spoofed_source"], 0)


class Announcements(Start):
    """Of a pod whose addresses are not known yet: it may say nobody's address, as its kernel will."""

    def announce(self, short, *addresses):
        script = str(pathlib.Path(__file__).with_name("announcer.py"))
        run(*self.lab.topology.inside(short), sys.executable, script, "eth0", *addresses)

    def setUp(self):
        topology = self.lab.topology
        topology._add_namespace("bare")
        topology.ip("node", f"link add hbare type veth peer name eth0 netns {topology.namespace('bare')}")
        topology.ip("bare", "link set eth0 addrgenmode none", "link set eth0 up")
        topology.ip("node", *(["link set hbare master cni0"] if node_fixture.is_bridge else []), "link set hbare up")
        wait_for(lambda: "hbare" in self.lab.hooked(), "the new interface")

    def tearDown(self):
        run("ip", "-n", self.lab.topology.namespace("node"), "link", "del", "hbare")
        run("ip", "netns", "del", self.lab.topology.namespace("bare"))
        self.lab.topology.made.remove(self.lab.topology.namespace("bare"))

    def counts(self, addresses, expected, what):
        """Frames of one interface keep their order: with the last one counted, all are."""
        before = self.spoofed("hbare")
        self.announce("bare", *addresses)
        wait_for(lambda: self.spoofed("hbare") - before >= expected, f"{expected} frames counted: {what}")
        self.assertEqual(self.spoofed("hbare") - before, expected)

    def test_before_it_has_an_address_it_may_say_nobodys_and_no_others(self):
        for family in FAMILIES:
            self.counts([FREE[family], CLIENT.addresses[family]], 1, "another pod's")
            self.counts([FREE[family], NODE[family]], 1, "the node's")
            self.counts([FREE[family], node.GATEWAY[family]], 1, "the node's at the pods' side")
            self.counts([FREE[family], OUTSIDE.addresses[family]], 1, "a gateway's")
        self.counts(["fe80::99", self.link_local_of("open")], 1, "another pod's of its link")

    def test_what_it_sends_from_nobodys_address_is_dropped_all_the_same(self):
        before, given = self.spoofed("hbare"), self.hook("hserver")["frames"]["to_filter"]
        self.lab.topology.ip("bare", "route add default dev eth0", f"neigh add {SERVER.addresses[4]} lladdr 02:00:00:00:00:01 dev eth0")
        sender = str(pathlib.Path(__file__).with_name("raw_sender.py"))
        inside = self.lab.topology.inside("bare")
        run(*inside, sys.executable, sender, FREE[4], SERVER.addresses[4], "17", "80", "1")
        wait_for(lambda: self.spoofed("hbare") > before, "the frame to be counted")
        self.assertEqual(self.spoofed("hbare") - before, 1)
        self.assertEqual(self.hook("hserver")["frames"]["to_filter"], given)

    def test_once_it_has_an_address_it_may_say_no_other_of_the_kind(self):
        own = dict(FREE)
        for family in FAMILIES:
            self.lab.topology.ip("bare", f"addr add {own[family]}/{node.LENGTH[family]} dev eth0{' nodad' if family == 6 else ''}", family=family)
            wait_for(lambda: own[family] in self.hook("hbare")["addresses"], "its address to be known")
            before = self.spoofed("hbare")

            def is_strict():
                self.announce("bare", ALSO_FREE[family])
                return self.spoofed("hbare") > before

            wait_for(is_strict, "another address to be refused")
            self.counts([own[family], ALSO_FREE[family]], 1, "another than its own")


class Steering(Start):
    """Where `/proc/sys` is not to be written to, as in a container, IPv6 stays on at the devices of the filter."""

    @classmethod
    def setUpClass(cls):
        cls.lab = LabInContainer(cls.addClassCleanup)

    def test_what_the_kernel_says_there_raises_no_alarm(self):
        def speaks(device):
            links = json.loads(run("ip", "-j", "-6", "-n", self.lab.topology.namespace("node"), "addr", "show", "dev", device))
            return any(info["scope"] == "link" and not info.get("tentative") for info in links[0]["addr_info"])

        for device in ("sluice-in", "sluice-out", "sluice-p0", "sluice-p1"):
            wait_for(lambda: speaks(device), f"the kernel to speak at {device}")
        # Behind what it said: a frame that is no filter's, and is counted.
        before = self.lab.status()["bad_tag"]
        self.assertEqual(before, 0)
        script = "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('sluice-p0', 0)); s.send(b'\\2' * 12 + b'\\x88\\xb5' + bytes(50))"
        run(*self.lab.topology.inside("node"), sys.executable, "-c", script)
        wait_for(lambda: self.lab.status()["bad_tag"] > 0, "the frame to be counted")
        self.assertEqual(self.lab.status()["bad_tag"], 1)


class LabInContainer(Lab):
    READ_ONLY = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"'

    def node_command(self, *words):
        command = super().node_command(*words)
        inside = self.topology.inside("node")
        return [*inside, "unshare", "--mount", "sh", "-c", self.READ_ONLY, "sh", *command[len(inside) :]]


if __name__ == "__main__":
    node_fixture.main()
