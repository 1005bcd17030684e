"""A pod, a real resolver (unbound or CoreDNS) and servers around a running sluiced, each in a network namespace.

    shop/client ---+                        +--- kube-system/dns: the resolver, which has the zone example.com
                   +--- fabric, filter -----+--- web: what the names lead to
                   |                        +--- other: says that it is a resolver, and is none that is trusted
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from lab import hosts, netns, programs
from lab.agents import Agents

SKIPPED = 77

CLIENT = hosts.Host("shop/client", {4: "10.244.1.10", 6: "fd00:244:1::10"})
DNS = hosts.Host("kube-system/dns", {4: "10.244.1.53", 6: "fd00:244:1::53"})
OTHER = hosts.Host("other", {4: "192.0.2.53", 6: "2001:db8:53::53"})
WEB = hosts.Host("web", {4: "203.0.113.9", 6: "2001:db8:113::9"})

PODS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}
---
apiVersion: v1
kind: Namespace
metadata: {name: kube-system, labels: {kubernetes.io/metadata.name: kube-system}}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
status: {phase: Running, podIPs: [{ip: 10.244.1.10}, {ip: "fd00:244:1::10"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns, tier: dns}}
status: {phase: Running, podIPs: [{ip: 10.244.1.53}, {ip: "fd00:244:1::53"}]}
"""

# The client may ask whoever it likes; what else it may do, tests say.
ASKS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: client, namespace: shop}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress:
  - ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
"""

# Each name has an address of its own, so that no test opens what another one asks for.
ONE, ZERO, SECOND, CHAIN, MOVED, WILD, BY_ADDRESS, ROTATING, ROTATED = (f"203.0.113.{i}" for i in range(20, 29))
PAGES = (ONE, ZERO, SECOND, CHAIN, MOVED, WILD, BY_ADDRESS, ROTATING, ROTATED)  # of the web server, beside its own

ZONE = f"""
@ 3600 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 5
@ 3600 IN NS ns.example.com.
ns 3600 IN A 10.244.1.53
one 300 IN A {ONE}
zero 0 IN A {ZERO}
second 1 IN A {SECOND}
six 300 IN AAAA 2001:db8:113::9
rotating 1 IN A {ROTATING}
rotating 1 IN A {ROTATED}
chain 300 IN CNAME link1
link1 200 IN CNAME link2
link2 100 IN A {CHAIN}
moved 300 IN DNAME here
www.here 300 IN A {MOVED}
by-address 300 IN A {BY_ADDRESS}
*.wild 300 IN A {WILD}
""" + "".join(f"many 300 IN A 203.0.{113 + i // 250}.{1 + i % 250}\n" for i in range(400))

UNBOUND = """
server:
  interface: 0.0.0.0
  interface: ::0
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: "{folder}/unbound.pid"
  directory: "{folder}"
  logfile: ""
  use-syslog: no
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  module-config: "iterator"
  rrset-roundrobin: yes
  minimal-responses: yes
remote-control:
  control-enable: no
auth-zone:
  name: "example.com"
  zonefile: "{folder}/example.com.zone"
  for-downstream: yes
  for-upstream: yes
