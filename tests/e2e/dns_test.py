"""DNS across a running sluiced: a real resolver (unbound) and real clients (getent, python), and those who lie."""

import subprocess
import sys
import threading
import time

import dns_fixture
from dns_fixture import ASK_MANY, ASK_ONCE, CHAIN, CLIENT, DNS, MOVED, ONE, OTHER, ZERO, DnsTest, answer, bytes_of, query

# Answers a datagram with whatever it is told, from port 53: who is no trusted resolver, or writes what nobody asked.
ANSWER_WITH = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answering:
    answering.bind(("", 53))
    print("ready", flush=True)
    while True:
        _, peer = answering.recvfrom(65536)
        for message in sys.argv[1:]:
            answering.sendto(bytes.fromhex(message), peer)
"""

# UDP datagrams with any source, which unbound's port is: SOURCE DESTINATION SOURCE_PORT PORT MESSAGE...
SEND_RAW = """
import socket, struct, sys
source, destination, source_port, port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sending:
    for message in map(bytes.fromhex, sys.argv[5:]):
        udp = struct.pack("!HHHH", source_port, port, 8 + len(message), 0) + message
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0)
        sending.sendto(ip + socket.inet_aton(source) + socket.inet_aton(destination) + udp, (destination, 0))
"""


class Answers(DnsTest):
    def test_real_clients_get_what_the_resolver_says_and_each_answer_is_counted(self):
        self.assertEqual(self.addresses("one.example.com"), [ONE])
        self.assertEqual(self.addresses("chain.example.com"), [CHAIN])
        self.assertEqual(self.addresses("www.moved.example.com"), [MOVED])
        self.assertEqual(self.addresses("six.example.com", "ahostsv6"), ["2001:db8:113::9"])
        self.assertEqual(self.inside("getent", "ahostsv4", "none.example.com", check=False).returncode, 2)
        status = self.wait_for(lambda status: status["waiting"] == 0 and status["unlearnt"] >= 5)
        self.assertGreaterEqual(status["queries"], status["unlearnt"])  # a client asks again where it waits long
        self.assertGreaterEqual(status["held"], status["unlearnt"])
        for key in ("spoofed", "malformed", "truncated", "untrusted", "lost_streams", "lost_queries"):
            self.assertEqual(status[key], 0, key)

    def test_four_hundred_addresses_come_by_tcp(self):
        self.assertEqual(len(self.addresses("many.example.com")), 400)
        status = self.wait_for(lambda status: status["waiting"] == 0)
        self.assertGreaterEqual(status["truncated"], 1)
        self.assertGreaterEqual(status["learnt"] + status["unlearnt"], 1)
        self.assertEqual(status["lost_streams"], 0)
        self.assertEqual(status["malformed"], 0)

    def test_by_ipv6(self):
        asked = self.inside(sys.executable, "-c", ASK_ONCE, DNS.addresses[6], 0, 60, query("one.example.com").hex())
        self.assertIn(bytes_of(ONE), asked.stdout)
        self.wait_for(lambda status: status["waiting"] == 0 and status["held"] >= 1 and status["unlearnt"] >= 1)

    def test_many_names_that_no_rule_asks_for_leave_nothing_behind(self):
        asked = self.inside(sys.executable, "-c", ASK_MANY, DNS.addresses[4], 0, 5000, seconds=250)
        sent, answered = map(int, asked.stdout.split())
        self.assertEqual(sent, 5000)
        self.assertGreater(answered, 4000)  # a full queue may lose some
        status = self.wait_for(lambda status: status["waiting"] == 0)
        # Each was read, but for those of which a full ring took no copy.
        self.assertGreaterEqual(status["unlearnt"] + status["spoofed"] + status["no_room"], answered)
        self.assertEqual(status["learnt"], 0)
        self.assertEqual(status["malformed"], 0)

    def test_every_frame_is_accounted_for_when_it_ends(self):
        asking = threading.Thread(target=self.inside, args=(sys.executable, "-c", ASK_MANY, DNS.addresses[4], 50_000, 3000),
                                  kwargs={"check": False})
        asking.start()
        self.wait_for(lambda status: status["held"] > 100)
        self.stop()
        summary = self.daemon.words()
        asking.join()
        self.assertIn("; 0 held, of ", summary, summary[-3000:])


class Liars(DnsTest):
    def ask_from(self, port, name, resolver=DNS.addresses[4]):
        """What comes back for a query from that port."""
        return self.inside(sys.executable, "-c", ASK_ONCE, resolver, port, 60, query(name).hex()).stdout

    def test_what_nobody_asked_for_is_counted_and_not_learnt(self):
        self.assertIn(bytes_of(ONE), self.ask_from(40001, "one.example.com"))
        before = self.wait_for(lambda status: status["unlearnt"] >= 1 and status["waiting"] == 0)
        lies = [answer("one.example.com", "198.51.100.1", number=2), answer("two.example.com", "198.51.100.1"),
                answer("one.example.net", "198.51.100.1"), answer("one.example.com", "198.51.100.1", number=3)]
        self.inside(sys.executable, "-c", SEND_RAW, DNS.addresses[4], CLIENT.addresses[4], 53, 40001,
                    *[lie.hex() for lie in lies], host="dns")
        status = self.wait_for(lambda status: status["spoofed"] >= 4)
        self.assertEqual(status["spoofed"], 4)
        self.assertEqual(status["learnt"] + status["unlearnt"], before["learnt"] + before["unlearnt"])

    def test_a_resolver_that_is_not_trusted_is_counted_and_not_read(self):
        process = subprocess.Popen([*self.topology.inside("other"), sys.executable, "-c", ANSWER_WITH,
                                    answer("one.example.com", "198.51.100.1").hex()], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        self.assertIn(bytes_of("198.51.100.1"), self.ask_from(40002, "one.example.com", OTHER.addresses[4]))
        status = self.wait_for(lambda status: status["untrusted"] >= 1)
        self.assertEqual(status["held"], 0)
        self.assertEqual(status["queries"], 0)


class Restarts(DnsTest):
    def test_clients_go_on_over_a_restart(self):
        self.assertEqual(self.addresses("one.example.com"), [ONE])
        self.stop()
        self.start()
        self.assertEqual(self.addresses("zero.example.com"), [ZERO])
        self.wait_for(lambda status: status["unlearnt"] >= 1)

    def test_a_resolver_that_comes_later_is_trusted_once_policy_knows_it(self):
        self.stop()
        pods = self.manifests_text.replace("tier: dns}", "tier: none}")
        self.manifests.write_text(pods)
        self.start()
        self.assertEqual(self.addresses("one.example.com"), [ONE])
        self.assertEqual(self.status()["queries"], 0)
        self.manifests.write_text(self.manifests_text)
        deadline = time.monotonic() + 60
        while self.status()["queries"] == 0 and time.monotonic() < deadline:
            self.addresses("one.example.com")
        self.assertGreater(self.status()["queries"], 0)
        self.assertIn("DNS is read of 2 resolvers", self.daemon.words())


if __name__ == "__main__":
    dns_fixture.main()
