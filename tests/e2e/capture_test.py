"""sluicectl capture: real traffic into a pcapng file, read by tshark and by replay: capture_test.py af_packet."""

import shutil
import subprocess
import time
import unittest

import fixture
from fixture import NamespaceTest
from lab import hosts, programs, quickstart

FIELDS = ["frame.comment", "ip.src", "ip.dst", "tcp.dstport", "frame.len", "frame.cap_len"]


def tshark(path, *arguments):
    run = subprocess.run(["tshark", "-r", path, *arguments], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


def packets(path, *filters):
    """A dictionary of FIELDS for each packet."""
    words = [word for field in FIELDS for word in ("-e", field)]
    text = tshark(path, *filters, "-T", "fields", "-E", "separator=|", *words)
    return [dict(zip(FIELDS, line.split("|"))) for line in text.splitlines()]


class Capture(NamespaceTest):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("tshark"):
            raise unittest.SkipTest("no tshark here (package tshark)")
        super().setUpClass()
        cls.daemon = cls.stack.enter_context(programs.Daemon(cls.topology, fixture.device, cls.manifests, cls.folder))

    def setUp(self):
        self.file = self.folder / f"{self.id().rsplit('.', 1)[1]}.pcapng"

    def capture(self, *arguments):
        """Once it captures: then its file has a header."""
        process = subprocess.Popen(
            [programs.BIN / "sluicectl", "capture", "--target", self.daemon.target, "--write", self.file, *map(str, arguments)],
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        captures = lambda: self.file.exists() and self.file.stat().st_size > 0
        self.assertIsNotNone(quickstart.wait_until(captures, 60))
        return process

    def until_ended(self, process, traffic):
        """Traffic until the capture has what it wants; what it says."""
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            traffic()
        self.assertEqual(process.wait(1), 0)
        return process.stderr.read()

    def denied(self):
        self.ask("shop/frontend", "tcp", "shop/database", 4, port=5432, timeout=0.3)

    def allowed(self):
        self.ask("shop/frontend", "tcp", "shop/backend", 4, port=80, timeout=1)

    def address(self, name):
        return hosts.BY_NAME[name].addresses[4]

    def test_denied_packets_have_their_policy_as_a_comment_and_their_verdict(self):
        process = self.capture("--verdict", "drop", "--verdict", "reject", "--from-pod", "shop/frontend", "--packets", 2)

        def traffic():
            self.allowed()
            self.denied()

        said = self.until_ended(process, traffic)
        self.assertIn("2 packets captured", said)
        found = packets(self.file)
        self.assertEqual(len(found), 2)
        for packet in found:
            self.assertEqual((packet["ip.src"], packet["ip.dst"], packet["tcp.dstport"]),
                             (self.address("shop/frontend"), self.address("shop/database"), "5432"))
            self.assertRegex(packet["frame.comment"], r"^drop policy_denied: shop/\S+ (e|in)gress default.*; generation \d+$")
            self.assertEqual(packet["frame.len"], packet["frame.cap_len"])
        # XDP's verdicts: 1 is a drop.
        self.assertEqual(set(tshark(self.file, "-T", "fields", "-e", "frame.verdict.ebpf_xdp").split()), {"1"})
        self.assertIn("shop/database", tshark(self.file, "-N", "n", "-T", "fields", "-e", "ip.dst_host"))
        self.assertEqual(tshark(self.file, "-T", "fields", "-e", "frame.interface_name").split(), [f"{fixture.device}:left"] * 2)

    def test_forwarded_packets_are_those_of_both_directions_with_the_flows_rule(self):
        process = self.capture("--verdict", "forward", "--from-pod", "shop/frontend", "--port", 80, "--packets", 6)
        self.until_ended(process, self.allowed)
        found = packets(self.file)
        self.assertEqual({packet["ip.src"] for packet in found}, {self.address("shop/frontend"), self.address("shop/backend")})
        for packet in found:
            self.assertRegex(packet["frame.comment"], r"^forward: .*shop/\S+ ingress\[\d+\].*; generation \d+$")

    def test_payload_comes_only_where_it_is_asked_for(self):
        for arguments, holds in (((), False), (("--payload",), True)):
            with self.subTest(arguments):
                self.file.unlink(missing_ok=True)
                process = self.capture("--port", 80, "--to-pod", "shop/backend", "--packets", 12, *arguments)
                self.until_ended(process, self.allowed)
                longer = [packet for packet in packets(self.file) if packet["frame.len"] != packet["frame.cap_len"]]
                self.assertEqual(not longer, holds)

    def test_replay_reads_it_and_says_the_same(self):
        process = self.capture("--verdict", "drop", "--from-pod", "shop/frontend", "--packets", 1)
        self.until_ended(process, self.denied)
        run = subprocess.run([programs.BIN / "sluicectl", "replay", "--manifests", self.manifests, self.file, "-o", "json"],
                             capture_output=True, text=True, timeout=60)
        self.assertIn(run.returncode, (0, 1), run.stderr)
        self.assertIn("policy_denied", run.stdout)

    def test_it_ends_after_its_time(self):
        process = self.capture("--for", "3s")
        self.assertEqual(process.wait(60), 0)
        self.assertRegex(process.stderr.read(), r"^\d+ packets captured\n")

    def test_only_one_captures_at_once_and_the_next_may_when_it_is_killed(self):
        first = self.capture("--for", "10m")
        empty = self.file.stat().st_size
        self.assertIsNotNone(quickstart.wait_until(lambda: self.allowed() or self.file.stat().st_size > empty, 60))

        def another():
            command = [programs.BIN / "sluicectl", "capture", "--target", self.daemon.target, "--write", "/dev/null", "--for", "1s"]
            return subprocess.run(command, capture_output=True, text=True, timeout=60)

        second = another()
        self.assertEqual(second.returncode, 2, second.stderr)
        self.assertIn("is busy", second.stderr)
        first.kill()
        first.wait()
        third = another()
        self.assertEqual(third.returncode, 0, third.stderr)

    def test_a_file_keeps_what_it_has_until_sluiced_answers(self):
        kept, new = self.folder / "kept.pcapng", self.folder / "new.pcapng"
        kept.write_bytes(b"of before")
        first = self.capture("--for", "10m")
        for target, told in (("unix:/nonexistent", "/nonexistent"), (self.daemon.target, "is busy")):
            for path in (kept, new):
                with self.subTest((target, path)):
                    run = subprocess.run([programs.BIN / "sluicectl", "capture", "--target", target, "--write", path],
                                         capture_output=True, text=True, timeout=60)
                    self.assertEqual(run.returncode, 2)
                    self.assertIn(told, run.stderr)
        self.assertEqual(first.poll(), None)
        self.assertEqual(kept.read_bytes(), b"of before")
        self.assertFalse(new.exists())
        kept.write_bytes(b"x" * 100_000)
        first.kill()
        first.wait()
        command = [programs.BIN / "sluicectl", "capture", "--target", self.daemon.target, "--write", kept, "--for", "1s", "--port", "1"]
        captured = lambda: subprocess.run(command, capture_output=True, timeout=60).returncode == 0
        self.assertIsNotNone(quickstart.wait_until(captured, 60))
        self.assertLess(kept.stat().st_size, 1000, "then it is of this capture alone")

    def test_what_cannot_be_is_refused_with_its_reason(self):
        for arguments, told in (
                (("--write", "/nonexistent/x"), "/nonexistent/x: error: cannot be written: No such file or directory"),
                (("--write", "/dev/full"), "/dev/full: error: cannot be written: No space left on device"),
                (("--write", "x", "--port", "http"), "--port 'http' wants a port"),
                (("--write", "x", "--for", "2h"), "--for"),
                (("--write", "x", "--not"), "--not wants a condition after it"),
                ((), "--write is required")):
            with self.subTest(arguments):
                run = subprocess.run([programs.BIN / "sluicectl", "capture", "--target", self.daemon.target, *arguments],
                                     capture_output=True, text=True, timeout=60, cwd=self.folder)
                self.assertEqual(run.returncode, 2)
                self.assertIn(told, run.stderr)


if __name__ == "__main__":
    fixture.main()
