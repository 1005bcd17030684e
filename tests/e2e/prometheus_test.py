"""The alert rules and the dashboards, tried: by promtool, and by a real Prometheus that scrapes sluiced and sluice-sync."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from http_test import BIN, POLICY, Sluiced, free_port, udp_frame, wait_until

SOURCE = pathlib.Path(__file__).resolve().parents[2]
RULES = SOURCE / "deploy/prometheus/rules.yaml"
DASHBOARDS = sorted((SOURCE / "deploy/grafana").glob("*.json"))
# What a panel may show nothing of, as long as it does not happen.
MAY_BE_EMPTY = ("sluice_sync_refused_objects_total",)
SKIPPED = 77


class RulesTest(unittest.TestCase):
    def run_promtool(self, *arguments):
        run = subprocess.run(["promtool", *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    def test_prometheus_takes_the_rules_and_each_alert_fires_when_it_should(self):
        self.run_promtool("check", "rules", "rules.yaml")
        self.run_promtool("test", "rules", "rules_test.yaml")

    def test_the_tests_of_the_rules_know_every_alert(self):
        alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
        self.assertGreater(len(alerts), 20)
        tested = (RULES.parent / "rules_test.yaml").read_text()
        self.assertEqual([alert for alert in alerts if f'alertname="{alert}"' not in tested], [])

    def test_each_alert_names_a_row_of_the_document(self):
        alarms = (SOURCE / "docs/operating.md").read_text().split("\n## Alarms\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| ([^|]+?) \|", alarms, re.MULTILINE)
        for row in re.findall(r"^ +row: (.+)$", RULES.read_text(), re.MULTILINE):
            self.assertIn(row, rows)

    def test_metrics_that_rules_and_dashboards_name_are_documented(self):
        text = RULES.read_text() + "".join(path.read_text() for path in DASHBOARDS)
        documents = (SOURCE / "docs/metrics.md").read_text() + (SOURCE / "docs/tools.md").read_text()
        for metric in sorted(set(re.findall(r"\bsluice_[a-z_]+", text))):
            name = re.sub(r"_(bucket|sum|count)$", "", metric)
            self.assertRegex(documents, rf"`{name}(\{{[a-z,]+\}})?`", "is in neither document")


class DashboardTest(unittest.TestCase):
    """Every query of every panel gets an answer."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="sluice-prometheus-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        (cls.folder / "policy.yaml").write_text(POLICY)
        # Policy first, kept for the next start: then packets meet it, and a sender stands beside them.
        kept = ("--state", str(cls.folder / "state"), "--run", str(cls.folder / "run"))
        with Sluiced(cls.folder, [], *kept) as first:
            with cls.sync(first):
                assert wait_until(lambda: first.metrics()["sluice_policy_in_force"] == 1), first.log_text()
        # Of DNS there are metrics where a resolver is trusted.
        (cls.folder / "dns.yaml").write_text("dns: {resolvers: [192.0.2.53]}\n")
        cls.sluiced = cls.stack.enter_context(Sluiced(cls.folder, [udp_frame(53)] * 3 + [udp_frame(80)] * 2, *kept,
                                                      "--config", str(cls.folder / "dns.yaml")))
        cls.sync_port = free_port()
        cls.stack.enter_context(cls.sync(cls.sluiced, "--http", f"127.0.0.1:{cls.sync_port}"))
        cls.port = free_port()
        (cls.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "sluice", "static_configs": [
                {"targets": [f"127.0.0.1:{cls.sluiced.port}", f"127.0.0.1:{cls.sync_port}"]}]}]}))
        cls.stack.enter_context(cls.program("prometheus", "prometheus", f"--config.file={cls.folder}/prometheus.yml",
                        f"--storage.tsdb.path={cls.folder}/tsdb", f"--web.listen-address=127.0.0.1:{cls.port}"))

    @classmethod
    def sync(cls, sluiced, *arguments):
        return cls.program("sluice-sync", BIN / "sluice-sync", "--manifests", cls.folder / "policy.yaml", "--target",
                           sluiced.listen, *arguments)

    @classmethod
    @contextlib.contextmanager
    def program(cls, name, *command):
        with open(cls.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
            try:
                yield
                process.send_signal(signal.SIGTERM)
                process.wait(30)
            finally:
                process.kill()
                process.wait()

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def result(self, expression):
        try:
            return self.ask("query", query=expression)["result"]
        except OSError:  # it starts
            return []

    def test_each_query_of_each_panel_is_answered(self):
        self.assertEqual(len(DASHBOARDS), 3)
        # A rate wants two scrapes at least.
        settled = 'count(rate(sluice_sync_in_step[1m])) and count(rate(sluice_policy_packets_total[1m]))'
        self.assertTrue(wait_until(lambda: self.result(settled)), (self.folder / "prometheus.log").read_text())
        for path in DASHBOARDS:
            dashboard = json.loads(path.read_text())
            self.assertTrue(dashboard["panels"])
            for panel in dashboard["panels"]:
                for target in panel["targets"]:
                    expression = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
                    with self.subTest(dashboard=path.name, panel=panel["title"], expression=expression):
                        self.assertNotIn("$", expression)
                        answered = wait_until(lambda: self.result(expression), 10)
                        if not any(metric in expression for metric in MAY_BE_EMPTY):
                            self.assertTrue(answered)

    def test_the_rules_are_loaded_and_none_is_broken(self):
        self.assertTrue(wait_until(lambda: self.result("up")))
        self.assertTrue(wait_until(lambda: all(
            rule["health"] == "ok" for group in self.ask("rules")["groups"] for rule in group["rules"])))

    def test_both_programs_are_up(self):
        self.assertTrue(wait_until(lambda: len(self.result("up == 1")) == 2), self.result("up"))


if __name__ == "__main__":
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        print("skipped: no prometheus here (package prometheus)")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
