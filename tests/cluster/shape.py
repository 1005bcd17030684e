"""The clusters that the suite runs on."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Shape:
    plugin: str  # of the network: bridge or ptp
    proxy: str  # kube-proxy's mode: nftables or iptables
    nodes: int = 1  # more: joined by VXLAN
    masquerades: bool = False  # kube-proxy hides every client of a service behind the node
    suite: str = "netpol"  # or clusterpolicy: network-policy-api's conformance suite


SHAPES = {
    "bridge": Shape("bridge", "nftables"),
    "ptp": Shape("ptp", "iptables"),
    "two.bridge": Shape("bridge", "iptables", 2),
    "two.ptp": Shape("ptp", "nftables", 2),
    "masquerade": Shape("bridge", "iptables", 1, True),
    "clusterpolicy": Shape("bridge", "nftables", 3, False, "clusterpolicy"),
}
