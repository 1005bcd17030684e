"""Flows that hooks carry, with real packets: node_carry_test.py bridge|routed.

What is carried passes without sluiced, and everything else is as if it did not: verdicts, cuts, counts, time-outs.
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

import node_fixture
from node_fixture import FAMILIES, NodeTest, wait_for
from lab import node
from lab.netns import run
from lab.node import CLIENT, NODE, OPEN, OUTSIDE, SERVER, SERVICE, THIRD
from lab.programs import sluicectl

LARGE = 300_000
HEADERS = {4: 14 + 20 + 32, 6: 14 + 40 + 32}  # of TCP with time stamps
names = itertools.count()
association_ports = itertools.count(40000)


class Held:
    """A connection that stays open, by IPv4 or IPv6."""

    def __init__(self, test, source, destination, port, family, protocol="tcp"):
        self.test, self.source, self.family, self.port, self.protocol = test, source, family, port, protocol
        self.address = (destination if isinstance(destination, dict) else destination.addresses)[family]
        self.name = f"held-{next(names)}"
        assert self.ask("hold", address=self.address, port=port, protocol=protocol) == "open"
        self.source_port = self.ask("port")
        test.addCleanup(self.release)

    def ask(self, action, **request):
        return self.test.lab.agents[self.source.name].ask(action, name=self.name, **request)

    def say(self, **request):
        return self.ask("say", **request)

    def start(self, **request):
        return self.test.lab.agents[self.source.name].start("say", name=self.name, **request)

    def release(self):
        if self.name:
            self.ask("release")
        self.name = None


class CarryTest(NodeTest):
    is_alone = True

    def target(self):
        return self.lab.target

    def hold(self, source, destination, port, **settings):
        """By each family."""
        return [Held(self, source, destination, port, family, **settings) for family in FAMILIES]

    def filter_status(self):
        code, output, errors = sluicectl("status", "--target", self.target(), "-o", "json")
        self.assertEqual((code, errors), (0, ""))
        return json.loads(output)

    def carried(self):
        return self.lab.frames("carried")

    def becomes_carried(self, connections):
        """Each of them, both ways: what it says does not come to the filter."""

        def is_carried():
            before = self.lab.frames("to_filter")
            for connection in connections:
                self.assertEqual(connection.say(), "open")
            return self.lab.frames("to_filter") == before

        wait_for(is_carried, "flows to be carried")

    def flows(self, connection):
        code, output, errors = sluicectl("get", "flows", "--target", self.target(), "-o", "json")
        self.assertEqual((code, errors), (0, ""))
        wanted = (connection.source.addresses[connection.family], connection.source_port)
        return [flow for flow in json.loads(output) if (flow["src"]["address"], flow["src"].get("port")) == wanted]

    def change_policy(self, old, new):
        """Returns when it is in force."""
        path = self.lab.manifests / "cluster.yaml"
        generation = self.filter_status()["generation"]
        text = path.read_text()
        self.assertIn(old, text)
        changed = path.with_suffix(".new")
        changed.write_text(text.replace(old, new, 1))
        changed.replace(path)
        wait_for(lambda: self.filter_status()["generation"] > generation, "the new policy")

    ADMITTED = "podSelector: {matchLabels: {app: client}}"
    NOBODY = "podSelector: {matchLabels: {app: nobody}}"


class Flows(CarryTest):
    def test_a_connection_between_pods_is_carried_both_ways(self):
        connections = self.hold(CLIENT, SERVER, 80)
        self.becomes_carried(connections)
        before = self.carried()
        for connection in connections:
            self.assertEqual(connection.say(size=LARGE), "open")
        self.assertGreater(self.carried(), before)
        self.assertGreaterEqual(self.lab.status()["carried_flows"], 2)
        self.assertGreaterEqual(self.filter_status()["carried_flows"], 2)
        self.assertTrue(self.lab.status()["filtered"])

    def test_a_connection_to_a_service_is_carried(self):
        connections = self.hold(CLIENT, SERVICE, 80)
        self.becomes_carried(connections)
        self.assertEqual([connection.say(size=LARGE) for connection in connections], ["open", "open"])

    def test_a_connection_to_a_node_port_is_carried(self):
        connections = self.hold(OUTSIDE, NODE, 30081)
        self.becomes_carried(connections)
        self.assertEqual([connection.say(size=LARGE) for connection in connections], ["open", "open"])

    def test_a_connection_out_of_the_node_is_carried(self):
        connections = self.hold(THIRD, OUTSIDE, 443)
        self.becomes_carried(connections)
        self.assertEqual([connection.say(size=LARGE) for connection in connections], ["open", "open"])

    def test_datagrams_both_ways_are_carried(self):
        connections = self.hold(CLIENT, OPEN, 53, protocol="udp")
        self.becomes_carried(connections)
        self.assertEqual([connection.say(times=200) for connection in connections], ["open", "open"])

    def test_fragments_of_a_carried_flow_go_to_the_filter_and_pass(self):
        connections = self.hold(CLIENT, OPEN, 53, protocol="udp")
        self.becomes_carried(connections)
        before = self.lab.frames("to_filter")
        self.assertEqual([connection.say(size=4000) for connection in connections], ["open", "open"])
        self.assertGreaterEqual(self.lab.frames("to_filter") - before, 8)

    def test_a_connection_that_ends_is_carried_no_more(self):
        connections = self.hold(OPEN, CLIENT, 80)
        self.becomes_carried(connections)
        for connection in connections:
            connection.release()
        wait_for(
            lambda: all({flow["state"] for flow in self.flows(connection)} == {"TIME_WAIT"} for connection in connections),
            "the end of both connections",
        )


class Counts(CarryTest):
    def counted(self, connection, least=0):
        """What its flow counts, once it has so many packets, and everything: that is within a second."""
        wait_for(lambda: self.flows(connection)[0]["packets"] >= least, "the count of each packet")
        time.sleep(1.2)
        return self.flows(connection)[0]

    def test_every_packet_and_byte_is_counted_once(self):
        connections = self.hold(CLIENT, OPEN, 53, protocol="udp")
        for connection, headers in zip(connections, (42, 62)):
            self.assertEqual(connection.say(), "open")
            self.becomes_carried([connection])
            before = self.counted(connection)
            self.assertEqual(connection.say(times=500, size=100), "open")
            after = self.counted(connection, before["packets"] + 1000)
            self.assertEqual(after["packets"] - before["packets"], 1000)
            self.assertEqual(after["bytes"] - before["bytes"], 1000 * (headers + 100))

    def sent_again(self, *hosts):
        """Bytes that TCP sent a second time: a busy machine's acknowledgements may be late."""
        told = [run(*self.lab.topology.inside(host.short), "ss", "-tin") for host in hosts]
        return sum(map(int, re.findall(r"bytes_retrans:(\d+)", "".join(told))))

    def test_segments_count_with_their_headers(self):
        for connection in self.hold(CLIENT, SERVER, 80):
            self.becomes_carried([connection])
            before, again = self.counted(connection), self.sent_again(CLIENT, SERVER)
            self.assertEqual(connection.say(size=LARGE, times=10), "open")
            payload = 2 * 10 * LARGE
            after = self.counted(connection, before["packets"] + payload // 1448)
            packets, count = (after[what] - before[what] for what in ("packets", "bytes"))
            self.assertGreaterEqual(packets, payload // 1448)
            payload += self.sent_again(CLIENT, SERVER) - again
            # Where something was sent again, acknowledgements say so, in a few bytes more.
            self.assertAlmostEqual(count - payload, packets * HEADERS[connection.family], delta=2000)

    def test_rules_count_what_is_carried(self):
        connection = Held(self, CLIENT, SERVER, 80, 4)
        self.becomes_carried([connection])

        def bytes_of_rule():
            code, output, errors = sluicectl("get", "rules", "--target", self.target(), "-o", "json")
            self.assertEqual((code, errors), (0, ""))
            return sum(rule["bytes"] for rule in json.loads(output) if rule["policy"] == "web/server")

        before = bytes_of_rule()
        self.assertEqual(connection.say(size=LARGE), "open")
        wait_for(lambda: bytes_of_rule() - before >= 2 * LARGE, "the rule's count")


class Association:
    """An SCTP association, by IPv4 or IPv6, of ends that are made by hand."""

    def __init__(self, test, source, destination, family):
        own, peer = source.addresses[family], destination.addresses[family]
        self.server = self._start(test, destination, peer)
        self.client = self._start(test, source, own, peer, str(next(association_ports)))

    @staticmethod
    def _start(test, host, *words):
        script = str(pathlib.Path(__file__).with_name("sctp_end.py"))
        command = [*test.lab.topology.inside(host.short), sys.executable, script, *words]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        test.addCleanup(Association._end, process)
        assert process.stdout.readline() == "ready\n"
        return process

    @staticmethod
    def _end(process):
        process.kill()
        process.communicate()

    def ask(self, *chunks, timeout=20):
        """The type of the chunk that answers a packet of these."""
        self.client.stdin.write(" ".join(map(str, (timeout, *chunks))) + "\n")
        self.client.stdin.flush()
        return self.client.stdout.readline().strip()


class Associations(CarryTest):
    """SCTP: what is between the handshake and the end is carried."""

    DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK = range(6)
    SHUTDOWN, SHUTDOWN_ACK, COOKIE_ECHO, COOKIE_ACK = 7, 8, 10, 11

    def setUp(self):
        if pathlib.Path("/proc/net/sctp").exists():
            self.skipTest("this kernel's own SCTP would answer as well")

    def answers(self, association, chunk, answer):
        self.assertEqual(association.ask(chunk), str(answer))

    def open(self, family):
        association = Association(self, CLIENT, OPEN, family)
        self.answers(association, self.INIT, self.INIT_ACK)
        self.answers(association, self.COOKIE_ECHO, self.COOKIE_ACK)
        return association

    def is_carried(self, association):
        before = self.lab.frames("to_filter")
        self.answers(association, self.DATA, self.SACK)
        return self.lab.frames("to_filter") == before

    def test_an_association_is_carried_until_it_closes(self):
        for family in FAMILIES:
            with self.subTest(family=family):
                association = self.open(family)
                wait_for(lambda: self.is_carried(association), "its packets to be carried")
                before, carried = self.lab.frames("to_filter"), self.carried()
                for chunks, answer in (((self.DATA,), self.SACK), ((self.HEARTBEAT,), self.HEARTBEAT_ACK), ((self.DATA,) * 3, self.SACK)):
                    self.assertEqual(association.ask(*chunks), str(answer))
                self.assertEqual(self.lab.frames("to_filter"), before)
                self.assertEqual(self.carried() - carried, 6)
                self.answers(association, self.SHUTDOWN, self.SHUTDOWN_ACK)
                self.assertGreaterEqual(self.lab.frames("to_filter") - before, 2)

    def test_what_the_filter_would_drop_is_not_carried(self):
        association = self.open(4)
        wait_for(lambda: self.is_carried(association), "its packets to be carried")
        for chunks in (("0!",), (self.DATA, "0!"), (self.DATA, self.INIT)):
            before = self.lab.frames("to_filter")
            self.assertEqual(association.ask(*chunks, timeout=1), "timeout")
            wait_for(lambda: self.lab.frames("to_filter") > before, "it to be taken to the filter")
            self.assertEqual(self.lab.frames("to_filter") - before, 1)
        self.assertEqual(association.ask(self.DATA), str(self.SACK))

    def test_an_upgrade_cuts_no_association(self):
        associations = [self.open(family) for family in FAMILIES]
        for association in associations:
            wait_for(lambda: self.is_carried(association), "its packets to be carried")
        self.lab.filter.stop()
        self.assertEqual([one.ask(self.DATA) for one in associations], [str(self.SACK)] * 2)
        self.lab.restart_filter()
        for association in associations:
            wait_for(lambda: self.is_carried(association), "its packets to be carried again")

    def test_what_policy_denies_is_not_opened(self):
        association = Association(self, CLIENT, SERVER, 4)
        self.assertEqual([association.ask(chunk, timeout=1) for chunk in (self.INIT, self.COOKIE_ECHO, self.DATA)], ["timeout"] * 3)


class Timeouts(CarryTest):
    config = "timeouts: {udp_stream: 2}"

    def test_a_flow_that_talks_does_not_expire_and_a_silent_one_does(self):
        connections = self.hold(CLIENT, OPEN, 53, protocol="udp")
        self.becomes_carried(connections)
        created = self.created()
        end = time.monotonic() + 6
        while time.monotonic() < end:
            self.assertEqual([connection.say() for connection in connections], ["open", "open"])
            time.sleep(0.2)
        self.assertEqual(self.created(), created)
        wait_for(lambda: self.lab.status()["carried_flows"] == 0, "silent flows to be carried no more")

    def created(self):
        code, output, errors = sluicectl("get", "workers", "--target", self.target(), "-o", "json")
        self.assertEqual((code, errors), (0, ""))
        return sum(worker["flows_created"] for worker in json.loads(output))


class Changes(CarryTest):
    def test_a_change_cuts_what_it_denies_at_once_and_leaves_the_rest(self):
        cut = self.hold(CLIENT, SERVER, 80) + self.hold(CLIENT, SERVICE, 80)
        left = self.hold(OPEN, CLIENT, 80) + self.hold(OPEN, OUTSIDE, 443)
        counted = self.hold(CLIENT, OPEN, 53, protocol="udp")  # no datagram is sent twice
        self.becomes_carried(cut + left + counted)
        before = self.lab.frames("to_filter")
        answers = [connection.start(times=20_000, timeout=2) for connection in counted]
        self.change_policy(self.ADMITTED, self.NOBODY)
        self.assertEqual({connection.say(timeout=0.5) for connection in cut}, {"timeout"})
        self.assertEqual({connection.say(size=LARGE) for connection in left}, {"open"})
        self.assertEqual([answer()["outcome"] for answer in answers], ["open", "open"])
        self.assertEqual(self.filter_status()["flows_cut"], 4)
        self.assertLess(self.lab.frames("to_filter") - before, 1000)
        self.change_policy(self.NOBODY, self.ADMITTED)
        self.becomes_carried(self.hold(CLIENT, SERVER, 80))

    def test_the_flow_log_has_all_that_passed_before_a_cut(self):
        connection = Held(self, CLIENT, SERVER, 80, 4)
        self.becomes_carried([connection])
        self.assertEqual(connection.say(size=LARGE, times=5), "open")
        self.change_policy(self.ADMITTED, self.NOBODY)
        self.assertEqual(connection.say(timeout=0.5), "timeout")
        self.addCleanup(self.change_policy, self.NOBODY, self.ADMITTED)

        def ended():
            code, output, errors = sluicectl("flows", "--since", "60s", "--target", self.target(), "-o", "json")
            self.assertEqual(code, 0, errors)
            records = [json.loads(line) for line in output.splitlines()]
            return [
                record
                for record in records
                if record.get("cause") == "cut" and record["src"].get("port") == connection.source_port
            ]

        wait_for(ended, "the record of the cut flow")
        self.assertGreaterEqual(ended()[-1]["bytes"], 10 * LARGE)


class Restarts(CarryTest):
    """The filter ends, is killed, comes again: strict, so that nothing is picked up in the middle."""

    config = "tcp_strict: true"

    def goes_on(self, connections):
        self.assertEqual({connection.say(timeout=5) for connection in connections}, {"open"})

    def test_an_upgrade_cuts_no_connection_that_policy_allows(self):
        connections = self.hold(CLIENT, SERVER, 80) + self.hold(CLIENT, SERVICE, 80) + self.hold(OUTSIDE, NODE, 30081)
        connections += self.hold(CLIENT, OPEN, 53, protocol="udp")
        self.becomes_carried(connections)
        self.lab.filter.stop()
        status = self.lab.status()
        self.assertFalse(status["filtered"])
        self.assertGreaterEqual(status["carried_flows"], len(connections))
        self.assertIn("there is no `sluiced`", self.lab.ask("status")[1])
        self.goes_on(connections)
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "timeout")
        self.lab.restart_filter()
        self.goes_on(connections)
        self.becomes_carried(connections)
        self.assertEqual(self.reach(CLIENT, "tcp", SERVER, port=80), "open")

    def test_idle_connections_outlive_one_upgrade_after_the_other(self):
        connections = self.hold(CLIENT, SERVER, 80) + self.hold(CLIENT, OPEN, 53, protocol="udp")
        self.becomes_carried(connections)
        for _ in range(3):
            self.lab.filter.stop()
            self.lab.restart_filter()
        self.goes_on(connections)

    def test_what_passed_while_it_was_away_is_counted(self):
        connection = Held(self, CLIENT, SERVER, 80, 4)
        self.becomes_carried([connection])
        self.lab.filter.kill()
        self.assertEqual(connection.say(size=LARGE), "open")
        self.lab.restart_filter()
        wait_for(lambda: self.flows(connection)[0]["bytes"] >= 2 * LARGE, "the count of what passed")

    def test_what_policy_denies_by_then_is_cut_at_the_next_start(self):
        cut = self.hold(CLIENT, SERVER, 80)
        left = self.hold(OPEN, CLIENT, 80)
        self.becomes_carried(cut + left)
        self.lab.filter.kill()
        path = self.lab.manifests / "cluster.yaml"
        text = path.read_text()
        path.write_text(text.replace(self.ADMITTED, self.NOBODY, 1))
        self.goes_on(cut + left)
        self.lab.restart_filter()
        self.assertEqual({connection.say(timeout=0.5) for connection in cut}, {"timeout"})
        self.goes_on(left)
        path.write_text(text)
        wait_for(lambda: self.reach(CLIENT, "tcp", SERVER, port=80) == "open", "the old policy")

    def test_killed_under_load_it_cuts_nothing_and_lets_nothing_through(self):
        connections = self.hold(CLIENT, SERVER, 80) + self.hold(CLIENT, SERVICE, 80)
        self.becomes_carried(connections)
        is_over, denied = threading.Event(), []

        def try_what_is_denied():
            while not is_over.is_set():
                denied.append(self.reach(OPEN, "tcp", SERVER, port=80, timeout=0.3))

        thread = threading.Thread(target=try_what_is_denied)
        thread.start()
        try:
            for _ in range(4):
                answers = [connection.start(size=LARGE, times=100, timeout=20) for connection in connections]
                self.lab.filter.kill()
                self.lab.restart_filter()
                outcomes = [answer()["outcome"] for answer in answers]
                self.assertEqual(set(outcomes), {"open"})
        finally:
            is_over.set()
            thread.join()
        self.assertEqual(set(denied), {"timeout"})

    def test_without_carrying_what_was_carried_comes_back_to_the_filter(self):
        connections = self.hold(CLIENT, SERVER, 80)
        self.becomes_carried(connections)
        self.lab.filter.stop()
        text = self.lab.config.read_text()
        self.lab.config.write_text(text + "carry: false\n")
        self.lab.restart_filter()
        before = self.lab.frames("to_filter")
        self.goes_on(connections)
        self.assertGreaterEqual(self.lab.frames("to_filter") - before, 4)  # to and fro, by both families
        self.assertEqual(self.lab.status()["carried_flows"], 0)
        self.lab.filter.stop()
        self.lab.config.write_text(text)
        self.lab.restart_filter()
        self.becomes_carried(self.hold(CLIENT, SERVER, 80))


class SameVerdicts:
    """The same traffic, with and without carrying."""

    def test_traffic_that_policy_tells_apart(self):
        for _ in range(2):
            outcomes = {
                (source.short, port): self.reach(source, "tcp", SERVER, port=port, size=LARGE)
                for source in (CLIENT, OPEN, THIRD)
                for port in (80, 8080)
            }
            self.assertEqual({flow for flow, outcome in outcomes.items() if outcome == "open"}, {("client", 80)})
            self.assertEqual(self.reach(CLIENT, "tcp", SERVICE, port=80, size=LARGE), "open")
            self.assertEqual(self.reach(OUTSIDE, "tcp", NODE, port=30081, size=LARGE), "open")
            self.assertEqual(self.reach(OPEN, "udp", SERVER, port=80), "timeout")

    def test_a_change_cuts_an_open_connection(self):
        cut, left = self.hold(CLIENT, SERVER, 80), self.hold(OPEN, CLIENT, 80)
        for connection in cut + left:
            self.assertEqual(connection.say(size=LARGE, times=3), "open")
        self.change_policy(self.ADMITTED, self.NOBODY)
        self.assertEqual({connection.say(timeout=0.5) for connection in cut}, {"timeout"})
        self.assertEqual({connection.say() for connection in left}, {"open"})
        self.change_policy(self.NOBODY, self.ADMITTED)
        self.assertEqual({self.reach(CLIENT, "tcp", SERVER, port=80)}, {"open"})
        self.assertEqual(self.carried() > 0, self.carries)


class Carried(SameVerdicts, CarryTest):
    carries = True


class NotCarried(SameVerdicts, CarryTest):
    config = "carry: false"
    carries = False


if __name__ == "__main__":
    node_fixture.main()
