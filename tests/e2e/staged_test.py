"""Staged policies of a running sluiced: a shop whose new policy would break one path, and a pod that is silent.

Policy is tried from a folder, looked at, and promoted; what is broken there, or edited, or restarted, does no harm.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from http_test import BIN, Sluiced, wait_until
from schema import check

SHOP = """
apiVersion: v1
kind: Pod
metadata:
  name: web-6d4cf56db6-x2x7z
  namespace: shop
  labels: {app: web, pod-template-hash: 6d4cf56db6}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-6d4cf56db6, uid: a, controller: true}]
status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: api-0
  namespace: shop
  labels: {app: api}
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: api, uid: b, controller: true}]
status: {phase: Running, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: database, namespace: shop, labels: {app: database}}
status: {phase: Running, podIPs: [{ip: 10.0.0.3}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: report-29012345-abcde
  namespace: shop
  labels: {app: report}
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: report-29012345, uid: c, controller: true}]
status: {phase: Running, podIPs: [{ip: 10.0.0.4}]}
"""

# The page that web asks of the database by itself, once an hour, was forgotten.
STAGED = """
apiVersion: policy.sluice.internal/v1alpha1
kind: StagedNetworkPolicy
metadata: {name: database, namespace: shop}
spec:
  podSelector: {matchLabels: {app: database}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{protocol: UDP, port: 5432}]
"""

# What all pods would be forbidden, whatever their namespaces say.
GUARD = """
apiVersion: policy.sluice.internal/v1alpha1
kind: StagedClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 7
  subject: {pods: {podSelector: {matchLabels: {app: database}}}}
  ingress:
  - name: no web
    action: Deny
    from: [{pods: {podSelector: {matchLabels: {app: web}}}}]
    protocols: [{udp: {destinationPort: {number: 5432}}}]
