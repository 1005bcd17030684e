"""Random changes through the whole road, against the reference: random_test.py KUBE_CLUSTER [STEPS [SEED]]

Each step applies and deletes policies and relabels pods at the API server, a few at once. What packets may do then is
compared with what `sluicectl check --engine reference` says of the objects that the API server lists.
"""

import json
import pathlib
import random
import sys
import tempfile
import time

import case_file
import cluster
import rig
from case_file import ObjectName
from lab import programs, quickstart
from traffic import FAMILIES, Traffic

STEPS = 40
MOST_AT_ONCE = 6
FIRST_SERIAL, LAST_SERIAL = 1000, 65535
MARKER = ObjectName("NetworkPolicy", "z", "marker")  # it selects nobody
POLICIES = [(namespace, f"p{number}") for namespace in cluster.NAMESPACES for number in range(3)]
ROLES = ("web", "db")
BLOCKS = (  # IPv4 and IPv6 of the same hosts
    ({"cidr": "10.244.1.0/24"}, {"cidr": "fd00:244:1::/64"}),
    ({"cidr": "10.244.2.11/32"}, {"cidr": "fd00:244:2::11/128"}),
    ({"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}, {"cidr": "::/0", "except": ["fd00:244::/32"]}),
    ({"cidr": "0.0.0.0/0", "except": ["10.244.3.10/32", "203.0.113.0/24"]},
     {"cidr": "::/0", "except": ["fd00:244:3::10/128", "2001:db8:113::/48"]}),
)  # fmt: skip


class Generator:
    def __init__(self, seed):
        self._random = random.Random(seed)
        self._serial = FIRST_SERIAL
        self.roles = {}  # of pods that have one
        self.policies = {}  # by namespace and name: the port that tells this version from others

    def step(self):
        """Changes: (which object, its manifest or None: delete it) each."""
        return [self._change() for _ in range(self._random.randint(1, MOST_AT_ONCE))]

    def _change(self):
        kind = self._random.choices(("apply", "delete", "relabel"), (6, 2, 3))[0]
        if kind == "delete" and self.policies:
            name = self._random.choice(sorted(self.policies))
            del self.policies[name]
            return ObjectName("NetworkPolicy", *name), None
        if kind == "relabel":
            pod = self._random.choice([host for host in case_file.HOSTS if host[0] in cluster.NAMESPACES])
            choices = [role for role in (None, *ROLES) if role != self.roles.get(pod)]
            self.roles[pod] = self._random.choice(choices)
            labels = {"role": self.roles[pod]} if self.roles[pod] else {}
            name = ObjectName("Pod", pod[0], pod[1])
            return name, cluster.to_object("v1", name, labels)[1]
        name = self._random.choice(POLICIES)
        spec = self._spec()
        self.policies[name] = self._serial
        return policy(ObjectName("NetworkPolicy", *name), spec)

    def _spec(self):
        types = self._random.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        spec = {"podSelector": self._selector("pod", "abc"), "policyTypes": types}
        for section, peers in (("ingress", "from"), ("egress", "to")):
            spec[section] = [self._rule(peers) for _ in range(self._random.randrange(3))]
        self._serial = FIRST_SERIAL if self._serial == LAST_SERIAL else self._serial + 1
        spec[types[0].lower()].append({"ports": [{"port": self._serial}]})
        return spec

    def _rule(self, peers):
        rule = {}
        if self._random.random() < 0.7:
            rule[peers] = [peer for _ in range(self._random.randint(1, 2)) for peer in self._peers()]
        if self._random.random() < 0.6:
            rule["ports"] = [self._port() for _ in range(self._random.randint(1, 2))]
        return rule

    def _peers(self):
        """One peer, or the two families of one block."""
        kind = self._random.randrange(4)
        if kind == 0:
            return [{"ipBlock": block} for block in self._random.choice(BLOCKS)]
        peer = {}
        if kind != 1:
            peer["podSelector"] = self._selector("pod", "abc")
        if kind != 2:
            peer["namespaceSelector"] = self._selector("team", "xyz")
        return [peer]

    def _port(self):
        protocol = self._random.choice(("TCP", "UDP", "SCTP"))
        port = self._random.choice((80, 81, 79, f"serve-80-{protocol.lower()}", None))
        entry = {"protocol": protocol} | ({"port": port} if port else {})
        if port == 79:
            entry["endPort"] = self._random.choice((79, 80, 81))
        return entry

    def _selector(self, key, values):
        kind = self._random.randrange(5)
        if kind == 0:
            return {}
        if kind == 1 and key == "pod":
            return {"matchLabels": {"role": self._random.choice(ROLES)}}
        if kind == 2 and key == "pod":
            return {"matchExpressions": [{"key": "role", "operator": self._random.choice(("Exists", "DoesNotExist"))}]}
        some = self._random.sample(values, self._random.randint(1, 2))
        operator = "NotIn" if kind == 3 else "In"
        return {"matchExpressions": [{"key": key, "operator": operator, "values": some}]}


def policy(name, spec):
    return name, cluster.to_object("networking.k8s.io/v1", name, {}, spec)[1]


def listed(road, what):
    code, output, errors = programs.sluicectl("get", what, "--target", road.target, "-o", "json")
    if code != 0:
        raise RuntimeError(f"sluicectl get {what}: {errors}")
    return json.loads(output)


def is_known(road, generator):
    """Whether sluiced knows each policy's last version, and no other policy, and each pod's last label."""
    versions = {(entry["policy"], entry["ports"]) for entry in listed(road, "rules")}
    wanted = {"/".join(name): f"tcp/{serial}" for name, serial in generator.policies.items()}
    others = {policy for policy, _ in versions} - {*wanted, f"{MARKER.namespace}/{MARKER.name}"}
    roles = {}
    for pod in listed(road, "endpoints"):
        roles[pod["namespace"] + pod["name"]] = pod["labels"].get("role")
    return (
        not others
        and all((name, ports) in versions for name, ports in wanted.items())
        and all(roles[pod] == role for pod, role in generator.roles.items())
    )


def apply_all(road, generator, number):
    """Makes a step's changes, and waits until all are in force."""
    for name, manifest in generator.step():
        if manifest:
            road.api.apply(name, json.dumps(manifest))
        else:
            road.api.delete(name)
    if quickstart.wait_until(lambda: is_known(road, generator), rig.SECONDS_TO_LIVE) is None:
        raise AssertionError(f"not all that step {number} changed is known after {rig.SECONDS_TO_LIVE} s")
    # What is known may be about to be published. Batches are answered in order: after the next answer it was.
    nobody = {"podSelector": {"matchLabels": {"pod": "none"}}, "ingress": [{"ports": [{"port": number + 1}]}]}
    name, manifest = policy(MARKER, nobody)
    road.change(road.api.apply, name, json.dumps(manifest))


def objects(api):
    """All that the API server has, as manifests."""
    for kind in cluster.COLLECTIONS:
        version = "networking.k8s.io/v1" if kind == "NetworkPolicy" else "v1"
        path = cluster.COLLECTIONS[kind].replace("/namespaces/{namespace}", "")
        for item in api.send("GET", path)["items"]:
            item["metadata"].pop("managedFields", None)
            yield {"apiVersion": version, "kind": kind} | item


def reference(api, folder):
    """Who reaches whom, by the reference."""
    manifests, flows = folder / "objects.json", folder / "flows.jsonl"
    manifests.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects(api))}))
    with flows.open("w") as lines:
        for source in case_file.HOSTS:
            for destination in case_file.HOSTS:
                for kind in case_file.KINDS:
                    for family in FAMILIES:
                        lines.write(json.dumps(flow(source, destination, kind, family)) + "\n")
    arguments = ("--manifests", manifests, "--flows", flows, "--engine", "reference", "-o", "json")
    code, output, errors = programs.sluicectl("check", *arguments)
    if code != 0:
        raise RuntimeError(f"sluicectl check: {errors}")
    reached = {(source, destination): set() for source in case_file.HOSTS for destination in case_file.HOSTS}
    said = {}
    for decision in map(json.loads, output.splitlines()):
        source, destination, kind, _ = decision["id"].split(",")
        allowed = decision["verdict"] == "allow"
        if said.setdefault((source, destination, kind), allowed) != allowed:
            raise AssertionError(f"{source} to {destination}, {kind}: the reference tells IPv4 and IPv6 apart")
        if allowed:
            reached[source, destination].add(kind)
    return reached


