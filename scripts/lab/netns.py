"""Network namespaces around one wire, so that every packet between two hosts crosses the filter exactly once.

    host --+                                              +-- host
    host --+-- fabric --- out ===[ left  filter  right ]=== back --- fabric --+-- host
    host --+                                              +-- host

Each host is a namespace with one link to `fabric`, a router. Whatever enters the fabric from a host, or is made by the
fabric itself, leaves it by `out`, crosses the filter, comes back by `back`, and is then routed to its destination. So
both directions of a flow cross the wire the same way, which is fine: the filter takes direction from addresses.

A second wire may join two more hosts as one segment, where they find each other by ARP and neighbour discovery:

    host ===[ left2  filter  right2 ]=== host

Everything lives in namespaces named after this process, and is gone when the topology is closed.
"""

import os
import subprocess

GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}  # what every host calls its router
PEER = {4: "169.254.1.2", 6: "fe80::2"}  # the far end of the wire, as `out` sees it
FABRIC = {4: "192.0.2.1", 6: "2001:db8:ff::1"}  # where the fabric's own ICMP errors come from
LENGTH = {4: 32, 6: 128}
NO_DAD = {4: "", 6: " nodad"}  # an address is usable at once
OUTGOING_TABLE = 100
SEGMENT_PORTS = ("left2", "right2")
SEGMENT_LENGTH = {4: 24, 6: 64}

# Frames must be on the wire what they will be at the other end: checksums filled in, no segment above the MTU.
OFFLOADS = ["tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"]


# Debian keeps `ip` and `ethtool` where only root's PATH looks.
os.environ["PATH"] += ":/usr/sbin:/sbin"


def run(*command, text_input=None):
    """Runs a command; raises with its own words if it fails."""
    done = subprocess.run(command, input=text_input, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def missing_privilege():
    """Why namespaces cannot be made here, or None."""
    name = f"sl{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    except (OSError, RuntimeError) as error:
        return str(error)
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return None


class Namespaces:
    """Network namespaces by short name. Use it as a context manager: on the way out everything that it made is gone."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.made = []

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self.made:
            subprocess.run(["ip", "netns", "del", self.made.pop()], capture_output=True)

    def namespace(self, short):
        return self.prefix + short


class Topology(Namespaces):
    def __init__(self, hosts, segment=()):
        super().__init__(f"sl{os.getpid()}-")
        self.hosts = (*hosts, *segment)
        self._routed = hosts
        self._segment = segment

    def inside(self, short):
        """The words that run a command inside the namespace of that short name."""
        return ["ip", "netns", "exec", self.namespace(short)]

    def _build(self):
        for short in ["filter", "fabric", *(host.short for host in self.hosts)]:
            run("ip", "netns", "add", self.namespace(short))
            self.made.append(self.namespace(short))
            self._ip(short, "link set lo up")
        self._set_kernel("filter", {"net/ipv6/conf/default/disable_ipv6": 1})
        self._set_kernel(
            "fabric",
            {
                "net/ipv4/ip_forward": 1,
                "net/ipv6/conf/all/forwarding": 1,
                "net/ipv4/conf/all/rp_filter": 0,
                "net/ipv4/conf/all/accept_local": 1,
                "net/ipv4/conf/default/rp_filter": 0,
                "net/ipv4/icmp_ratelimit": 0,
                "net/ipv6/icmp/ratelimit": 0,
            },
        )
        self._add_wire()
        for index, host in enumerate(self._routed):
            self._add_host(index, host)
        for host, port in zip(self._segment, SEGMENT_PORTS):
            self._add_segment_host(host, port)

    def _add_wire(self):
        self._add_link("fabric", "out", "filter", "left")
        self._add_link("filter", "right", "fabric", "back")
        back = self._mac("fabric", "back")
        for family in (4, 6):
            self._ip(
                "fabric",
                f"addr add {FABRIC[family]}/{LENGTH[family]} dev lo{NO_DAD[family]}",
                f"neigh add {PEER[family]} lladdr {back} dev out nud permanent",
                f"route add default via {PEER[family]} dev out onlink src {FABRIC[family]} table {OUTGOING_TABLE}",
                f"rule add not iif back lookup {OUTGOING_TABLE} pref 100",
                family=family,
            )

    def _add_host(self, index, host):
        port = f"host{index}"
        self._add_link("fabric", port, host.short, "eth0")
        self._ip("fabric", f"addr add {GATEWAY[4]}/32 dev {port}", f"addr add {GATEWAY[6]}/64 dev {port} nodad")
        for family in (4, 6):
            address = f"{host.addresses[family]}/{LENGTH[family]}"
            self._ip(
                host.short,
                f"addr add {address} dev eth0 noprefixroute{NO_DAD[family]}",
                f"route add default via {GATEWAY[family]} dev eth0 onlink",
                family=family,
            )
            self._ip("fabric", f"route add {address} dev {port} mtu {host.path_mtu}", family=family)

    def _add_segment_host(self, host, port):
        self._add_link(host.short, "eth0", "filter", port)
        for family in (4, 6):
            address = f"{host.addresses[family]}/{SEGMENT_LENGTH[family]}"
            self._ip(host.short, f"addr add {address} dev eth0{NO_DAD[family]}", family=family)

    def _add_link(self, left, left_port, right, right_port):
        run(
            *["ip", "-n", self.namespace(left), "link", "add", left_port, "type", "veth"],
            *["peer", "name", right_port, "netns", self.namespace(right)],
        )
        for short, port in ((left, left_port), (right, right_port)):
            run(*self.inside(short), "ethtool", "-K", port, *OFFLOADS)
            self._ip(short, f"link set {port} up")

    def _ip(self, short, *lines, family=0):
        command = ["ip", "-n", self.namespace(short), *([f"-{family}"] if family else []), "-batch", "-"]
        run(*command, text_input="\n".join(lines) + "\n")

    def _set_kernel(self, short, settings):
        script = "\n".join(f"echo {value} >/proc/sys/{key}" for key, value in settings.items())
        run(*self.inside(short), "sh", "-e", text_input=script)

    def _mac(self, short, port):
        return run(*self.inside(short), "cat", f"/sys/class/net/{port}/address").strip()
