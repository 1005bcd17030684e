"""Two wires on one sluiced; the second one joins two hosts of one segment: segment_test.py af_xdp|af_packet.

Nothing here is routed: the hosts find each other by ARP and IPv6 neighbour discovery, straight across the filter.
"""

import subprocess

import fixture
from fixture import NamespaceTest
from lab import hosts, netns, programs

RED = hosts.Host("red", {4: "10.244.2.10", 6: "fd00:244:2::10"})
BLUE = hosts.Host("blue", {4: "10.244.2.20", 6: "fd00:244:2::20"}, tcp=(80, 8080))

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: { namespace: colours, name: red, labels: { colour: red } }
status: { phase: Running, podIPs: [{ ip: 10.244.2.10 }, { ip: "fd00:244:2::10" }] }
---
apiVersion: v1
kind: Pod
metadata: { namespace: colours, name: blue, labels: { colour: blue } }
status: { phase: Running, podIPs: [{ ip: 10.244.2.20 }, { ip: "fd00:244:2::20" }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: colours, name: blue }
spec:
  podSelector: { matchLabels: { colour: blue } }
  policyTypes: [Ingress, Egress]
  ingress: [{ from: [{ podSelector: { matchLabels: { colour: red } } }], ports: [{ port: 80 }] }]
"""


class Segment(NamespaceTest):
    segment = (RED, BLUE)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.manifests / "colours.yaml").write_text(MANIFESTS)
        wires = (("left", "right"), netns.SEGMENT_PORTS)
        daemon = programs.Daemon(cls.topology, fixture.device, cls.manifests, cls.folder, wires=wires)
        cls.stack.enter_context(daemon)

    def neighbour(self, short, address):
        command = [*self.topology.inside(short), "ip", "neigh", "show", address]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def test_allowed_connection_opens_after_address_resolution(self):
        for family in hosts.FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.assertEqual(self.agents["red"].ask("tcp", address=BLUE.addresses[family], port=80), "open")
                self.assertIn("lladdr", self.neighbour("red", BLUE.addresses[family]))

    def test_denied_port_is_blocked_though_the_neighbour_is_known(self):
        for family in hosts.FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.assertEqual(self.agents["red"].ask("tcp", address=BLUE.addresses[family], port=8080), "timeout")
                self.assertIn("lladdr", self.neighbour("red", BLUE.addresses[family]))

    def test_first_wire_filters_beside_the_second(self):
        for family in hosts.FAMILIES:
            with self.subTest(family=f"IPv{family}"):
                self.assertEqual(self.ask("shop/frontend", "tcp", "shop/backend", family, port=80), "open")
                self.assertEqual(self.ask("shop/frontend", "tcp", "shop/backend", family, port=8080), "timeout")


if __name__ == "__main__":
    fixture.main()
