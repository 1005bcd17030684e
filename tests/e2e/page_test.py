"""The page, in Chromium and from outside: page_test.py af_packet."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import fixture
from fixture import NamespaceTest
from lab import hosts, page_packages, programs

RULE = "<img src=x onerror=hacked=1>\u202e'\"&amp;</script>"
SENDER = "<img src=x onerror=hacked=1>"
HOSTILE = f"""
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {{name: hostile}}
spec:
  tier: Admin
  priority: 1
  subject: {{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: frontend}}}}}}}}
  egress:
  - name: {json.dumps(RULE)}
    action: Deny
    to: [{{networks: ["{hosts.BY_NAME['stranger'].addresses[4]}/32"]}}]
"""
# A name that a resolver may answer with, and how it is shown: odd bytes by number (RFC 1035 5.1).
LABEL = b"<img src=x onerror=hacked=1>\xe2\x80\xae"
NAME = "\\060img\\032src\\061x\\032onerror\\061hacked\\0611\\062\\226\\128\\174.hostile.example"
NAMED = "198.51.100.99"
BY_NAME = """
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: by-name}
spec:
  tier: Admin
  priority: 2
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: frontend}}}}
  egress:
  - {action: Accept, to: [{domainNames: ["*.hostile.example"]}]}
"""
# Both the query and its answer, to a server that sends back what it gets.
ASK_ECHO = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(5)
    asking.connect((sys.argv[1], 53))
    for message in sys.argv[2:]:
        asking.send(bytes.fromhex(message))
        asking.recv(65536)
"""
SHADOWED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shadowed, namespace: shop}
spec:
  podSelector: {matchLabels: {app: nobody}}
  ingress:
  - {ports: [{protocol: TCP, port: 80}], from: [{podSelector: {}}]}
  - {from: [{podSelector: {}}]}
"""
STAGED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: backend, namespace: shop}
spec: {podSelector: {matchLabels: {app: backend}}, policyTypes: [Ingress, Egress]}
"""
ANYWHERE = "192.0.2.77"  # an address of the filter's own, which is not loopback
TOKEN = "0123456789abcdef0123456789abcdef"