"""

WITH_WEB = STAGED.replace("    ports:", "    - podSelector: {matchLabels: {app: web}}\n    ports:").replace(
    "from: [{podSelector: {matchLabels: {app: api}}}]", "from:\n    - podSelector: {matchLabels: {app: api}}")


def frame(source, destination, port, source_port=1000):
    udp = struct.pack("!HHHH", source_port, port, 28, 0) + bytes(20)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                     bytes([10, 0, 0, source]), bytes([10, 0, 0, destination]))
    return bytes(12) + b"\x08\x00" + ip + udp


class StagedTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-staged-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "shop.yaml").write_text(SHOP)
        self.staged = self.folder / "staged"
        self.staged.mkdir()
        (self.folder / "sluiced.yaml").write_text(json.dumps({"timeouts": {"udp": 300}}))

    def start(self, frames, *arguments):
        self.sluiced = Sluiced(self.folder, frames, "--manifests", str(self.folder / "shop.yaml"), "--staged",
                               str(self.staged), "--config", str(self.folder / "sluiced.yaml"), *arguments)
        self.addCleanup(self.sluiced.__exit__, None, None, None)
        return self.sluiced.__enter__()

    def run_staged(self, *arguments):
        return subprocess.run([BIN / "sluicectl", "staged", "--target", self.sluiced.listen, *map(str, arguments)],
                              capture_output=True, text=True, timeout=120)

    def run_sluicectl(self, *arguments):
        return subprocess.run([BIN / "sluicectl", *arguments, "--target", self.sluiced.listen], capture_output=True,
                              text=True, timeout=120)

    def run_promote(self):
        return subprocess.run([BIN / "sluicectl", "staged", "promote", self.staged], capture_output=True, text=True,
                              timeout=120)

    def shown(self):
        """What `sluicectl staged -o json` says; None while nothing is staged."""
        run = self.run_staged("-o", "json")
        if run.returncode == 2:
            return None
        value = json.loads(run.stdout)
        self.assertEqual(check.problems("staged", value), [])
        return value

    def wait_for(self, holds):
        """The first answer that holds."""
        last = [None]

        def asked():
            last[0] = self.shown()
            return last[0] is not None and holds(last[0])

        self.assertTrue(wait_until(asked), (last[0], self.sluiced.log_text()))
        return last[0]

    def forwarded(self):
        return self.sluiced.metrics()['sluice_packets_total{verdict="forward"}']

    def test_the_forgotten_path_and_the_silent_pod_are_named_and_nothing_is_cut(self):
        (self.staged / "database.yaml").write_text(STAGED)
        self.start([frame(1, 2, 80), *[frame(1, 3, 5432)] * 4, frame(2, 3, 5432)])
        shown = self.wait_for(lambda value: value["judged"] == 3 and any(row["packets"] == 4 for row in value["would_deny"]))
        row, = shown["would_deny"]
        self.assertEqual((row["src"]["pod"], row["src"]["workload"], row["dst"]["pod"], row["proto"], row["dport"]),
                         ("web-6d4cf56db6-x2x7z", "Deployment/web", "database", "udp", 5432))
        self.assertEqual((row["connections"], row["packets"], row["in_force"]), (1, 4, {}))
        self.assertEqual((row["staged"]["ingress"]["policy"], row["staged"]["ingress"]["rule"]), ("shop/database", -1))
        self.assertEqual(shown["would_allow"], [])
        self.assertEqual([(pod["pod"], pod["workload"]) for pod in shown["silent"]],
                         [("report-29012345-abcde", "CronJob/report")])
        self.assertEqual(self.forwarded(), 6)
        metrics = self.sluiced.metrics()
        self.assertEqual((metrics["sluice_staged_would_deny_connections"], metrics["sluice_staged_silent_pods"]), (1, 1))
        status = json.loads(self.run_sluicectl("status", "-o", "json").stdout)
        self.assertEqual(check.problems("status", status), [])
        staged = status["staged"]
        self.assertEqual((staged["policies"], staged["since"], staged["judged"], staged["would_deny"], staged["would_allow"],
                          staged["pods"], staged["silent"], staged["refused"]), (1, shown["since"], 3, 1, 0, 4, 1, ""))
        self.assertRegex(self.run_sluicectl("status").stdout,
                         r"staged +1 policy, judged by since .* ago: 1 connection would be denied, 0 denied packets allowed, "
                         r"1 of 4 pods silent\n")
        policies = self.run_sluicectl("get", "policies")
        self.assertEqual((policies.returncode, policies.stderr),
                         (0, "No policies found.\nnote: staged and not in force: shop/database (sluicectl staged)\n"))
        run = self.run_staged()
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertRegex(run.stdout, r"shop/Deployment/web +shop/database +udp/5432 +no policy +shop/database ingress default ")
        self.assertIn("1 of 4 pods took part in no connection in this time", run.stdout)
        self.assertIn("  shop/CronJob/report (1 pod)\n", run.stdout)

    def test_a_live_flow_counts_from_when_something_is_staged_and_a_mended_policy_begins_anew(self):
        self.start([*[frame(1, 3, 5432)] * 4, frame(2, 3, 5432)])
        self.assertTrue(wait_until(lambda: self.forwarded() == 5))
        run = self.run_staged()
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("nothing is staged", run.stderr)
        (self.staged / "database.yaml").write_text(STAGED)
        first = self.wait_for(lambda value: value["would_deny"])
        self.assertEqual(len(first["would_deny"]), 1)
        (self.staged / "database.yaml").write_text(WITH_WEB)
        mended = self.wait_for(lambda value: value["since"] != first["since"] and value["judged"] == 2)
        self.assertEqual(mended["would_deny"], [])
        run = self.run_staged()
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("nothing that was seen would be denied", run.stdout)
        (self.staged / "database.yaml").unlink()
        self.assertTrue(wait_until(lambda: self.shown() is None))

    def test_what_is_denied_and_would_be_allowed_is_told_and_promoted(self):
        policy = STAGED.replace("policy.sluice.internal/v1alpha1", "networking.k8s.io/v1").replace("Staged", "")
        (self.folder / "shop.yaml").write_text(SHOP + "---" + policy)
        (self.staged / "delete.yaml").write_text(
            "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedNetworkPolicy\n"
            "metadata: {name: database, namespace: shop}\nspec: {action: Delete}\n")
        self.start([frame(1, 3, 5432)] * 3)
        shown = self.wait_for(lambda value: value["would_allow"])
        row, = shown["would_allow"]
        self.assertEqual((row["connections"], row["packets"], row["in_force"]["ingress"]["policy"]), (3, 3, "shop/database"))
        self.assertEqual((self.run_staged().returncode, self.forwarded()), (0, 0))
        run = subprocess.run([BIN / "sluicectl", "staged", "promote", self.staged], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout),
                         (0, "# to be deleted: kubectl delete networkpolicy -n shop database\n"), run.stderr)

    def test_a_staged_cluster_policy_is_judged_by_its_tier_and_promoted(self):
        (self.staged / "guard.yaml").write_text(GUARD)
        self.start([*[frame(1, 3, 5432)] * 4, frame(2, 3, 5432)])
        shown = self.wait_for(lambda value: value["judged"] == 2 and value["would_deny"])
        self.assertEqual(shown["policies"], [{"policy": "guard", "action": "set"}])
        row, = shown["would_deny"]
        self.assertEqual(row["src"]["workload"], "Deployment/web")
        ingress = row["staged"]["ingress"]
        self.assertEqual((ingress["policy"], ingress["tier"], ingress["rule"], ingress["rule_name"]),
                         ("guard", "Admin", 0, "no web"))
        self.assertEqual(self.forwarded(), 5)
        promoted = self.folder / "promoted.yaml"
        run = self.run_promote()
        promoted.write_text(run.stdout)
        told = subprocess.run([BIN / "sluicectl", "explain", "--manifests", self.folder / "shop.yaml", promoted, "--src",
                               "shop/web-6d4cf56db6-x2x7z", "--dst", "shop/database", "--proto", "udp", "--dport", "5432"],
                              capture_output=True, text=True)
        self.assertIn("guard", told.stdout, (run, told))
        (self.staged / "guard.yaml").write_text(GUARD.replace("spec:", "spec:\n  action: Delete"))
        self.wait_for(lambda value: value["since"] != shown["since"] and value["judged"] == 2 and not value["would_deny"])
        self.assertEqual(self.run_promote().stdout, "# to be deleted: kubectl delete clusternetworkpolicy guard\n")
        (self.staged / "guard.yaml").write_text(GUARD.replace("tier: Admin", "tier: Amdin"))
        self.assertTrue(wait_until(lambda: 'spec.tier: must be Admin or Baseline, is "Amdin"' in self.sluiced.log_text()),
                        self.sluiced.log_text())

    def test_of_a_policy_that_is_staged_in_two_places_the_folder_counts_and_the_log_says_so(self):
        (self.folder / "shop.yaml").write_text(SHOP + "---" + WITH_WEB)
        (self.staged / "database.yaml").write_text(STAGED)
        self.start([*[frame(1, 3, 5432)] * 2])
        self.wait_for(lambda value: value["would_deny"])
        self.assertIn("NetworkPolicy shop/database: is staged in two places: that of a folder of staged policies (--staged) "
                      "counts, and not that of an object of its kind; take one of them away", self.sluiced.log_text())
        (self.staged / "database.yaml").unlink()
        self.wait_for(lambda value: value["judged"] == 1 and not value["would_deny"])

    def test_promote_writes_the_policy_that_was_staged(self):
        (self.staged / "database.yaml").write_text(STAGED)
        run = subprocess.run([BIN / "sluicectl", "staged", "promote", self.staged], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        (self.folder / "promoted.yaml").write_text(run.stdout)
        (self.folder / "plain.yaml").write_text(
            STAGED.replace("policy.sluice.internal/v1alpha1", "networking.k8s.io/v1").replace("Staged", ""))
        shop = self.folder / "shop.yaml"
        same = subprocess.run([BIN / "sluicectl", "verify", "--manifests", shop, self.folder / "promoted.yaml"],
                              capture_output=True, text=True)
        self.assertEqual(same.returncode, 0, same.stderr)
        for flow in ("web", "api"):
            pod = {"web": "web-6d4cf56db6-x2x7z", "api": "api-0"}[flow]
            told = [subprocess.run([BIN / "sluicectl", "explain", "--manifests", shop, file, "--src", f"shop/{pod}", "--dst",
                                    "shop/database", "--proto", "udp", "--dport", "5432", "-o", "json"],
                                   capture_output=True, text=True).stdout
                    for file in (self.folder / "promoted.yaml", self.folder / "plain.yaml")]
            self.assertEqual(told[0], told[1])
            self.assertTrue(told[0])

    def test_a_broken_staged_file_is_reported_with_its_line_and_changes_nothing(self):
        (self.staged / "database.yaml").write_text(STAGED)
        self.start([*[frame(1, 3, 5432)] * 2])
        before = self.wait_for(lambda value: value["would_deny"])
        (self.staged / "database.yaml").write_text(STAGED.replace("podSelector: {matchLabels: {app: api}}", "podSelectr: {}"))
        self.assertTrue(wait_until(lambda: "podSelectr" in self.sluiced.log_text()), self.sluiced.log_text())
        self.assertRegex(self.sluiced.log_text(), r"database\.yaml:9: StagedNetworkPolicy shop/database: "
                                                  r"spec\.ingress\[0\]\.from\[0\]\.podSelectr: ")
        (self.staged / "other.yaml").write_text("kind: StagedNetworkPolicy\nspec: {action: Replace}\n")
        self.assertTrue(wait_until(lambda: "other.yaml:1: " in self.sluiced.log_text()), self.sluiced.log_text())
        after = self.shown()
        self.assertEqual((after["since"], after["would_deny"]), (before["since"], before["would_deny"]))
        self.assertEqual(self.sluiced.metrics()["sluice_policy_refused"], 0)

    def test_what_was_seen_outlives_a_restart(self):
        (self.staged / "database.yaml").write_text(STAGED)
        state = ("--state", str(self.folder / "state"), "--run", str(self.folder / "run"))
        for name in ("state", "run"):
            (self.folder / name).mkdir()
        self.start([*[frame(1, 3, 5432)] * 2], *state)
        before = self.wait_for(lambda value: value["would_deny"] and value["would_deny"][0]["packets"] == 2)
        self.sluiced.__exit__()
        self.start([frame(2, 3, 5432)], *state)
        after = self.wait_for(lambda value: value["judged"] == 2)
        self.assertEqual((after["since"], after["would_deny"]), (before["since"], before["would_deny"]))
        self.assertEqual(sorted(pod["pod"] for pod in after["silent"]), ["report-29012345-abcde"])

    def test_a_sender_stages_by_grpc_and_the_state_file_keeps_it(self):
        """For all pods, and for those of a node."""
        (self.folder / "shop.yaml").write_text(SHOP.replace("\nstatus:", "\nspec: {nodeName: n1}\nstatus:"))
        for node in ((), ("--node", "n1")):
            with self.subTest(node=node):
                folder = self.folder / f"pushed{len(node)}"
                (folder / "state").mkdir(parents=True)
                (folder / "run").mkdir()
                (self.staged / "database.yaml").write_text(STAGED)
                state = ("--state", str(folder / "state"), "--run", str(folder / "run"))
                self.sluiced = Sluiced(folder, [], *state).__enter__()
                self.addCleanup(self.sluiced.__exit__, None, None, None)
                with open(folder / "sync.log", "w") as log:
                    sync = subprocess.Popen([BIN / "sluice-sync", "--manifests", str(self.folder / "shop.yaml"), "--staged",
                                             str(self.staged), "--target", self.sluiced.listen, *node], stderr=log)
                try:
                    shown = self.wait_for(lambda value: value["policies"])
                    self.assertEqual(shown["policies"], [{"policy": "shop/database", "action": "set"}])
                    self.assertEqual(len(shown["silent"]), 4)
                    (self.staged / "database.yaml").write_text(STAGED.replace("spec:", "spec:\n  action: Delete", 1))
                    self.wait_for(lambda value: value["since"] != shown["since"])
                    (self.staged / "database.yaml").write_text(STAGED)
                    again = self.wait_for(lambda value: value["policies"] == shown["policies"])
                finally:
                    sync.terminate()
                    sync.wait(20)
                self.sluiced.__exit__()
                self.sluiced = Sluiced(folder, [], *state).__enter__()
                self.addCleanup(self.sluiced.__exit__, None, None, None)
                kept = self.wait_for(lambda value: value["policies"])
                self.assertEqual(kept["policies"], again["policies"])

    def test_suggest_takes_what_ended_from_memory_and_what_it_writes_breaks_nothing(self):
        (self.folder / "sluiced.yaml").write_text(json.dumps({"timeouts": {"udp": 1}}))
        self.start([*[frame(1, 2, 80)] * 2, frame(2, 3, 5432)])
        self.assertTrue(wait_until(lambda: self.sluiced.metrics()["sluice_flows_expired_total"] == 2))
        run = subprocess.run([BIN / "sluicectl", "suggest", "-n", "shop", "--target", self.sluiced.listen, "--since", "1h"],
                             capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        for line in ("# Workload web (Deployment/web), 1 pod.", "# Workload api (StatefulSet/api), 1 pod.",
                     "  # 1 connection with shop/database", "    - {protocol: UDP, port: 5432}"):
            self.assertIn(line + "\n", run.stdout)
        self.assertIn("workload report (1 pod) had no connection that was seen", run.stderr)

    def test_staged_without_manifests_is_refused_with_the_remedy(self):
        run = subprocess.run([BIN / "sluiced", "--no-huge", "--wire", "null,null", "--staged", str(self.staged)],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 2)
        self.assertIn("sluice-sync --staged", run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
