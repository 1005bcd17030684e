"""Who takes part in the quickstart, and the flows between them.

The pods' addresses are those of examples/cluster.yaml; `sluicectl check` fails the quickstart where they differ.
"""

import dataclasses
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

FAMILIES = (4, 6)


@dataclasses.dataclass(frozen=True)
class Host:
    name: str  # namespace/name of a pod; else a plain name
    addresses: dict  # by family
    tcp: tuple = ()  # ports that it listens on
    udp: tuple = ()
    path_mtu: int = 1500  # of the last hop to it

    @property
    def short(self):
        return self.name.split("/")[-1]


HOSTS = (
    Host("shop/frontend", {4: "10.244.1.10", 6: "fd00:244:1::10"}, tcp=(80,)),
    Host("shop/backend", {4: "10.244.1.20", 6: "fd00:244:1::20"}, tcp=(80, 8080)),
    Host("shop/database", {4: "10.244.1.30", 6: "fd00:244:1::30"}, tcp=(5432,)),
    Host("kube-system/dns", {4: "10.244.1.53", 6: "fd00:244:1::53"}, tcp=(53,), udp=(53,)),
    Host("node1", {4: "172.18.0.11", 6: "fd00:18::11"}),
    # Behind a narrower hop, as a tunnel makes it: larger packets meet a path-MTU error.
    Host("partner", {4: "203.0.113.10", 6: "2001:db8:113::10"}, tcp=(443,), udp=(443,), path_mtu=1400),
    # Inside the partner's range, in the part that the policy excepts.
    Host("excepted", {4: "203.0.113.200", 6: "2001:db8:113::8010"}, tcp=(443,)),
    Host("stranger", {4: "198.51.100.7", 6: "2001:db8:66::7"}),
)

BY_NAME = {host.name: host for host in HOSTS} | {host.addresses[4]: host for host in HOSTS}


@dataclasses.dataclass(frozen=True)
class Flow:
    id: str
    family: int
    src: Host
    dst: Host
    protocol: str  # tcp, udp or icmp
    port: int  # 0 for icmp
    allowed: bool

    @property
    def src_address(self):
        return self.src.addresses[self.family]

    @property
    def dst_address(self):
        return self.dst.addresses[self.family]

    def to_check(self):
        """The line that `sluicectl check --flows` reads."""
        protocol = "icmpv6" if self.protocol == "icmp" and self.family == 6 else self.protocol
        line = {"id": self.id, "src": self.src_address, "dst": self.dst_address, "proto": protocol}
        if self.port:
            line["dport"] = self.port
        line["expect"] = "allow" if self.allowed else "deny"
        return json.dumps(line)


def load_flows(path=EXAMPLES / "flows.jsonl"):
    """The flows of examples/flows.jsonl, each once by IPv4 and once by IPv6."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return [
        Flow(
            id=f"{line['id']}-ipv{family}",
            family=family,
            src=BY_NAME[line["src"]],
            dst=BY_NAME[line["dst"]],
            protocol=line["proto"],
            port=line.get("dport", 0),
            allowed=line["expect"] == "allow",
        )
        for family in FAMILIES
        for line in lines
    ]