class Page(NamespaceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.manifests / "hostile.yaml").write_text(HOSTILE)
        (cls.manifests / "shadowed.yaml").write_text(SHADOWED)
        (cls.manifests / "by_name.yaml").write_text(BY_NAME)
        staged = cls.folder / "staged"
        staged.mkdir()
        (staged / "backend.yaml").write_text(STAGED)
        token = cls.folder / "token"
        token.write_text(TOKEN + "\n")
        config = cls.folder / "sluiced.yaml"
        config.write_text(f"http_page_token: {token}\n")
        inside = cls.topology.inside("filter")
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        subprocess.run([*inside, "ip", "addr", "add", f"{ANYWHERE}/32", "dev", "lo"], check=True)
        cls.inside = inside
        names = cls.folder / "names.yaml"
        names.write_text("dns: {resolvers: [kube-system/k8s-app=kube-dns]}\n")
        cls.daemon = cls.stack.enter_context(programs.Daemon(
            cls.topology, fixture.device, cls.manifests, cls.folder,
            extra=["--config", names, "--http", "0.0.0.0:9465", "--staged", staged]))
        # One that a sender pushes to, and that shows the page to whoever has the token.
        second = cls.folder / "second"
        second.mkdir()
        cls.second = cls.stack.enter_context(programs.Program("second", [
            *inside, programs.BIN / "sluiced", "--no-huge", "--wire", "null,null", "--config", config,
            "--listen", f"unix:{second}/s.sock", "--http", "0.0.0.0:9466"], cls.folder))
        cls.second.target = f"unix:{second}/s.sock"
        cls.stack.enter_context(programs.Sync(cls.manifests, cls.second.target, cls.folder, ["--node", SENDER]))

    def setUp(self):
        self.over = threading.Event()

    def traffic(self):
        """In the background, until the test ends: what is allowed and what is denied."""
        def run():
            while not self.over.is_set():
                self.ask("shop/frontend", "tcp", "shop/backend", 4, port=80, timeout=1)
                self.ask("shop/frontend", "tcp", "shop/database", 4, port=5432, timeout=0.2)
                self.ask("stranger", "tcp", "shop/frontend", 4, port=80, timeout=0.2)
                self.ask("shop/frontend", "tcp", "stranger", 4, port=80, timeout=0.2)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.over.set)

    def learn(self):
        """Has the filter meet a resolver's answer, which names an address."""
        resolver = hosts.BY_NAME["kube-system/dns"].addresses[4]
        asked = bytes([len(LABEL)]) + LABEL + b"\x07hostile\x07example\0" + struct.pack("!HH", 1, 1)
        query = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + asked
        answer = struct.pack("!HHHHHH", 7, 0x8180, 1, 1, 0, 0) + asked + b"\xc0\x0c"
        answer += struct.pack("!HHIH", 1, 1, 3600, 4) + socket.inet_aton(NAMED)
        subprocess.run([*self.topology.inside("frontend"), "python3", "-c", ASK_ECHO, resolver, query.hex(), answer.hex()],
                       check=True, timeout=60)

    def ui(self, *targets):
        """A running sluicectl ui; its address."""
        words = [word for target in targets for word in ("--target", target)]
        process = subprocess.Popen([programs.BIN / "sluicectl", "ui", *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)
        return process.stdout.readline().strip()

    def curl(self, url, *arguments):
        """From the filter's namespace: status and body."""
        command = [*self.inside, "curl", "-s", "-m", "60", "-w", "\n%{http_code}", *arguments, url]
        body, _, status = subprocess.run(command, capture_output=True, text=True, timeout=90).stdout.rpartition("\n")
        return int(status), body

    def test_each_view_shows_real_traffic_in_a_browser(self):
        if not shutil.which("chromium"):
            self.skipTest("no chromium here (package chromium)")
        try:
            modules = page_packages.installed() / "node_modules"
        except page_packages.Missing as missing:
            self.skipTest(str(missing))
        self.traffic()
        self.learn()
        pictures = os.environ.get("SLUICE_PICTURES") or self.folder / "pictures"
        settings = {"modules": str(modules), "url": self.ui(self.daemon.target, self.second.target), "pictures": str(pictures),
                    "hostile": {"rule": RULE, "sender": SENDER, "name": NAME, "named": NAMED}}
        run = subprocess.run(["timeout", "500", "node", pathlib.Path(__file__).with_name("page_browser.mjs"), json.dumps(settings)],
                             capture_output=True, text=True, env={**os.environ, "HOME": str(self.folder)})
        checks = [json.loads(line) for line in run.stdout.splitlines()]
        self.assertEqual((run.returncode, len(checks)), (0, 16), run.stdout + run.stderr)
        for one in checks:
            with self.subTest(one["check"]):
                self.assertIsNone(one["error"])

    def test_the_page_of_sluiced_is_for_its_host_and_metrics_for_all(self):
        for path in ("/", "/api/dataplanes"):
            self.assertEqual(self.curl(f"http://127.0.0.1:9465{path}")[0], 200)
            status, body = self.curl(f"http://{ANYWHERE}:9465{path}")
            self.assertEqual(status, 403)
            self.assertIn("http_page_token", body)
        for path in ("/metrics", "/healthz", "/readyz"):
            self.assertEqual(self.curl(f"http://{ANYWHERE}:9465{path}")[0], 200)

    def test_with_a_token_it_is_for_whoever_has_it(self):
        url = f"http://{ANYWHERE}:9466/api/dataplanes"
        self.assertEqual(self.curl(url)[0], 401)
        self.assertEqual(self.curl(url, "-H", "Authorization: Bearer x" + TOKEN[1:])[0], 401)
        status, body = self.curl(url, "-H", f"Authorization: Bearer {TOKEN}")
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["dataplanes"][0]["sender"], f"sluice-sync/{SENDER}")

    def test_no_other_site_gets_at_it(self):
        url = "http://127.0.0.1:9465/api/dataplanes"
        self.assertEqual(self.curl(url, "-H", "Host: evil.example")[0], 403)
        self.assertEqual(self.curl(url, "-H", "Sec-Fetch-Site: cross-site")[0], 403)
        for arguments in (["-X", "OPTIONS", "-H", "Access-Control-Request-Method: GET"], []):
            status, answer = self.curl(url, "-i", "-H", "Origin: http://evil.example", *arguments)
            self.assertNotIn("access-control", answer.lower())
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            self.assertIn(self.curl(url, "-X", method)[0], (404, 405, 501), method)
        headers = self.curl("http://127.0.0.1:9465/", "-i")[1].lower()
        self.assertIn("content-security-policy: default-src 'none'; script-src 'self';", headers)
        self.assertIn("x-content-type-options: nosniff", headers)
        self.assertIn("referrer-policy: no-referrer", headers)

    def test_four_watch_drops_at_once_and_a_fifth_when_one_left(self):
        self.traffic()
        address = self.ui(self.daemon.target)
        port, token = int(address.split(":")[2].split("/")[0]), address.split("token=")[1]

        def watch():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/api/drops", headers={"Authorization": f"Bearer {token}"})
            return connection, connection.getresponse()

        with contextlib.ExitStack() as stack:
            watchers = [watch() for _ in range(4)]
            for connection, answer in watchers:
                stack.callback(connection.close)
                stack.callback(answer.close)
                self.assertEqual(answer.status, 200)
                while not (line := answer.readline()).startswith(b"data: "):
                    self.assertNotEqual(line, b"", "the stream ended")
                self.assertIn("reason", json.loads(line[6:]))
            connection, answer = watch()
            self.assertEqual(answer.status, 503)
            answer.close()
            connection.close()
        watched = False
        for _ in range(60):
            connection, answer = watch()
            watched = answer.status == 200
            answer.close()
            connection.close()
            if watched:
                break
            self.over.wait(0.5)
        self.assertTrue(watched, "places of watchers that left are not given on")

    def test_a_dataplane_that_is_gone_is_named_and_the_others_are_shown(self):
        with tempfile.TemporaryDirectory() as nowhere:
            address = self.ui(f"unix:{nowhere}/s.sock", self.daemon.target)
            port, token = address.split(":")[2].split("/")[0], address.split("token=")[1]
            run = subprocess.run(["curl", "-s", "-m", "60", "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}/api/dataplanes"],
                                 capture_output=True, text=True, timeout=90)
        gone, there = json.loads(run.stdout)["dataplanes"]
        self.assertIn("cannot be reached", gone["error"])
        self.assertEqual(there["generation"], 1)


class Ui(unittest.TestCase):
    def test_what_cannot_be_is_refused_with_its_reason(self):
        for arguments, told in ((["--target", "gw1:7443"], "TCP wants --tls-ca"), (["--port", "70000"], "--port"),
                                (["--port", "x"], "--port")):
            with self.subTest(arguments):
                run = subprocess.run([programs.BIN / "sluicectl", "ui", *arguments], capture_output=True, text=True, timeout=60)
                self.assertEqual(run.returncode, 2)
                self.assertIn(told, run.stderr)


if __name__ == "__main__":
    fixture.main()
