"""A node in network namespaces: pods at a bridge or at routes of their own, a neighbour outside, and services by nftables.

    pod --- veth --+                          pod --- veth (10.77.0.1) --+
    pod --- veth --+ cni0 (10.77.0.1)         pod --- veth (10.77.0.1) --+
                   |                                                     |
                 node --- eth0 --- outside                             node --- eth0 --- outside

nftables do what kube-proxy does: service addresses become pods' on the way in, node ports too, and then with the client
hidden behind the node; so is a pod that reaches itself by a service; what pods send outside is hidden behind the node.
"""

import dataclasses

from lab.hosts import Host
from lab.netns import NO_DAD, Namespaces, run

LENGTH = {4: 24, 6: 64}
GATEWAY = {4: "10.77.0.1", 6: "fd77::1"}
NODE = {4: "192.0.2.1", 6: "2001:db8:77::1"}
SERVICE = {4: "10.96.0.10", 6: "fd96::10"}  # port 80: the server
MIXED = {4: "10.96.0.20", 6: "fd96::20"}  # port 53, UDP and TCP: the open pod

CLIENT = Host("web/client", {4: "10.77.0.11", 6: "fd77::11"}, tcp=(80,))
SERVER = Host("web/server", {4: "10.77.0.12", 6: "fd77::12"}, tcp=(80, 8080), udp=(80,))
THIRD = Host("web/third", {4: "10.77.0.13", 6: "fd77::13"}, tcp=(80,), udp=(53,))
OPEN = Host("web/open", {4: "10.77.0.14", 6: "fd77::14"}, tcp=(53, 80), udp=(53,))
HOME = Host("node", NODE, tcp=(9000,), udp=(9000,))
OUTSIDE = Host("outside", {4: "192.0.2.2", 6: "2001:db8:77::2"}, tcp=(443, 444), udp=(443,))
PODS = (CLIENT, SERVER, THIRD, OPEN)

NODE_PORTS = {30080: (SERVER, 80), 30081: (SERVER, 8080), 30053: (OPEN, 53)}

POLICY = """
apiVersion: v1
kind: Namespace
metadata: {name: web, labels: {kubernetes.io/metadata.name: web}}
---
apiVersion: v1
kind: Node
metadata: {name: node}
spec: {podCIDRs: [10.77.0.0/24, "fd77::/64"]}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: InternalIP, address: "2001:db8:77::1"}]}
---
# The server is reached by the client, at port 80, and from outside at 8080.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: server, namespace: web}
spec:
  podSelector: {matchLabels: {app: server}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: client}}}]
      ports: [{port: 80}]
    - from: [{ipBlock: {cidr: 192.0.2.2/32}}, {ipBlock: {cidr: "2001:db8:77::2/128"}}]
      ports: [{port: 8080}]
    # Itself, by a service: seen as itself.
---
# The third reaches 443 outside, and nothing else.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: third, namespace: web}
spec:
  podSelector: {matchLabels: {app: third}}
  policyTypes: [Egress]
  egress:
    - to: [{ipBlock: {cidr: 192.0.2.2/32}}, {ipBlock: {cidr: "2001:db8:77::2/128"}}]
      ports: [{port: 443}]
"""


def manifests(pods=PODS):
    """The cluster as documents: what a pod is called, it is labelled."""
    documents = [POLICY]
    for pod in pods:
        ips = ", ".join('{ip: "%s"}' % address for address in pod.addresses.values())
        documents.append(
            f"""
apiVersion: v1
kind: Pod
metadata: {{name: {pod.short}, namespace: web, labels: {{app: {pod.short}}}}}
spec: {{nodeName: node}}
status: {{phase: Running, podIPs: [{ips}]}}
"""
        )
    return "---".join(documents)


def services():
    """nftables that translate as kube-proxy's do."""
    lines = ["table inet services {", "  chain pre {", "    type nat hook prerouting priority dstnat; policy accept;"]
    for chain in ("pre", "out"):
        if chain == "out":
            lines += ["  }", "  chain out {", "    type nat hook output priority -100; policy accept;"]
        for family, word in ((4, "ip"), (6, "ip6")):
            to = (lambda host, port: f"{host.addresses[4]}:{port}") if family == 4 else (lambda host, port: f"[{host.addresses[6]}]:{port}")
            for protocol in ("tcp", "udp"):
                lines.append(f"    {word} daddr {SERVICE[family]} {protocol} dport 80 dnat {word} to {to(SERVER, 80)}")
                lines.append(f"    {word} daddr {MIXED[family]} {protocol} dport 53 dnat {word} to {to(OPEN, 53)}")
                for port, (pod, target) in NODE_PORTS.items():
                    lines.append(
                        f"    {word} daddr {NODE[family]} {protocol} dport {port} meta mark set meta mark or 0x4000"
                        f" dnat {word} to {to(pod, target)}"
                    )
    lines += ["  }", "  chain post {", "    type nat hook postrouting priority srcnat; policy accept;"]
    lines += ["    meta mark and 0x4000 != 0 masquerade"]
    for pod in PODS:
        lines.append(f"    ip saddr {pod.addresses[4]} ip daddr {pod.addresses[4]} masquerade")
        lines.append(f"    ip6 saddr {pod.addresses[6]} ip6 daddr {pod.addresses[6]} masquerade")
    lines += ['    oifname "eth0" ip saddr 10.77.0.0/24 masquerade', '    oifname "eth0" ip6 saddr fd77::/64 masquerade']
    lines += ["  }", "}"]
    return "\n".join(lines)


@dataclasses.dataclass
class Shape:
    is_bridge: bool
    mtu: int = 1500


