"""Pods that policy awaits (docs/semantics.md, NP-81): new_pod_test.py KUBE_CLUSTER [ROUNDS]

In namespace x, policies isolate pods labelled `role: guarded`, and admit those labelled `role: served` by TCP 80. In
each round three pods come, and frames go to and from their addresses all the while: from before there is a pod until
each of them is seen to be in force.
"""

import dataclasses
import itertools
import sys
import time

import cluster
import frames
import rig
from case_file import ObjectName

POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: x, name: guard }
spec:
  podSelector: { matchExpressions: [{ key: role, operator: In, values: [guarded, served] }] }
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: x, name: serve }
spec:
  podSelector: { matchLabels: { role: served } }
  policyTypes: [Ingress]
  ingress: [{ ports: [{ protocol: TCP, port: 80 }] }]
"""
ROUNDS = 15
SETTLED = 20  # looks after the last change of a round
IN, OUT = "to it", "from it"
KINDS = ("tcp 80", "udp 80")
PORTS = itertools.cycle(range(1024, 65536))


@dataclasses.dataclass
class NewPod:
    """A pod of a round, with what must never pass and what must pass once its address is known."""

    name: str
    labels: dict
    addresses: dict  # by family
    passes: set  # (way, kind)
    seen: set = dataclasses.field(default_factory=set)  # (way, kind, family) that passed

    def wanted(self):
        return {(way, kind, family) for way, kind in self.passes for family in self.addresses}


def pods_of(number):
    """Each has addresses that nobody had for many rounds."""
    first, block = 20 + 3 * (number % 70), number // 70
    kinds = (
        ("guarded", {"role": "guarded"}, set()),
        ("served", {"role": "served"}, {(IN, "tcp 80")}),
        ("free", {}, {(way, kind) for way in (IN, OUT) for kind in KINDS}),
    )
    for place, (name, labels, passes) in enumerate(kinds):
        addresses = {4: f"10.244.1.{first + place}", 6: f"fd00:244:1::{block:x}:{first + place:x}"}
        yield NewPod(f"{name}-{number}", labels, addresses, passes)


def look(wire, pods):
    """One new connection of each kind to and from each pod. Raises where one passes that policy denies, or fails that
    passed before."""
    peers = cluster.addresses_of("ya")
    tried = [
        (pod, way, kind, family)
        for pod in pods
        for way in (IN, OUT)
        for kind in KINDS
        for family in pod.addresses
    ]
    port = next(PORTS)
    sent = []
    for pod, way, kind, family in tried:
        ends = (peers[family], pod.addresses[family]) if way == IN else (pod.addresses[family], peers[family])
        sent.append(frames.frame(*ends, kind, port, "open"))
    for (pod, way, kind, family), passed in zip(tried, wire.pass_through(sent)):
        what = f"{pod.name}: {kind} {way} by IPv{family}"
        if passed and (way, kind) not in pod.passes:
            raise AssertionError(f"{what} passed; the policies that are there isolate the pod")
        if not passed and (way, kind, family) in pod.seen:
            raise AssertionError(f"{what} was dropped, and passed before")
        if passed:
            pod.seen.add((way, kind, family))


def come(road, pod):
    """As a kubelet lets it come: made without an address, which follows. Looks after each request."""
    name = ObjectName("Pod", "x", pod.name)
    spec = {"nodeName": "n1", "containers": [{"name": "main", "image": "none"}]}
    manifest = cluster.to_object("v1", name, pod.labels, spec)[1]
    road.api.apply(name, manifest)
    yield
    addresses = [{"ip": address} for address in pod.addresses.values()]
    road.api.set_status(name, {"phase": "Running", "podIP": addresses[0]["ip"], "podIPs": addresses})
    yield


def run_round(road, number):
    pods = list(pods_of(number))
    look(road.wire, pods)
    comings = [come(road, pod) for pod in pods]
    for steps in itertools.zip_longest(*comings):
        del steps
        look(road.wire, pods)
    end = time.monotonic() + rig.SECONDS_TO_LIVE
    while missing := [(pod.name, pod.wanted() - pod.seen) for pod in pods if pod.wanted() - pod.seen]:
        if time.monotonic() > end:
            raise AssertionError(f"never passed: {missing}")
        look(road.wire, pods)
    for _ in range(SETTLED):
        look(road.wire, pods)
    for pod in pods:
        road.api.delete(ObjectName("Pod", "x", pod.name))


def test(road):
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    for manifest, name in zip(POLICIES.split("---\n"), ("guard", "serve")):
        road.change(road.api.apply, ObjectName("NetworkPolicy", "x", name), manifest)
    for number in range(rounds):
        run_round(road, number)
    print(f"{3 * rounds} pods came, {road.wire.sent} packets: none passed that the policies there deny")
    return True


if __name__ == "__main__":
    sys.exit(rig.run(test))