def flow(source, destination, kind, family):
    protocol, _, port = kind.partition(" ")
    protocol = "icmpv6" if protocol == "icmp" and family == 6 else protocol
    ends = {"src": cluster.addresses_of(source)[family], "dst": cluster.addresses_of(destination)[family]}
    numbers = {"dport": int(port)} if port else {}
    return {"id": f"{source},{destination},{kind},{family}", "proto": protocol} | ends | numbers


def test(road):
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    print(f"{steps} steps, seed {seed}", flush=True)
    generator = Generator(seed)
    traffic = Traffic(road.wire, {host: cluster.addresses_of(host) for host in case_file.HOSTS})
    cells = 0
    with tempfile.TemporaryDirectory(prefix="sluice-netpol-") as folder:
        for number in range(steps):
            apply_all(road, generator, number)
            reached = reference(road.api, pathlib.Path(folder))
            problems = traffic.look(reached)
            if problems:
                print(f"step {number}, seed {seed}: packets and the reference differ", file=sys.stderr)
                print("\n".join(problems), json.dumps(list(objects(road.api))), sep="\n", file=sys.stderr)
                return False
            cells += sum(map(len, reached.values()))
    share = cells / steps / len(case_file.HOSTS) ** 2 / len(case_file.KINDS)
    print(f"{road.wire.sent} packets as the reference says; {share:.0%} of all connections were allowed")
    return True


if __name__ == "__main__":
    sys.exit(rig.run(test))
