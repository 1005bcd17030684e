"""sluicectl flows --since and --follow: what a running sluiced remembers, and what comes."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import unittest

from flow_log_test import to_host
from http_test import BIN, POLICY, Sluiced, udp_frame, wait_until


class FlowsLiveTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-flows-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "policy.yaml").write_text(POLICY)

    def start(self, frames, **config):
        (self.folder / "sluiced.yaml").write_text(json.dumps({"timeouts": {"udp": 1}, **config}))
        self.sluiced = Sluiced(self.folder, frames, "--config", str(self.folder / "sluiced.yaml"),
                               "--manifests", str(self.folder / "policy.yaml"))
        self.addCleanup(self.sluiced.__exit__, None, None, None)
        return self.sluiced.__enter__()

    def run_flows(self, *arguments):
        return subprocess.run([BIN / "sluicectl", "flows", "--target", self.sluiced.listen, *map(str, arguments)],
                              capture_output=True, text=True, timeout=120)

    def lines(self, *arguments):
        run = self.run_flows("--since", "1h", "-o", "json", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return [json.loads(line) for line in run.stdout.splitlines()]

    def wait_for_drops(self, count):
        self.assertTrue(wait_until(lambda: self.sluiced.metrics()['sluice_packets_total{verdict="drop"}'] == count))

    def test_since_has_what_ended_and_was_denied_as_a_flow_log_has_it(self):
        log = self.folder / "flows.jsonl"
        self.start([udp_frame(53)] * 3 + [udp_frame(80)] * 5, flow_logs=[{"to": f"file:{log}"}], flow_log_deny_interval=1)
        self.assertTrue(wait_until(lambda: len(self.lines()) == 2), self.lines())
        self.assertEqual(sorted(self.lines(), key=str), sorted(map(json.loads, log.read_text().splitlines()), key=str))
        deny, = self.lines("--verdict", "drop")
        self.assertEqual((deny["src"]["pod"], deny["dst"]["port"], deny["packets"], deny["egress"]["policy"], deny["egress"]["rule"]),
                         ("p", 80, 5, "a/dns", -1))
        self.assertEqual(self.lines("--not", "--port", "80", "--not", "--port", "53"), [])

    def test_a_denial_is_there_at_once_without_any_flow_log(self):
        self.start([udp_frame(80)] * 5, flow_log_deny_interval=3600)
        self.wait_for_drops(5)
        self.assertEqual([line["packets"] for line in self.lines("--type", "deny")], [5])
        self.assertEqual(self.lines("--port", "53"), [])
        rows = self.run_flows("--since", "5m").stdout.splitlines()
        self.assertEqual(len(rows), 2)
        self.assertEqual(rows[1].split()[1:], ["drop", "udp", "a/p:1000", "192.0.2.1:80", "5", "310", "a/dns", "egress", "default"])

    def test_where_memory_begins_is_said_where_it_is_later_than_asked(self):
        self.start([to_host(number, 80) for number in range(500)], flow_history=100)
        self.wait_for_drops(500)
        run = self.run_flows("--since", "1h", "-o", "json")
        self.assertEqual(len(run.stdout.splitlines()), 100)
        self.assertRegex(run.stderr, r"^\.\.\. what sluiced remembers begins at \d{4}-\d\d-\d\dT[\d:.]+Z\n$")
        self.assertEqual(self.run_flows("--since", "2100-01-01T00:00:00Z", "-o", "json").stdout, "")

    def test_follow_shows_what_comes_and_ends_with_its_reader_or_limit(self):
        self.start([udp_frame(80)] * 3, flow_log_deny_interval=3600, timeouts={"udp": 2})
        self.wait_for_drops(3)
        command = [BIN / "sluicectl", "flows", "--target", self.sluiced.listen, "--since", "1h", "--follow", "-o", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            killer = threading.Timer(100, process.kill)
            killer.start()
            self.assertEqual(json.loads(process.stdout.readline())["packets"], 3)
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            killer.cancel()
        run = self.run_flows("--since", "1h", "--follow", "--limit", "1", "-o", "json")
        self.assertEqual((run.returncode, len(run.stdout.splitlines())), (0, 1), run.stderr)

    def test_a_flow_that_ends_is_shown_to_those_who_follow(self):
        self.start([udp_frame(53)] * 4, timeouts={"udp": 3})
        run = self.run_flows("--since", "1h", "--follow", "--limit", "1", "-o", "json")
        self.assertEqual(run.returncode, 0, run.stderr)
        line = json.loads(run.stdout)
        self.assertEqual((line["type"], line["packets"], line["cause"]), ("end", 4, "expired"))

    def test_what_cannot_be_is_refused_with_its_reason(self):
        self.start([], flow_history=0)
        for arguments, told in (
                (("--since", "yesterday"), "--since 'yesterday' wants 90s, 5m, 2h, 7d, or a time such as 2026-11-30T03:25:27Z"),
                (("--since", "5"), "--since '5' wants"),
                (("--since", "-5m"), "--since"),
                (("--since", "5m", "--input", "x"), "wants --input FILE, or --follow and --since TIME"),
                (("--since", "5m", "--port", "x"), "--port 'x' wants a port"),
                (("--since", "5m"), "sluiced keeps no flows that ended: its key flow_history is 0")):
            with self.subTest(arguments):
                run = self.run_flows(*arguments)
                self.assertEqual(run.returncode, 2)
                self.assertIn(told, run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
