"""sluicectl flows: flow logs through its filters, and what is no flow log."""

import gzip
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["SLUICE_BIN"])


def end(number, **fields):
    line = {"time": f"2026-11-30T03:25:{number:02}.000Z", "type": "end",
            "src": {"address": "10.0.0.1", "port": 1000, "namespace": "shop", "pod": "web-0"},
            "dst": {"address": "10.0.0.2", "port": 53, "namespace": "dns", "pod": "dns-1"}, "proto": "udp", "verdict": "forward", "state": "REPLIED",
            "egress": {"verdict": "allow", "tier": "NetworkPolicy", "policy": "shop/dns", "rule": 0},
            "generation": 7, "packets": 4, "bytes": 312, "last": "2026-11-30T03:23:27.101Z", "cause": "expired"}
    line.update(fields)
    return line


def deny(number, **fields):
    line = {"time": f"2026-11-30T03:25:{number:02}.000Z", "type": "deny",
            "src": {"address": "10.0.0.1", "port": 1001, "namespace": "shop", "pod": "web-0"},
            "dst": {"address": "192.0.2.1", "port": 80}, "proto": "tcp",
            "verdict": "drop", "reason": "policy_denied",
            "egress": {"verdict": "deny", "tier": "NetworkPolicy", "policy": "shop/dns", "rule": -1},
            "generation": 7, "packets": 5, "bytes": 310}
    line.update(fields)
    return line


LINES = [
    end(0),
    deny(1),
    deny(2, src={"address": "fd00::1", "port": 1001, "namespace": "bank", "pod": "web-0"},
         dst={"address": "fd00::2", "port": 443}, verdict="reject"),
    end(3, proto=132, dst=end(0)["dst"] | {"port": 9}, cause="cut", ingress={"verdict": "allow", "tier": "Admin", "policy": "all", "rule": 3}),
    {"time": "2026-11-30T03:25:04.000Z", "type": "deny", "reason": "flow_cut", "verdict": "drop", "generation": 8,
     "packets": 9, "bytes": 900},
]


class FlowsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-flows-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.log = self.write("flows.jsonl", LINES)

    def write(self, name, lines):
        path = self.folder / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def run_flows(self, *arguments, **keys):
        return subprocess.run([BIN / "sluicectl", "flows", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, **keys)

    def chosen(self, *filters):
        """The numbers of the lines that pass."""
        run = self.run_flows("--input", self.log, "-o", "json", *filters)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return [LINES.index(json.loads(line)) for line in run.stdout.splitlines()]

    def test_each_condition_chooses_its_lines(self):
        for filters, expected in (
                ((), [0, 1, 2, 3, 4]),
                (("--pod", "web-0"), [0, 1, 2, 3]),
                (("--pod", "shop/web-0"), [0, 1, 3]),
                (("--to-pod", "dns/dns-1"), [0, 3]),
                (("--from-pod", "dns/dns-1"), []),
                (("--namespace", "dns"), [0, 3]),
                (("--from-namespace", "bank"), [2]),
                (("--to-namespace", "shop"), []),
                (("--address", "10.0.0.2"), [0, 3]),
                (("--to-address", "192.0.2.0/24"), [1]),
                (("--from-address", "fd00::/16"), [2]),
                (("--port", "53"), [0]),
                (("--proto", "tcp"), [1, 2]),
                (("--proto", "132"), [3]),
                (("--verdict", "drop"), [1, 4]),
                (("--reason", "flow_cut"), [4]),
                (("--policy", "shop/dns"), [0, 1, 2, 3]),
                (("--policy", "all"), [3]),
                (("--cause", "cut"), [3]),
                (("--type", "end"), [0, 3])):
            with self.subTest(filters):
                self.assertEqual(self.chosen(*filters), expected)

    def test_the_same_condition_is_or_different_ones_are_and_and_not_turns_one_around(self):
        self.assertEqual(self.chosen("--verdict", "drop", "--verdict", "reject"), [1, 2, 4])
        self.assertEqual(self.chosen("--verdict", "drop", "--namespace", "shop"), [1])
        self.assertEqual(self.chosen("--not", "--verdict", "forward"), [1, 2, 4])
        self.assertEqual(self.chosen("--not", "--verdict", "forward", "--not", "--verdict", "reject"), [1, 4])
        self.assertEqual(self.chosen("--pod", "web-0", "--not", "--pod", "bank/web-0"), [0, 1, 3])
        self.assertEqual(self.chosen("--not", "--port", "53", "--type", "end"), [3])

    def test_columns_name_pods_and_rules(self):
        run = self.run_flows("--input", self.log)
        self.assertEqual(run.returncode, 0, run.stderr)
        rows = [line.split() for line in run.stdout.splitlines()]
        self.assertEqual(rows[0], ["TIME", "VERDICT", "PROTO", "FROM", "TO", "PACKETS", "BYTES", "DECIDED", "BY"])
        self.assertEqual(rows[1][1:], ["forward", "udp", "shop/web-0:1000", "dns/dns-1:53", "4", "312", "shop/dns", "egress[0]"])
        self.assertEqual(rows[2][3:5] + rows[2][7:], ["shop/web-0:1001", "192.0.2.1:80", "shop/dns", "egress", "default"])
        self.assertEqual(rows[3][4], "[fd00::2]:443")
        self.assertEqual(rows[5][1:], ["drop", "-", "-", "9", "900", "-"])
        compact = self.run_flows("--input", self.log, "-o", "compact").stdout.splitlines()
        self.assertEqual(compact[0].split(" ", 1)[1], "forward udp shop/web-0:1000 -> dns/dns-1:53 4 packets: shop/dns egress[0]")
        self.assertEqual(compact[1].split(" ", 1)[1], "drop policy_denied tcp shop/web-0:1001 -> 192.0.2.1:80 5 packets: shop/dns egress default")
        self.assertEqual(compact[4].split(" ", 1)[1], "drop flow_cut - - -> - 9 packets: -")
        wide = self.run_flows("--input", self.log, "-o", "wide").stdout.splitlines()
        self.assertIn("policy_denied", wide[2])

    def test_a_default_deny_is_of_all_policies_that_isolate(self):
        both = {"verdict": "deny", "tier": "NetworkPolicy", "policy": "shop/all", "rule": -1, "isolated_by": ["shop/all", "shop/dns"]}
        log = self.write("isolated", [deny(1, egress=both, ingress=deny(1)["egress"])])
        shown = self.run_flows("--input", log).stdout
        self.assertIn("  shop/all, shop/dns egress default; shop/dns ingress default\n", shown)
        self.assertEqual(self.run_flows("--input", log, "--policy", "shop/dns").stdout, shown)
        broken = self.write("broken", [deny(1, egress=both | {"isolated_by": {"a": [7]}})])
        self.assertIn("  shop/all egress default\n", self.run_flows("--input", broken).stdout)

    def test_without_a_line_there_are_no_columns(self):
        self.assertEqual(self.run_flows("--input", self.log, "--pod", "nobody").stdout, "No flows found.\n")
        self.assertEqual(self.run_flows("--input", self.log, "--pod", "nobody", "-o", "json").stdout, "")
        self.assertEqual(self.run_flows("--input", "/nonexistent").stdout, "")

    def test_compressed_logs_and_several_are_read_in_order(self):
        older = self.folder / "flows.jsonl.1.gz"
        older.write_bytes(gzip.compress(self.log.read_bytes()))
        run = self.run_flows("--input", older, "--input", self.log, "-o", "json")
        self.assertEqual([json.loads(line) for line in run.stdout.splitlines()], LINES * 2)
        self.assertEqual(len(self.run_flows("--input", older, "--input", self.log, "-o", "json", "--limit", "7").stdout.splitlines()), 7)

    def test_a_pipe_is_shown_as_it_comes(self):
        with subprocess.Popen([BIN / "sluicectl", "flows", "--input", "-", "-o", "json"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdin.write(json.dumps(LINES[0]).encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline()), LINES[0])
            process.stdin.close()
            self.assertEqual(process.wait(60), 0)

    def test_columns_stay_where_the_first_rows_put_them(self):
        long_name = end(0, src={"address": "10.0.0.1", "port": 1, "namespace": "shop", "pod": "w" * 60})
        with subprocess.Popen([BIN / "sluicectl", "flows", "--input", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            rows = []
            for line in (LINES[0], long_name, LINES[0]):
                process.stdin.write(json.dumps(line).encode() + b"\n")
                process.stdin.flush()
                rows += [process.stdout.readline() for _ in range(1 if rows else 2)]
            process.stdin.close()
            self.assertEqual(process.wait(60), 0)
        header, first, wider, last = rows
        self.assertEqual(last, first)
        self.assertGreater(len(wider), len(first))
        self.assertEqual(header.index(b" TO ") + 1, first.index(b"dns/dns-1"))

    def test_what_was_not_logged_is_told(self):
        log = self.write("lost", [LINES[0], {"type": "lost", "not_logged": 5}, {"type": "lost", "not_logged": 7}])
        self.assertEqual(self.run_flows("--input", log, "--verdict", "drop").stderr, "... 12 more lines were not logged, matching or not\n")

    def test_a_log_that_is_being_written_ends_in_the_middle_of_a_line(self):
        self.log.write_text(self.log.read_text() + '{"type":"end","src":"10.')
        self.assertEqual(self.chosen(), [0, 1, 2, 3, 4])

    def test_what_is_no_flow_log_is_named_and_the_rest_is_shown(self):
        log = self.folder / "mixed"
        log.write_text('nonsense\n' + json.dumps(LINES[0]) + '\n[]\n{"type":5}\n{"type":"end","egress":7,"src":[]}\n')
        run = self.run_flows("--input", log, "-o", "json")
        self.assertEqual(run.returncode, 2)
        self.assertEqual(run.stderr, "".join(f"error: {log}:{number}: is no line of a flow log\n" for number in (1, 3, 4)))
        self.assertEqual(len(run.stdout.splitlines()), 2)
        self.assertEqual(self.run_flows("--input", log, "-o", "wide").returncode, 2)

    def test_hostile_names_do_not_reach_the_terminal(self):
        log = self.write("hostile", [end(0, src={"address": "10.0.0.1", "namespace": "shop", "pod": "a\x1b[2J\n\u202eb"})])
        for output in ("table", "json"):
            run = self.run_flows("--input", log, "-o", output)
            self.assertEqual(run.returncode, 0)
            self.assertNotRegex(run.stdout.replace("\n", ""), "[\x00-\x1f\u202e]")

    def test_bad_input_is_refused_with_its_reason(self):
        for arguments, told in (
                ((), "wants --input FILE, or --follow and --since TIME of a running sluiced"),
                (("--input", "/nonexistent"), "/nonexistent: No such file"),
                (("--input", str(self.folder)), str(self.folder)),
                (("--input", self.log, "--address", "10.0.0"), "--address '10.0.0' wants an address or a CIDR"),
                (("--input", self.log, "--to-address", "10.0.0.0/33"), "--to-address '10.0.0.0/33' wants an address or a CIDR"),
                (("--input", self.log, "--port", "http"), "--port 'http' wants a port, 0 to 65535"),
                (("--input", self.log, "--port", "70000"), "--port '70000' wants a port"),
                (("--input", self.log, "--verdict", "allow"), "--verdict 'allow' wants one of forward, drop, reject"),
                (("--input", self.log, "--reason", "denied"), "--reason 'denied' wants one of truncated, "),
                (("--input", self.log, "--not"), "--not wants a condition after it"),
                (("--input", self.log, "--not", "--limit", "1"), "--not wants a condition after it"),
                (("--input", self.log, "--not", "--not", "--port", "1"), "--not twice in a row"),
                (("--input", self.log, "-o", "yaml"), "yaml")):
            with self.subTest(arguments):
                run = self.run_flows(*arguments)
                self.assertEqual(run.returncode, 2)
                self.assertIn(told, run.stderr)

    def test_a_very_long_line_is_no_flow_log(self):
        log = self.folder / "long"
        log.write_text("x" * (3 << 20))
        run = self.run_flows("--input", log)
        self.assertEqual(run.returncode, 2)
        self.assertIn("is longer than 1 MB; is it a flow log?", run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
