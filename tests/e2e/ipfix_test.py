"""IPFIX of a running sluiced, read by tshark and by nfcapd, over UDP and over TCP."""

import json
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

from flow_log_test import to_host, udp_reply
from http_test import POLICY, Sluiced, udp_frame, wait_until

PORT = 4739


def udp_datagram(payload):
    """An Ethernet frame that holds it, for tshark."""
    udp = struct.pack("!HHHH", PORT, PORT, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))
    return bytes(12) + b"\x08\x00" + ip + udp


def sets_of(message):
    """(number, bytes) of each set; the header is checked."""
    version, length = struct.unpack_from("!HH", message)
    assert (version, length) == (10, len(message)), (version, length, len(message))
    at, sets = 16, []
    while at < length:
        number, size = struct.unpack_from("!HH", message, at)
        sets.append((number, message[at + 4:at + size]))
        at += size
    assert at == length
    return sets


class IpfixTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-ipfix-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "policy.yaml").write_text(POLICY)

    def start(self, frames, to, **config):
        (self.folder / "sluiced.yaml").write_text(json.dumps(
            {"flow_logs": [{"to": to}], "flow_log_deny_interval": 1, "timeouts": {"udp": 1}, **config}))
        sluiced = Sluiced(self.folder, frames, "--config", str(self.folder / "sluiced.yaml"),
                          "--manifests", str(self.folder / "policy.yaml"))
        self.addCleanup(sluiced.__exit__, None, None, None)
        return sluiced.__enter__()

    def udp_collector(self):
        collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(collector.close)
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(60)
        return collector, collector.getsockname()[1]

    def messages(self, collector, flows):
        """Until there are data sets of so many templates."""
        messages, numbers = [], set()
        while len(numbers) < flows:
            messages.append(collector.recv(65536))
            numbers |= {number for number, _ in sets_of(messages[-1]) if number > 255}
        return messages

    def shown_by_tshark(self, messages):
        path = self.folder / "ipfix.pcap"
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for message in messages:
                frame = udp_datagram(message)
                file.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)
        run = subprocess.run(["tshark", "-r", path, "-d", f"udp.port=={PORT},cflow", "-V"], capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn("alformed", run.stdout)
        return run.stdout

    def test_tshark_reads_flows_and_denials(self):
        if not shutil.which("tshark"):
            self.skipTest("no tshark here (package tshark)")
        collector, port = self.udp_collector()
        self.start([udp_frame(53)] * 3 + [udp_frame(80)] * 5, f"ipfix:udp:127.0.0.1:{port}")
        text = self.shown_by_tshark(self.messages(collector, 2))
        self.assertEqual(text.count("SrcAddr: 10.0.0.1"), 2)
        self.assertEqual(text.count("DstAddr: 192.0.2.1"), 2)
        for line in ("DstPort: 53", "DstPort: 80", "Packets: 3", "Packets: 5", "Protocol: UDP (17)"):
            self.assertIn(line, text)

    def test_tshark_reads_both_directions_of_a_flow(self):
        if not shutil.which("tshark"):
            self.skipTest("no tshark here (package tshark)")
        collector, port = self.udp_collector()
        self.start([udp_frame(53)] * 3 + [udp_reply(53)] * 2, f"ipfix:udp:127.0.0.1:{port}", timeouts={"udp": 1, "udp_stream": 1})
        text = self.shown_by_tshark(self.messages(collector, 1))
        for line in ("Direction: Initiator", "Packets: 3", "Octets: 186", "Permanent Packets: 2 (Reverse Type 86", "Octets: 124"):
            self.assertIn(line, text)

    def test_tshark_reads_how_many_records_were_not_sent(self):
        if not shutil.which("tshark"):
            self.skipTest("no tshark here (package tshark)")
        collector, port = self.udp_collector()
        to = f"ipfix:udp:127.0.0.1:{port}"
        sluiced = self.start([to_host(number, 80) for number in range(50)], to,
                             flow_logs=[{"to": to, "lines_per_second": 1}])
        lost = lambda: sluiced.metrics()[f'sluice_events_lost_total{{sink="{to}",cause="rate"}}']
        self.assertTrue(wait_until(lambda: lost() > 0))
        messages = []
        while not any(number == 261 for message in messages for number, _ in sets_of(message)):
            messages.append(collector.recv(65536))
        text = self.shown_by_tshark(messages)
        self.assertIn("Options Template", text)
        told = max(struct.unpack("!IQ", body)[1] for message in messages for number, body in sets_of(message) if number == 261)
        self.assertLessEqual(told, lost())
        self.assertGreater(told, 0)

    def test_names_are_in_the_records(self):
        collector, port = self.udp_collector()
        self.start([udp_frame(53)] * 3, f"ipfix:udp:127.0.0.1:{port}")
        data = b"".join(body for message in self.messages(collector, 1) for number, body in sets_of(message) if number > 255)
        self.assertIn(b"\x01p\x01a", data)       # the pod, its namespace
        self.assertIn(b"\x03dns\x01a\x01\x010\x01", data)  # the policy, its namespace, its type, the rule, allowed

    def test_nfcapd_reads_what_a_run_sent(self):
        if not shutil.which("nfcapd"):
            self.skipTest("no nfcapd here (package nfdump)")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        flows = self.folder / "nfcapd"
        flows.mkdir()
        with open(self.folder / "nfcapd.log", "w") as log:
            collector = subprocess.Popen(["nfcapd", "-w", flows, "-p", str(port), "-b", "127.0.0.1"], stdout=log, stderr=log)
        self.addCleanup(collector.wait)
        self.addCleanup(collector.kill)
        listens = f"0100007F:{port:04X}"
        self.assertTrue(wait_until(lambda: listens in pathlib.Path("/proc/net/udp").read_text()))
        hosts = 40
        sluiced = self.start([to_host(number, 53) for number in range(hosts)] * 2 + [udp_frame(80)] * 5, f"ipfix:udp:127.0.0.1:{port}")
        sent = f'sluice_flow_log_lines_total{{sink="ipfix:udp:127.0.0.1:{port}"}}'
        self.assertTrue(wait_until(lambda: sluiced.metrics()[sent] == hosts + 1))
        sluiced.process.send_signal(signal.SIGTERM)  # which writes what waits
        self.assertEqual(sluiced.process.wait(30), 0)
        collector.send_signal(signal.SIGTERM)
        collector.wait(30)
        run = subprocess.run(["nfdump", "-R", flows, "-q", "-N", "-o", "fmt:%sa %da %dp %pkt"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        read = sorted(tuple(line.split()) for line in run.stdout.splitlines())
        expected = [("10.0.0.1", f"198.18.0.{number}", "53", "2") for number in range(hosts)] + [("10.0.0.1", "192.0.2.1", "80", "5")]
        self.assertEqual(read, sorted(expected))

    def test_over_tcp_templates_come_first_and_each_message_is_whole(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(60)
            self.start([to_host(number, 80) for number in range(3000)], f"ipfix:tcp:127.0.0.1:{server.getsockname()[1]}")
            connection = server.accept()[0]
            connection.settimeout(60)
            records, stream, numbers = 0, connection.makefile("rb"), []
            with connection, stream:
                while records < 3000:
                    header = stream.read(16)
                    _, length, _, sequence, _ = struct.unpack("!HHIII", header)
                    self.assertEqual(sequence, records)
                    for number, body in sets_of(header + stream.read(length - 16)):
                        numbers.append(number)
                        if number > 255:
                            records += body.count(b"\x03dns\x01a")
        self.assertEqual(numbers[0], 2)
        self.assertEqual(numbers.count(2), 1)
        self.assertEqual(records, 3000)

    def test_a_collector_that_is_gone_is_named_once_and_packets_go_on(self):
        for kind in ("udp", "tcp"):
            with self.subTest(kind):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as closed:
                    closed.bind(("127.0.0.1", 0))
                    port = closed.getsockname()[1]
                to = f"ipfix:{kind}:127.0.0.1:{port}"
                sluiced = self.start([to_host(number, 80) for number in range(300)] + [udp_frame(53)], to)
                lost = lambda: sluiced.metrics()[f'sluice_events_lost_total{{sink="{to}",cause="sink"}}']
                self.assertTrue(wait_until(lambda: lost() > 0))
                self.assertTrue(wait_until(lambda: f"flow log {to}: lines are lost until it takes them again: " in sluiced.log_text()))
                self.assertEqual(sluiced.log_text().count("lines are lost"), 1)
                self.assertEqual(sluiced.get("/healthz")[0], 200)
                sluiced.__exit__()


if __name__ == "__main__":
    unittest.main(verbosity=2)
