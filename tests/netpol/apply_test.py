"""How soon a policy that is applied changes what packets may do: apply_test.py KUBE_CLUSTER [APPLIES]

New connections are tried all the while, a thousand a second. A policy that admits everybody and one that admits nobody
are applied in turn, by kubectl and by plain HTTPS; the first packet with the new fate is looked for, and none that
comes after it may have the old one.
"""

import bisect
import subprocess
import sys
import threading
import time

import cluster
import frames
import rig
from case_file import ObjectName

NAME = ObjectName("NetworkPolicy", "x", "in")
MANIFEST = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{ namespace: x, name: in }}
spec: {{ podSelector: {{}}, policyTypes: [Ingress], ingress: {} }}
"""
ALLOW, DENY = MANIFEST.format("[{}]"), MANIFEST.format("[]")
APPLIES = 100
PROBE_SECONDS = 0.001
PORTS = range(1024, 65536)
QUIET_SECONDS = 0.02  # between changes, for a fate that does not last to be seen
P99_MOST_SECONDS = 0.5  # on a machine that does other things too; what it is alone is printed


class Prober(threading.Thread):
    """Opens connections from y/a to x/a, one after the other; notes when each was sent, and whether it came out."""

    def __init__(self, wire):
        super().__init__(daemon=True)
        self._wire = wire
        self._ends = cluster.addresses_of("ya")[4], cluster.addresses_of("xa")[4]
        self._stopped = threading.Event()
        self.times = []
        self.passed = []

    def run(self):
        while not self._stopped.wait(PROBE_SECONDS):
            port = PORTS[len(self.times) % len(PORTS)]
            start = time.monotonic()
            passed = self._wire.pass_through([frames.frame(*self._ends, "tcp 80", port, "open")])[0]
            self.passed.append(passed)
            self.times.append(start)  # last: a reader that goes by times finds both

    def stop(self):
        self._stopped.set()
        self.join()

    def first_with(self, fate, since):
        """When the first probe with this fate was sent, or None. Raises where a later one has the other fate."""
        start = bisect.bisect(self.times, since)
        fates = self.passed[start : len(self.times)]
        if fate not in fates:
            return None
        first = fates.index(fate)
        if (not fate) in fates[first:]:
            raise AssertionError(f"a connection {'was dropped' if fate else 'passed'} after the change was in force")
        return self.times[start + first]


def by_kubectl(api, manifest):
    command = [api.reach["kubectl"], "--kubeconfig", api.reach["kubeconfig"], "apply", "-f", "-"]
    subprocess.run(command, input=manifest, text=True, check=True, stdout=subprocess.DEVNULL, timeout=60)


def by_https(api, manifest):
    api.apply(NAME, manifest)


def wait_for(prober, fate, since):
    end = time.monotonic() + rig.SECONDS_TO_LIVE
    while (first := prober.first_with(fate, since)) is None:
        if time.monotonic() > end or not prober.is_alive():
            raise AssertionError(f"no connection {'passed' if fate else 'was dropped'} after the change")
        time.sleep(rig.POLL_SECONDS)
    return first


def measure(road, prober, apply, applies):
    """(seconds from asking to the first packet with the new fate, seconds from the answer to it) of each apply"""
    measured = []
    for _ in range(applies):
        fate = not prober.passed[-1]
        asked = time.monotonic()
        apply(road.api, ALLOW if fate else DENY)
        answered = time.monotonic()
        first = wait_for(prober, fate, asked)
        time.sleep(QUIET_SECONDS)
        prober.first_with(fate, asked)
        measured.append((first - asked, first - answered))
    return measured


def test(road):
    applies = int(sys.argv[1]) if len(sys.argv) > 1 else APPLIES
    ways = {"HTTPS": by_https}
    if road.api.reach["kubectl"]:
        ways = {"kubectl apply": by_kubectl} | ways
    else:
        print("no kubectl here: scripts/build-test-cluster.sh builds it")
    prober = Prober(road.wire)
    prober.start()
    wait_for(prober, True, 0)
    worst = 0
    try:
        print(f"{applies} changes each; ms until the first packet with the new fate (negative: before the answer)")
        print(f"{'by':<16}{'since':<12}{'p50':>8}{'p99':>8}{'most':>8}")
        for way, apply in ways.items():
            measured = measure(road, prober, apply, applies)
            for since, values in zip(("asking", "the answer"), zip(*measured)):
                figures = [rig.percentile(values, part) for part in (0.5, 0.99, 1)]
                print(f"{way:<16}{since:<12}" + "".join(f"{1000 * figure:8.1f}" for figure in figures), flush=True)
            worst = max(worst, rig.percentile([after for _, after in measured], 0.99))
    finally:
        prober.stop()
        road.api.delete(NAME)
    if worst > P99_MOST_SECONDS:
        print(f"p99 after the answer is over {P99_MOST_SECONDS} s", file=sys.stderr)
    return worst <= P99_MOST_SECONDS


if __name__ == "__main__":
    sys.exit(rig.run(test))
