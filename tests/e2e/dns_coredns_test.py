"""Egress by name, of answers that CoreDNS gives, as in most clusters: in turn, for no time or a second, by a chain, and by
TCP where they are long."""

import dns_fixture
from dns_fixture import ROTATED, ROTATING, CoreDns
from dns_names_test import NamesTest


class CoreDnsNames(NamesTest):
    resolver = CoreDns

    def test_the_first_packet_to_each_kind_of_answer_passes(self):
        self.begin("zero.example.com", "second.example.com", "chain.example.com", "rotating.example.com", "many.example.com",
                   "www.moved.example.com")
        for name in ("zero", "second", "chain", "www.moved", "rotating"):
            with self.subTest(name):
                self.assert_first_packet_passes(name + ".example.com")
        for _ in range(5):
            self.assertEqual(self.addresses("rotating.example.com"), [ROTATING, ROTATED])
        for address in (ROTATING, ROTATED):
            self.assertTrue(self.curl(address), "in whichever order they came")
        learnt = self.status()["learnt"]
        self.assertEqual(len(self.addresses("many.example.com")), 400)
        self.wait_for(lambda status: status["learnt"] > learnt and status["truncated"] > 0)


if __name__ == "__main__":
    dns_fixture.main(dns_fixture.coredns, "needs CoreDNS (scripts/build-test-cluster.sh)")