"""

HTTP = "127.0.0.1:9465"  # in the filter's namespace
METRICS = {
    "queries": "sluice_dns_queries_total",
    "held": "sluice_dns_held_total",
    "ran_out": 'sluice_dns_unheld_total{cause="ran_out"}',
    "no_room": 'sluice_dns_unheld_total{cause="no_room"}',
    "waiting": "sluice_dns_waiting",
    "lost_queries": 'sluice_dns_unread_total{what="query"}',
    "lost_streams": 'sluice_dns_unread_total{what="stream"}',
    "denied": 'sluice_drops_total{reason="policy_denied"}',
    "judged_again": "sluice_flows_judged_again_total",
    "cut": "sluice_flows_cut_total",
    "addresses": "sluice_name_addresses",
}

# A query by hand, from inside a namespace: sent again every five seconds, until something comes back or time is over.
ASK_ONCE = """
import socket, sys, time
resolver, port, seconds, message = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), bytes.fromhex(sys.argv[4])
with socket.socket(socket.AF_INET6 if ":" in resolver else socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.bind(("", port))
    asking.settimeout(min(seconds, 5))
    end = time.monotonic() + seconds
    came = None
    while came is None and time.monotonic() < end:
        asking.sendto(message, (resolver, 53))
        try:
            came = asking.recvfrom(65536)[0].hex()
        except OSError:
            pass
    print(came or "nothing")
"""

# Many names, each once: asks with up to 64 on their way. What is on its way when nothing comes for a second is lost.
ASK_MANY = """
import select, socket, struct, sys, time
resolver, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.connect((resolver, 53))
sent = answered = lost = 0
while answered + lost < count:
    while sent < count and sent - answered - lost < 64:
        name = b"n%d" % (first + sent)
        asking.send(struct.pack("!HHHHHH", sent & 0xffff, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name +
                    b"\\x07example\\x03com\\0\\0\\1\\0\\1")
        sent += 1
    if select.select([asking], [], [], 1)[0]:
        asking.recv(65536)
        answered += 1
    else:
        lost = sent - answered
print(sent, answered)
"""


def query(name, number=1, kind=1):
    """The bytes of a query for a name's addresses."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def bytes_of(address):
    """As they stand in a message, in hexadecimal."""
    return socket.inet_aton(address).hex()


def answer(name, address, number=1, ttl=300):
    """The bytes of an answer with one address."""
    asked = query(name, number)
    return (struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0) + asked[12:] + b"\xc0\x0c" +
            struct.pack("!HHIH", 1, 1, ttl, 4) + socket.inet_aton(address))


class Resolver:
    """A context manager that has answered a query when it is entered."""

    def __init__(self, topology, folder):
        self.topology = topology
        self.folder = pathlib.Path(folder)

    def __enter__(self):
        (self.folder / "example.com.zone").write_text(ZONE)
        self.log = (self.folder / "resolver.log").open("w")
        self.process = subprocess.Popen([*self.topology.inside("dns"), *self.command()], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            asked = subprocess.run([*self.topology.inside("dns"), sys.executable, "-c", ASK_ONCE, "127.0.0.1", "0", "1",
                                    query("ns.example.com").hex()], capture_output=True, text=True, timeout=60)
            if asked.returncode == 0 and "nothing" not in asked.stdout:
                return self
            time.sleep(0.1)
        words = (self.folder / "resolver.log").read_text()
        self.__exit__()
        raise RuntimeError(f"{self.name} does not answer:\n{words}")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Unbound(Resolver):
    name = "unbound"

    def command(self):
        config = self.folder / "unbound.conf"
        config.write_text(UNBOUND.format(folder=self.folder))
        return "unbound", "-d", "-c", config


class CoreDns(Resolver):
    """As clusters have it, with the plugins `file` and `loadbalance` alone."""

    name = "CoreDNS"

    def command(self):
        config = self.folder / "Corefile"
        config.write_text(f"example.com {{\n  loadbalance round_robin\n  file {self.folder}/example.com.zone\n}}\n")
        return coredns(), "-conf", config


def coredns():
    """As scripts/build-test-cluster.sh finds or builds it; None: nowhere."""
    cluster = pathlib.Path(__file__).resolve().parents[1] / "kube/cluster/kubernetes/go.mod"
    version = re.search(r"^\tk8s.io/kubernetes v(.*)$", cluster.read_text(), re.M)[1]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    built = cache / "sluice" / f"kube-{version}" / "coredns"
    return os.environ.get("SLUICE_COREDNS") or shutil.which("coredns") or (built if os.access(built, os.X_OK) else None)


class DnsTest(unittest.TestCase):
    """One topology and resolver for all tests of a class, and a sluiced for each test."""

    manifests_text = PODS + "---" + ASKS
    resolver = Unbound

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.folder = pathlib.Path(cls.stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-dns-")))
        cls.topology = cls.stack.enter_context(netns.Topology((CLIENT, DNS, OTHER, WEB)))
        cls.agents = cls.stack.enter_context(Agents(cls.topology))
        cls.stack.enter_context(cls.resolver(cls.topology, cls.folder))
        cls.serve_pages()
        # `ip netns exec` shows this file as /etc/resolv.conf.
        own = pathlib.Path("/etc/netns") / cls.topology.namespace("client")
        own.mkdir(parents=True)
        cls.stack.callback(shutil.rmtree, own)
        (own / "resolv.conf").write_text(f"nameserver {DNS.addresses[4]}\noptions timeout:5 attempts:3\n")

    @classmethod
    def serve_pages(cls):
        port = f"host{cls.topology.hosts.index(WEB)}"
        for address in PAGES:
            netns.run("ip", "-n", cls.topology.namespace("web"), "addr", "add", f"{address}/32", "dev", "eth0")
            netns.run("ip", "-n", cls.topology.namespace("fabric"), "route", "add", f"{address}/32", "dev", port)
        server = subprocess.Popen([*cls.topology.inside("web"), sys.executable, "-m", "http.server", "--bind", "::", "80"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  cwd=cls.folder, start_new_session=True)
        cls.stack.callback(server.wait)
        cls.stack.callback(server.kill)
        probe = "import socket; socket.create_connection(('127.0.0.1', 80), 5).close()"
        deadline = time.monotonic() + 60
        while subprocess.run([*cls.topology.inside("web"), sys.executable, "-c", probe], capture_output=True).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("the web server does not answer")
            time.sleep(0.1)

    def setUp(self):
        self.manifests = self.folder / "manifests.yaml"
        self.manifests.write_text(self.manifests_text)
        self.start()

    def start(self, dns=None, extra=()):
        config = self.folder / "sluiced.yaml"
        config.write_text(json.dumps({"dns": dns or {"resolvers": ["kube-system/k8s-app=kube-dns,tier=dns"]},
                                      "timeouts": {"udp": 300}}))
        self.daemon = programs.Daemon(self.topology, "af_packet", self.manifests, self.folder,
                                      extra=("--config", config, "--http", HTTP, *extra))
        self.daemon.__enter__()
        self.addCleanup(self.daemon.__exit__)
        # Pods become trusted resolvers with the first policy, before `ready`.

    def stop(self):
        self.assertEqual(self.daemon.stop(), 0)

    def status(self):
        """What the metrics say of DNS, by short names, and the packets that policy denied."""
        text = self.inside("curl", "-sf", f"http://{HTTP}/metrics", host="filter").stdout
        values = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = int(float(value))
        shown = {short: values.get(name, 0) for short, name in METRICS.items()}
        shown.update({outcome: values[f'sluice_dns_answers_total{{outcome="{outcome}"}}']
                      for outcome in ("learnt", "unlearnt", "untrusted", "spoofed", "malformed", "truncated")})
        return shown

    def wait_for(self, holds, seconds=30):
        """The first status for which it holds; fails with the last one."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if holds(status):
                return status
            if time.monotonic() > deadline:
                self.fail(status)
            time.sleep(0.05)

    def inside(self, *command, host="client", seconds=120, check=True):
        done = subprocess.run([*self.topology.inside(host), *map(str, command)], capture_output=True, text=True,
                              timeout=seconds)
        if check:
            self.assertEqual(done.returncode, 0, (command, done.stdout, done.stderr, self.daemon.words()[-2000:]))
        return done

    def addresses(self, name, database="ahostsv4"):
        """What the C library's resolver says, sorted."""
        lines = self.inside("getent", database, name).stdout.splitlines()
        return sorted({line.split()[0] for line in lines})


def main(has_resolver=lambda: shutil.which("unbound"), remedy="needs unbound (scripts/install-deps.sh)"):
    missing = netns.missing_privilege()
    if missing:
        print(f"skipped: needs root, to make network namespaces and open packet sockets ({missing})")
        sys.exit(SKIPPED)
    if has_resolver() is None:
        in_ci = os.environ.get("CI") == "true"
        print(f"{'failed' if in_ci else 'skipped'}: {remedy}")
        sys.exit(1 if in_ci else SKIPPED)
    unittest.main(module="__main__", verbosity=2)
