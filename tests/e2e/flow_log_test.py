"""The flow log of a running sluiced: what its lines say, where they go, and what becomes of those that go nowhere."""

import gzip
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from http_test import BIN, POLICY, Sluiced, udp_frame, wait_until
from schema import check


def udp_from(source, port):
    """As udp_frame, from another port of the pod."""
    frame = bytearray(udp_frame(port))
    frame[34:36] = struct.pack("!H", source)
    return bytes(frame)


def to_host(number, port):
    """As udp_frame, to one of many hosts."""
    frame = bytearray(udp_frame(port))
    frame[30:34] = bytes([198, 18, number >> 8, number & 255])
    frame[24:26] = b"\0\0"
    return bytes(frame)


def udp_reply(port):
    """What the host answers to udp_frame."""
    frame = bytearray(udp_frame(port))
    frame[26:34] = frame[30:34] + frame[26:30]
    frame[34:38] = frame[36:38] + frame[34:36]
    return bytes(frame)


def from_other(port):
    """As udp_frame, from another pod."""
    frame = bytearray(udp_frame(port))
    frame[26:30] = bytes([10, 0, 0, 9])
    return bytes(frame)


def port_of(line):
    """The port that was spoken to; None where the line has no ends."""
    return line.get("dst", {}).get("port")


class FlowLogTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-flows-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "policy.yaml").write_text(POLICY)
        self.file = self.folder / "flows.jsonl"

    def start(self, frames, *sinks, **keys):
        config = {"flow_logs": list(sinks), "flow_log_deny_interval": 1, "timeouts": {"udp": 1}, **keys}
        (self.folder / "sluiced.yaml").write_text(json.dumps(config))
        sluiced = Sluiced(self.folder, frames, "--config", str(self.folder / "sluiced.yaml"),
                          "--manifests", str(self.folder / "policy.yaml"))
        self.addCleanup(sluiced.__exit__, None, None, None)
        return sluiced.__enter__()

    def to_file(self, **keys):
        return {"to": f"file:{self.file}", **keys}

    def lines(self, path=None):
        """Whole lines: the last one may be under way, and the file may just be renamed."""
        try:
            return [json.loads(line) for line in (path or self.file).read_text().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def wait_for(self, holds):
        self.assertTrue(wait_until(lambda: any(holds(line) for line in self.lines())), self.lines())
        line = next(line for line in self.lines() if holds(line))
        self.assertEqual(check.problems("flow_log", line), [])
        return line

    def test_an_ended_flow_has_its_ends_rules_and_counts(self):
        self.start([udp_frame(53)] * 3, self.to_file())
        line = self.wait_for(lambda line: line["type"] == "end")
        self.assertLessEqual(line["first"], line["last"])
        for key in ("time", "first", "last"):
            self.assertRegex(line.pop(key), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(line, {
            "type": "end", "src": {"address": "10.0.0.1", "port": 1000, "namespace": "a", "pod": "p"},
            "dst": {"address": "192.0.2.1", "port": 53}, "proto": "udp", "verdict": "forward", "state": line["state"],
            "egress": {"verdict": "allow", "tier": "NetworkPolicy", "policy": "a/dns", "rule": 0},
            "generation": 1, "packets": 3, "bytes": 186, "reply_packets": 0, "reply_bytes": 0, "cause": "expired"})

    def test_both_directions_of_a_flow_are_counted_apart(self):
        self.start([udp_frame(53)] * 3 + [udp_reply(53)] * 2, self.to_file(), timeouts={"udp": 1, "udp_stream": 1})
        line = self.wait_for(lambda line: line["type"] == "end")
        self.assertEqual([line[key] for key in ("packets", "bytes", "reply_packets", "reply_bytes")], [5, 310, 2, 124])

    def test_denials_are_counted_by_pair_port_and_rule(self):
        self.start([udp_frame(80)] * 5 + [udp_from(2000, 81)] * 2, self.to_file(only="denied"))
        line = self.wait_for(lambda line: port_of(line) == 80)
        for key in ("time", "first", "last"):
            self.assertRegex(line.pop(key), r"Z$")
        self.assertEqual(line, {
            "type": "deny", "src": {"address": "10.0.0.1", "port": 1000, "namespace": "a", "pod": "p"},
            "dst": {"address": "192.0.2.1", "port": 80}, "proto": "udp", "verdict": "drop", "reason": "policy_denied",
            "egress": {"verdict": "deny", "tier": "NetworkPolicy", "policy": "a/dns", "rule": -1, "isolated_by": ["a/dns"]},
            "generation": 1, "packets": 5, "bytes": 310})
        self.assertEqual(self.wait_for(lambda line: port_of(line) == 81)["packets"], 2)

    def test_each_of_many_denied_pairs_is_in_the_log_with_its_exact_count(self):
        hosts = 3000
        self.start([to_host(number, 80) for number in range(hosts)] * 3, self.to_file(only="denied"))

        def totals():
            counts = {}
            for line in self.lines():
                address = line["dst"]["address"]
                counts[address] = counts.get(address, 0) + line["packets"]
            return counts

        self.assertTrue(wait_until(lambda: sum(totals().values()) == 3 * hosts), sum(totals().values()))
        self.assertEqual(set(totals().values()), {3})

    def test_flows_that_live_at_the_end_are_written_as_stopped(self):
        sluiced = self.start([udp_frame(53)], self.to_file(only="ended"), timeouts={"udp": 1000})
        self.assertTrue(wait_until(lambda: sluiced.metrics()["sluice_flows"] == 1))
        self.assertEqual(self.lines(), [])
        sluiced.process.send_signal(signal.SIGTERM)
        self.assertEqual(sluiced.process.wait(30), 0)
        self.assertEqual([(port_of(line), line["cause"]) for line in self.lines()], [(53, "stopped")])

    def test_a_sink_takes_what_its_filter_wants_and_its_exceptions_do_not(self):
        frames = [udp_frame(53), udp_frame(80), udp_frame(81)]
        others = {name: self.folder / f"{name}.jsonl" for name in ("none", "ports", "rest")}
        self.start(frames, self.to_file(only="ended", filter={"namespace": ["a", "b"]}),
                   {"to": f"file:{others['none']}", "filter": {"namespace": "b"}},
                   {"to": f"file:{others['ports']}", "filter": {"port": [53, 80], "verdict": "drop"}},
                   {"to": f"file:{others['rest']}", "filter": {"pod": "a/p"}, "except": {"port": 80, "type": "end"}})
        self.wait_for(lambda line: line["type"] == "end")
        self.assertEqual({line["type"] for line in self.lines()}, {"end"})
        self.assertTrue(wait_until(lambda: [port_of(line) for line in self.lines(others["ports"])] == [80]))
        self.assertTrue(wait_until(lambda: [port_of(line) for line in self.lines(others["rest"])] == [81]))
        self.assertEqual(self.lines(others["none"]), [])

    def test_a_sink_has_the_fields_that_it_names_in_their_order(self):
        self.start([udp_frame(80)] * 5, self.to_file(fields=["dst.port", "packets", "state", "src.address", "src.pod"]))
        self.assertTrue(wait_until(lambda: self.lines()))
        self.assertEqual(self.file.read_text().splitlines()[0], '{"dst":{"port":80},"packets":5,"src":{"address":"10.0.0.1","pod":"p"}}')

    def test_records_are_added_up_by_the_fields_that_it_names(self):
        hosts = 300
        self.start([to_host(number, 80) for number in range(hosts)] * 2 + [udp_frame(81)] * 3 + [udp_frame(53)] * 4,
                   self.to_file(aggregate={"by": ["verdict", "dst.port", "src.pod"], "seconds": 1}))

        def sums():
            total = {}
            for line in self.lines():
                self.assertEqual(line["type"], "sum")
                key = line["verdict"], line["dst"]["port"], line["src"]["pod"]
                total[key] = [a + b for a, b in zip(total.get(key, [0, 0, 0]), (line["records"], line["packets"], line["bytes"]))]
            return total

        expected = {("drop", 80, "p"): [hosts, 2 * hosts, 2 * hosts * 62], ("drop", 81, "p"): [1, 3, 186], ("forward", 53, "p"): [1, 4, 248]}
        self.assertTrue(wait_until(lambda: sums() == expected), sums())
        self.assertLess(len(self.lines()), 60)

    def test_a_sink_gets_nothing_from_its_until_on(self):
        sluiced = self.start([udp_frame(80)] * 5, self.to_file(until="2020-01-01T00:00:00Z"), {"to": f"file:{self.folder}/other"})
        self.assertTrue(wait_until(lambda: self.lines(self.folder / "other")))
        self.assertEqual(self.lines(), [])
        self.assertTrue(wait_until(lambda: "its `until` has come: it gets no more lines" in sluiced.log_text()))

    def test_a_flow_that_lives_is_told_with_what_came_since(self):
        sluiced = self.start([udp_frame(53)] * 5, self.to_file(), flow_log_live_interval=1, timeouts={"udp": 1000})
        live = self.wait_for(lambda line: line["type"] == "live")
        self.assertEqual((live["packets"], live["packets_delta"], live["bytes_delta"], live["egress"]["policy"]), (5, 5, 310, "a/dns"))
        sluiced.process.send_signal(signal.SIGTERM)
        self.assertEqual(sluiced.process.wait(30), 0)
        self.assertEqual([line["type"] for line in self.lines()], ["live", "end"], "without packets there is nothing to tell")
        end = self.lines()[1]
        self.assertEqual((end["packets"], end["packets_delta"], end["bytes_delta"]), (5, 0, 0))

    def test_sums_count_what_lives_once(self):
        sluiced = self.start([udp_frame(53)] * 5, self.to_file(aggregate={"by": ["dst.port"], "seconds": 1}),
                             flow_log_live_interval=1, timeouts={"udp": 1000})
        self.assertTrue(wait_until(lambda: self.lines()))
        sluiced.process.send_signal(signal.SIGTERM)
        self.assertEqual(sluiced.process.wait(30), 0)
        self.assertEqual([(line["records"], line["packets"]) for line in self.lines()], [(1, 5), (1, 0)])

    def test_a_policy_that_is_hit_often_leaves_others_their_rate(self):
        (self.folder / "policy.yaml").write_text(POLICY + "---" + POLICY.replace("namespace: a", "namespace: b").replace("10.0.0.1", "10.0.0.9"))
        self.start([to_host(number, 80) for number in range(500)] + [from_other(81)], self.to_file(only="denied", policy_lines_per_second=10))
        self.wait_for(lambda line: line["type"] == "deny" and line["egress"]["policy"] == "b/dns")
        self.assertTrue(wait_until(lambda: sum(line.get("not_logged", line.get("packets")) for line in self.lines()) == 501))
        logged = [line for line in self.lines() if line["type"] == "deny" and line["egress"]["policy"] == "a/dns"]
        self.assertGreaterEqual(len(logged), 10)
        self.assertEqual({line["cause"] for line in self.lines() if line["type"] == "lost"}, {"rate"})

    def test_lines_beyond_the_rate_are_counted_in_the_stream_and_as_a_metric(self):
        sluiced = self.start([to_host(number, 80) for number in range(500)], self.to_file(only="denied", lines_per_second=10))
        lost = self.wait_for(lambda line: line["type"] == "lost")
        self.assertEqual(lost["cause"], "rate")
        self.assertTrue(wait_until(lambda: sum(line.get("not_logged", line.get("packets")) for line in self.lines()) == 500))
        told = sum(line.get("not_logged", 0) for line in self.lines())
        self.assertEqual(sluiced.metrics()[f'sluice_events_lost_total{{sink="file:{self.file}",cause="rate"}}'], told)
        counted = lambda: sluiced.metrics()[f'sluice_flow_log_lines_total{{sink="file:{self.file}"}}']
        self.assertTrue(wait_until(lambda: counted() == len(self.lines())))

    def test_a_file_rotates_and_what_was_is_compressed(self):
        hosts = 9000
        self.start([to_host(number, 80) for number in range(hosts)], self.to_file(only="denied", most_mb=1, kept=9))
        older = lambda: sorted(self.folder.glob("flows.jsonl.*.gz"))

        def all_lines():
            lines = self.lines()
            for path in older():
                try:
                    lines += [json.loads(line) for line in gzip.open(path, "rt")]
                except (EOFError, OSError):  # it is being compressed, or renamed
                    return []
            return lines

        expected = {f"198.18.{n >> 8}.{n & 255}" for n in range(hosts)}
        self.assertTrue(wait_until(lambda: older() and {line["dst"]["address"] for line in all_lines()} == expected))
        for path in older():
            self.assertLessEqual(len(gzip.decompress(path.read_bytes())), 1 << 20)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o640)

    def test_only_as_many_files_are_kept_as_it_says(self):
        self.start([to_host(number, 80) for number in range(15000)], self.to_file(only="denied", most_mb=1, kept=1, gzip=False))
        self.assertTrue(wait_until(lambda: (self.folder / "flows.jsonl.1").exists() and any(
            line["dst"]["address"] == "198.18.58.151" for line in self.lines())))
        self.assertEqual(sorted(path.name for path in self.folder.glob("flows.jsonl*")), ["flows.jsonl", "flows.jsonl.1"])

    def test_a_file_that_another_program_renames_is_begun_anew(self):
        sluiced = self.start([udp_frame(80), udp_frame(53)], self.to_file())
        self.wait_for(lambda line: line["type"] == "deny")
        self.file.rename(self.folder / "taken")
        self.wait_for(lambda line: line["type"] == "end") if not any(
            line["type"] == "end" for line in self.lines(self.folder / "taken")) else None
        self.assertTrue(wait_until(lambda: sluiced.get("/healthz")[0] == 200))

    def test_a_sink_that_takes_nothing_is_named_once_and_packets_go_on(self):
        places = ["file:/nonexistent/flows", "file:/dev/full", f"file:{self.folder}", f"unix:{self.folder}/nobody"]
        sluiced = self.start([udp_frame(53)] * 3 + [udp_frame(80)], *({"to": place} for place in places))
        self.assertTrue(wait_until(lambda: sluiced.metrics()['sluice_packets_total{verdict="forward"}'] == 3))
        for place in places:
            said = f"flow log {place}: lines are lost until it takes them again: "
            self.assertTrue(wait_until(lambda: said in sluiced.log_text()), sluiced.log_text())
            self.assertTrue(wait_until(lambda: sluiced.metrics()[f'sluice_events_lost_total{{sink="{place}",cause="sink"}}'] == 2))
            self.assertEqual(sluiced.log_text().count(said), 1)
        self.assertEqual(sluiced.get("/healthz")[0], 200)

    def test_a_collector_at_a_socket_gets_lines_and_hears_what_it_missed(self):
        path = f"{self.folder}/collector"
        sluiced = self.start([udp_frame(53), udp_frame(80)], {"to": f"unix:{path}"}, timeouts={"udp": 1})
        lost = lambda: sluiced.metrics()[f'sluice_events_lost_total{{sink="unix:{path}",cause="sink"}}']
        self.assertTrue(wait_until(lambda: lost() == 2))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            server.settimeout(60)
            client = server.accept()[0]
            with client, client.makefile() as lines:
                client.settimeout(60)
                line = json.loads(lines.readline())
        self.assertEqual((line["type"], line["not_logged"], line["cause"]), ("lost", 2, "sink"))
        self.assertTrue(wait_until(lambda: "takes lines again" in sluiced.log_text()), sluiced.log_text())

    def test_standard_output_has_ready_and_then_lines(self):
        sluiced = self.start([udp_frame(80)], {"to": "stdout"})
        line = json.loads(sluiced.process.stdout.readline())
        self.assertEqual((line["type"], port_of(line)), ("deny", 80))

    def test_a_reader_of_standard_output_that_reads_nothing_keeps_nothing_from_ending(self):
        sluiced = self.start([to_host(number, 80) for number in range(5000)], {"to": "stdout"})
        self.assertTrue(wait_until(lambda: sluiced.metrics()['sluice_packets_total{verdict="drop"}'] == 5000))
        self.assertTrue(wait_until(lambda: sluiced.metrics()['sluice_flow_log_lines_total{sink="stdout"}'] > 0))
        sluiced.process.send_signal(signal.SIGTERM)
        self.assertEqual(sluiced.process.wait(30), 0)

    def test_what_is_wrong_in_the_configuration_is_named_with_its_line(self):
        config = self.folder / "bad.yaml"
        for text, told in (
                ("flow_logs:\n- {}\n", "bad.yaml:2: error: flow_logs[0].to: is missing; wants file:PATH, stdout, unix:PATH, or ipfix:udp:ADDRESS:PORT (or tcp)"),
                ("flow_logs:\n- {to: /var/log/x}\n", "flow_logs[0].to: wants file:PATH, stdout, unix:PATH, or ipfix:udp:ADDRESS:PORT (or tcp), not '/var/log/x'"),
                ("flow_logs:\n- {to: stdout, filters: {pod: a}}\n", "flow_logs[0].filters: no such key; did you mean filter?"),
                ("flow_logs:\n- {to: stdout, filter: shop}\n",
                 "flow_logs[0].filter: wants a mapping of conditions, such as {namespace: shop}, not 'shop'"),
                ("flow_logs:\n- {to: stdout, filter: {colour: red}}\n",
                 "flow_logs[0].filter: there is no such condition as 'colour'; there are pod, from-pod, "),
                ("flow_logs:\n- to: stdout\n  except:\n    port: [80, http]\n",
                 "bad.yaml:4: error: flow_logs[0].except.port: wants a port, 0 to 65535, not 'http'"),
                ("flow_logs:\n- {to: stdout, filter: {verdict: {}}}\n", "flow_logs[0].filter.verdict: wants a text"),
                ("flow_logs:\n- {to: stdout, filter: {reason: bad}}\n", "flow_logs[0].filter.reason: wants one of "),
                ("flow_logs:\n- {to: stdout, only: some}\n", "flow_logs[0].only: wants one of all, ended, denied, not 'some'"),
                ("flow_logs:\n- stdout\n", "flow_logs[0]: wants a mapping with the key to, not 'stdout'"),
                ("flow_logs: stdout\n", "flow_logs: wants a list of mappings, each with the key to, not 'stdout'"),
                (f"flow_logs:\n- to: unix:/{'x' * 107}\n", "names a path that is too long for a socket: 107 bytes at most"),
                ("flow_logs:\n- to: stdout\n  fields: [src, colour]\n",
                 "bad.yaml:3: error: flow_logs[0].fields: there is no such field as 'colour'; there are time, type, src, "),
                ("flow_logs:\n- to: stdout\n  aggregate:\n    by: [src, packets]\n",
                 "bad.yaml:4: error: flow_logs[0].aggregate.by: there is no such field as 'packets'; there are src, "),
                ("flow_logs:\n- to: stdout\n  fields: [src]\n  aggregate: {by: [src]}\n", "flow_logs[0].fields: does not go with aggregate"),
                ("flow_logs:\n- to: stdout\n  aggregate: [src]\n", "flow_logs[0].aggregate: wants a mapping of keys"),
                ("flow_logs:\n- to: stdout\n  until: tomorrow\n",
                 "bad.yaml:3: error: flow_logs[0].until: wants a time such as 2026-12-24T18:00:00Z, not 'tomorrow'"),
                ("flow_logs:\n- to: ipfix:udp:collector:4739\n", "flow_logs[0].to: wants file:PATH"),
                ("flow_logs:\n- to: ipfix:udp:192.0.2.1:0\n", "flow_logs[0].to: wants file:PATH"),
                ("flow_logs:\n- to: ipfix:tcp:[::1]:4739\n  fields: [src]\n", "flow_logs[0].to: IPFIX has all fields of each record"),
                ("flow_logs:\n- to: stdout\n  policy_lines_per_second: 5\n  aggregate: {by: [src]}\n",
                 "bad.yaml:3: error: flow_logs[0].policy_lines_per_second: does not go with aggregate"),
                ("flow_log_deny_interval: 0\n", "flow_log_deny_interval: wants a number from 1 to 3600, not '0'")):
            with self.subTest(text):
                config.write_text(text)
                run = subprocess.run([BIN / "sluiced", "--config", config, "--check-config"], capture_output=True, text=True, timeout=60)
                self.assertEqual(run.returncode, 2)
                self.assertIn(told, run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
