"""Cases of NetworkPolicy through the whole road: cases_test.py KUBE_CLUSTER [-k NAME]...

    manifest -> kube-apiserver, etcd -> sluice-sync -> gRPC -> sluiced -> packets

One API server, one sluice-sync and one sluiced serve all cases (cases/NAME.yaml; case_file.py has their form). Each
begins and ends with a cluster without policies, where all reach all.
"""

import json
import pathlib
import sys
import unittest

import case_file
import cluster
import rig
from lab import programs
from traffic import Traffic

CASES = pathlib.Path(__file__).with_name("cases")
SHOWN = 12  # differences of a step
OPEN = {(a, b): set(case_file.KINDS) for a in case_file.HOSTS for b in case_file.HOSTS}


class Netpol(unittest.TestCase):
    """`road` and `traffic` are set before any test runs."""

    def run_case(self, path):
        self.traffic.forget()
        dropped, drops = self.road.wire.dropped, self.drops()
        self.expect(OPEN, "before the first step")
        made = set()
        for number, step in enumerate(case_file.read(path), 1):
            if step.manifest:
                self.road.change(self.road.api.apply, step.name, step.manifest)
                if step.name not in made:
                    made.add(step.name)
                    self.addCleanup(self.undo, step, made)
            else:
                self.road.change(self.road.api.delete, step.name)
                made.discard(step.name)
            if step.reached is not None:
                self.expect(step.reached, f"after step {number} ({step.name})")
            for explain in step.explains:
                self.expect_explained(explain)
        # Of those that policy denied, some belonged to connections that it cut.
        counted = self.drops()
        denied = sum(counted.pop(reason) - drops.pop(reason) for reason in ("policy_denied", "flow_cut"))
        self.assertEqual(denied, self.road.wire.dropped - dropped, "what sluiced counted, and what was dropped")
        self.assertEqual(counted, drops, "nothing was dropped for another reason")

    def undo(self, step, made):
        if step.name.kind != "NetworkPolicy":
            self.road.change(self.road.api.apply, step.name, case_file.without_labels(step.manifest))
        elif step.name in made:
            self.road.change(self.road.api.delete, step.name)

    def expect(self, reached, when):
        problems = self.traffic.look(reached)
        if problems:
            more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
            self.fail("\n  ".join([f"{when}:", *problems[:SHOWN], *more]))

    def drops(self):
        """Packets by drop reason, as sluiced counts them."""
        code, output, errors = programs.sluicectl("get", "drops", "--target", self.road.target, "-o", "json")
        self.assertEqual(code, 0, errors)
        return {drop["reason"]: drop["packets"] for drop in json.loads(output)}

    def expect_explained(self, explain):
        ends = (
            f"{host[0]}/{host[1]}" if host[0] in cluster.NAMESPACES else cluster.addresses_of(host)[4]
            for host in (explain.source, explain.destination)
        )
        words = [word for pair in zip(("--src", "--dst"), ends) for word in pair]
        words += ["--proto", explain.protocol, "--dport", explain.port]
        code, output, errors = programs.sluicectl("explain", "--target", self.road.target, *words, "-o", "json")
        self.assertEqual(code, 0, errors)
        said = json.loads(output)
        side = said[explain.direction]
        self.assertEqual(
            (said["verdict"], side.get("policy"), side.get("rule")), (explain.verdict, explain.policy, explain.rule)
        )


def test_all(road):
    Netpol.road = road
    Netpol.traffic = Traffic(road.wire, {host: cluster.addresses_of(host) for host in case_file.HOSTS})
    for path in sorted(CASES.glob("*.yaml")):
        setattr(Netpol, f"test_{path.stem}", lambda self, path=path: self.run_case(path))
    good = unittest.main(module="__main__", verbosity=2, exit=False).result.wasSuccessful()
    if road.live_seconds:
        p50, p99 = (1000 * rig.percentile(road.live_seconds, part) for part in (0.5, 0.99))
        print(f"{road.wire.sent} packets; {len(road.live_seconds)} changes, in force in {p50:.1f} ms (p99 {p99:.1f})")
    return good


if __name__ == "__main__":
    sys.exit(rig.run(test_all))