class NodeTopology(Namespaces):
    def __init__(self, prefix, shape, pods=PODS, with_services=True):
        super().__init__(prefix)
        self.shape = shape
        self.pods = pods
        self.with_services = with_services
        self.hosts = (*pods, HOME, OUTSIDE)

    def inside(self, short):
        """Words that run a command in the namespace of that short name, and leave the file systems as they are."""
        return ["nsenter", f"--net=/var/run/netns/{self.namespace(short)}"]

    def ip(self, short, *lines, family=0):
        command = ["ip", "-n", self.namespace(short), *([f"-{family}"] if family else []), "-batch", "-"]
        run(*command, text_input="\n".join(lines) + "\n")

    def sysctl(self, short, **settings):
        script = "\n".join(f"echo {value} >/proc/sys/{key.replace('__', '/')}" for key, value in settings.items())
        run("ip", "netns", "exec", self.namespace(short), "sh", "-e", text_input=script)

    def interface(self, pod):
        return "h" + pod.short

    def _add_namespace(self, short):
        run("ip", "netns", "add", self.namespace(short))
        self.made.append(self.namespace(short))
        # Link-local addresses too are usable at once: neighbours are asked for by them.
        self.sysctl(short, net__ipv6__conf__default__accept_dad=0, net__ipv6__conf__all__accept_dad=0)
        self.ip(short, "link set lo up")

    def _build(self):
        for short in ("node", "outside"):
            self._add_namespace(short)
        self.sysctl("node", net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        self.ip("node", f"link add eth0 mtu {self.shape.mtu} type veth peer name eth0 mtu {self.shape.mtu} netns {self.namespace('outside')}")
        for short, host in (("node", HOME), ("outside", OUTSIDE)):
            self.ip(short, "link set eth0 up")
            for family in (4, 6):
                self.ip(short, f"addr add {host.addresses[family]}/{LENGTH[family]} dev eth0{NO_DAD[family]}", family=family)
        for family in (4, 6):
            self.ip("node", f"route add default via {OUTSIDE.addresses[family]}", family=family)
        if self.shape.is_bridge:
            self.ip("node", f"link add cni0 mtu {self.shape.mtu} type bridge", "link set cni0 up")
            for family in (4, 6):
                self.ip("node", f"addr add {GATEWAY[family]}/{LENGTH[family]} dev cni0{NO_DAD[family]}", family=family)
            self.sysctl("node", **{"net__bridge__bridge-nf-call-iptables": 1, "net__bridge__bridge-nf-call-ip6tables": 1})
        for pod in self.pods:
            self.add_pod(pod)
        if self.with_services:
            run(*self.inside("node"), "nft", "-f", "-", text_input=services())

    def add_pod(self, pod):
        self._add_namespace(pod.short)
        name = self.interface(pod)
        mtu = self.shape.mtu
        self.ip("node", f"link add {name} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {self.namespace(pod.short)}")
        if self.shape.is_bridge:
            self.ip("node", f"link set {name} master cni0")
            self.ip("node", f"link set {name} type bridge_slave hairpin on")
        self.ip("node", f"link set {name} up")
        self.ip(pod.short, "link set eth0 up")
        for family in (4, 6):
            self._address(pod, name, family)

    def _address(self, pod, name, family):
        address = pod.addresses[family]
        length = LENGTH[family] if self.shape.is_bridge else {4: 32, 6: 128}[family]
        self.ip(pod.short, f"addr add {address}/{length} dev eth0{NO_DAD[family]}", family=family)
        if not self.shape.is_bridge:
            full = {4: 32, 6: 128}[family]
            self.ip("node", f"addr add {GATEWAY[family]}/{full} dev {name}{NO_DAD[family]}", family=family)
            self.ip("node", f"route add {address}/{full} dev {name}", family=family)
            self.ip(pod.short, f"route add {GATEWAY[family]}/{full} dev eth0", family=family)
        self.ip(pod.short, f"route add default via {GATEWAY[family]} dev eth0", family=family)

    def add_pods(self, pods):
        """Many at once, by IPv4 alone: a machine's IPv6 neighbours are 1,024 in all its namespaces, and each interface has
        a few by itself. `ip` starts once for their namespaces, once a pod, and once for the node's ends."""
        run("ip", "-batch", "-", text_input="".join(f"netns add {self.namespace(pod.short)}\n" for pod in pods))
        self.made += [self.namespace(pod.short) for pod in pods]
        silent, at_node = [], []
        mtu, gateway = self.shape.mtu, GATEWAY[4]
        for pod in pods:
            name, address = self.interface(pod), pod.addresses[4]
            script = ["echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6", "ip -batch - <<-END", "link set lo up"]
            script += [f"link add eth0 mtu {mtu} type veth peer name {name} mtu {mtu} netns {self.namespace('node')}"]
            script += ["link set eth0 up"]
            silent += [f"echo 1 >/proc/sys/net/ipv6/conf/{name}/disable_ipv6"]
            if self.shape.is_bridge:
                script += [f"addr add {address}/{LENGTH[4]} dev eth0"]
                at_node += [f"link set {name} master cni0", f"link set {name} up"]
            else:
                script += [f"addr add {address}/32 dev eth0", f"route add {gateway}/32 dev eth0"]
                at_node += [f"link set {name} up", f"addr add {gateway}/32 dev {name}", f"route add {address}/32 dev {name}"]
            script += [f"route add default via {gateway} dev eth0", "END", ""]
            run(*self.inside(pod.short), "sh", "-e", text_input="\n".join(script))
        run(*self.inside("node"), "sh", "-e", text_input="\n".join([*silent, ""]))
        self.ip("node", *at_node)

    def remove_pod(self, pod):
        name = self.namespace(pod.short)
        run("ip", "-n", self.namespace("node"), "link", "del", self.interface(pod))
        run("ip", "netns", "del", name)
        self.made.remove(name)
