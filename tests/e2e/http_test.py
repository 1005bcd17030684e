"""sluiced --http as Prometheus, a probe, an operator's typo and a hostile client meet it."""

import contextlib
import http.client
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["SLUICE_BIN"])
POLICY = """
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a, labels: {app: p}}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: a}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{protocol: UDP, port: 53}]}]}
"""


def udp_frame(port):
    """From the pod to a port of a host elsewhere."""
    udp = struct.pack("!HHHH", 1000, port, 28, 0) + bytes(20)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes([10, 0, 0, 1]), bytes([192, 0, 2, 1]))
    return bytes(12) + b"\x08\x00" + ip + udp


def write_capture(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Sluiced:
    """A running sluiced whose first port gives frames of a capture; `listen` is where its control API is."""

    def __init__(self, folder, frames, *arguments):
        self.folder = folder
        self.port = free_port()
        self.listen = f"unix:{folder}/s.sock"
        write_capture(folder / "in.pcap", frames)
        self.log = open(folder / "sluiced.log", "w+")
        self.process = subprocess.Popen(
            [BIN / "sluiced", "--no-huge", "--wire", f"pcap:{folder}/in.pcap,null", "--listen", self.listen,
             "--http", f"127.0.0.1:{self.port}", *arguments],
            stdout=subprocess.PIPE, stderr=self.log)

    def __enter__(self):
        assert self.process.stdout.readline() == b"ready\n", self.log_text()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.log.close()

    def log_text(self):
        return (self.folder / "sluiced.log").read_text()

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metrics(self):
        """Value by series."""
        lines = self.get("/metrics")[1].splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


class HttpTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-http-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "policy.yaml").write_text(POLICY)

    def start(self, frames, *arguments):
        sluiced = Sluiced(self.folder, frames, *arguments)
        self.addCleanup(sluiced.__exit__, None, None, None)
        return sluiced.__enter__()

    def refused(self, *arguments):
        run = subprocess.run([BIN / "sluiced", "--no-huge", *arguments], capture_output=True, text=True, timeout=60)
        return run.returncode, run.stderr

    def test_packets_and_policies_are_counted(self):
        sluiced = self.start([udp_frame(53)] * 3 + [udp_frame(80)] * 2, "--manifests", str(self.folder / "policy.yaml"))
        self.assertTrue(wait_until(lambda: sluiced.metrics().get('sluice_packets_total{verdict="drop"}') == 2))
        allowed = 'sluice_policy_packets_total{policy="a/dns",tier="NetworkPolicy",direction="egress",action="allow"}'
        self.assertTrue(wait_until(lambda: sluiced.metrics().get(allowed) == 3))
        metrics = sluiced.metrics()
        self.assertEqual(metrics['sluice_packets_total{verdict="forward"}'], 3)
        self.assertEqual(metrics['sluice_drops_total{reason="policy_denied"}'], 2)
        self.assertEqual(metrics[allowed.replace("allow", "deny")], 2)
        self.assertEqual(metrics[f'sluice_port_rx_packets_total{{wire="0",side="1",device="pcap:{self.folder}/in.pcap"}}'], 5)
        self.assertEqual(metrics["sluice_policy_in_force"], 1)
        self.assertEqual(metrics['sluice_policy_step_seconds_count{step="compile"}'], 1)
        self.assertGreater(metrics['sluice_worker_rounds_total{worker="0"}'], 0)
        self.assertEqual(sluiced.get("/healthz"), (200, "alive\n"))
        self.assertEqual(sluiced.get("/readyz"), (200, "ready\n"))

    def test_prometheus_finds_the_text_sound(self):
        if not shutil.which("promtool"):
            self.skipTest("no promtool here (package prometheus)")
        sluiced = self.start([udp_frame(53)], "--manifests", str(self.folder / "policy.yaml"))
        check = subprocess.run(["promtool", "check", "metrics"], input=sluiced.get("/metrics")[1], capture_output=True, text=True)
        self.assertEqual((check.returncode, check.stderr), (0, ""))

    def test_without_policy_it_lives_and_is_not_ready(self):
        sluiced = self.start([udp_frame(53)])
        self.assertEqual(sluiced.get("/healthz"), (200, "alive\n"))
        self.assertEqual(sluiced.get("/readyz"), (503, "no policy yet: all IP is dropped\n"))
        self.assertEqual(sluiced.metrics()["sluice_policy_in_force"], 0)
        self.assertEqual(sluiced.metrics()["sluice_sender_connected"], 0)

    def test_other_paths_and_methods_are_refused(self):
        sluiced = self.start([])
        self.assertEqual(sluiced.get("/nothing")[0], 404)
        self.assertEqual(sluiced.get("/../../etc/passwd")[0], 404)
        for method in ("POST", "PUT", "DELETE"):
            self.assertIn(sluiced.get("/metrics", method)[0], (405, 404))

    def test_a_token_that_is_none_ends_the_start_and_its_file_is_named(self):
        token = self.folder / "token"
        config = self.folder / "sluiced.yaml"
        config.write_text(f"http_page_token: {token}\n")
        flags = ("--config", str(config), "--wire", "null,null", "--listen", f"unix:{self.folder}/s.sock")
        code, errors = self.refused(*flags)
        self.assertEqual(code, 2)
        self.assertIn("http_page_token goes with the key http", errors.replace(": ", " "))
        for check in (("--check-config",), ()):
            for content in (None, "short\n"):
                if content:
                    token.write_text(content)
                code, errors = self.refused(*flags, *check, "--http", "127.0.0.1:%d" % free_port())
                self.assertEqual(code, 2 if check else 1)
                self.assertIn(str(token), errors)
            token.unlink()

    def test_what_is_no_request_breaks_nothing(self):
        sluiced = self.start([], "--manifests", str(self.folder / "policy.yaml"))
        seed = random.randrange(2**32)
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n\r\n".encode() for path in (
            "/", "/metrics", "/api/map?open=a&hide=%41%00&open=", "/api/pods?q=%ff&&=&q", "/api/policies?show=unused&q=a%2",
            "/api/explain?src=a/p&dst=192.0.2.1&proto=tcp&port=80&dataplane=0", "/api/explain?" + "a=b&" * 500)]
        for _ in range(300):
            request = bytearray(chance.choice(requests))
            for _ in range(chance.randrange(8)):
                at = chance.randrange(len(request))
                request[at:at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
            with socket.create_connection(("127.0.0.1", sluiced.port), timeout=60) as client, contextlib.suppress(OSError):
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
        self.assertIsNone(sluiced.process.poll())
        self.assertEqual(sluiced.get("/healthz"), (200, "alive\n"))
        self.assertEqual(sluiced.get("/api/dataplanes")[0], 200)

    def test_an_address_in_use_ends_the_start_and_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = "127.0.0.1:%d" % server.getsockname()[1]
            code, errors = self.refused("--wire", "null,null", "--listen", f"unix:{self.folder}/s.sock", "--http", address)
        self.assertEqual(code, 1)
        self.assertIn(f"http '{address}' cannot be listened at", errors)

    def test_what_is_no_address_is_refused_before_the_start(self):
        for address in ("localhost", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:80s", "80,81", "::1:9465", "[::1]",
                        "/tmp/x", "http://127.0.0.1:80", "127.0.0.1:9465/metrics", "a b:80"):
            with self.subTest(address):
                code, errors = self.refused("--check-config", "--http=" + address)
                self.assertEqual(code, 2)
                self.assertIn(f"'{address}' is no address; wants HOST:PORT", errors)
        config = self.folder / "sluiced.yaml"
        config.write_text("http: nonsense\n")
        code, errors = self.refused("--config", str(config), "--check-config")
        self.assertEqual(code, 2)
        self.assertIn("http: 'nonsense' is no address", errors)
        for address in ("9465", ":9465", "127.0.0.1:9465", "localhost:9465", "[::1]:9465"):
            with self.subTest(address):
                flags = ("--check-config", "--wire", "null,null", "--http", address)
                self.assertEqual(self.refused(*flags)[0], 0)

    def test_scrapers_that_never_read_and_a_thousand_that_never_ask_keep_no_probe_out_for_long(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        sluiced = self.start([udp_frame(53)], "--manifests", str(self.folder / "policy.yaml"))
        with contextlib.ExitStack() as stack:
            def connect(small_buffer=False):
                client = stack.enter_context(contextlib.closing(socket.socket()))
                if small_buffer:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.connect(("127.0.0.1", sluiced.port))
                return client

            deaf = [connect(small_buffer=True) for _ in range(40)]
            for client in deaf:
                wait_until(lambda: _can_send(client, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20))
            idle = [connect() for _ in range(1000)]
            begin = time.monotonic()
            self.assertEqual(sluiced.get("/healthz"), (200, "alive\n"))
            print(f"a probe waited {time.monotonic() - begin:.1f} s for 1,000 idle connections", file=sys.stderr)
            self.assertLess(time.monotonic() - begin, 60)
            del idle, deaf
        self.assertEqual(sluiced.get("/readyz"), (200, "ready\n"))


def _can_send(client, data):
    try:
        client.send(data)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True  # it is gone already


if __name__ == "__main__":
    unittest.main(verbosity=2)
