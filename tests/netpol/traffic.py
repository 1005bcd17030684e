"""Connections between all hosts, by all kinds of traffic, IPv4 and IPv6: which open, and what becomes of the open ones.

Every look opens all connections anew, and speaks on all that the look before it opened: NP-80 (docs/semantics.md) holds
for each of them at every step of every case, and NP-04 for the answers.
"""

import collections
import dataclasses

import case_file
import frames

FAMILIES = (4, 6)
FIRST_CLIENT_PORT = 20000
HAVE_HANDSHAKE = ("tcp", "sctp")


@dataclasses.dataclass(frozen=True)
class Connection:
    source: str
    destination: str
    kind: str
    family: int
    client_port: int

    @property
    def protocol(self):
        return self.kind.partition(" ")[0]

    def is_among(self, reached):
        return self.kind in reached[self.source, self.destination]


class Traffic:
    def __init__(self, wire, addresses):
        """`addresses`: by host and family."""
        self._wire = wire
        self._addresses = addresses
        self._port = FIRST_CLIENT_PORT
        self._live = []

    def look(self, reached):
        """Compares all traffic with the reachability of a case; returns a line for each difference."""
        problems = self._speak_on_live(reached)
        self._port += 1
        fresh = [
            Connection(source, destination, kind, family, self._port)
            for source in case_file.HOSTS
            for destination in case_file.HOSTS
            for kind in case_file.KINDS
            for family in FAMILIES
        ]
        opened = self._pass(fresh, "open")
        problems += tell(fresh, opened, [c.is_among(reached) for c in fresh], "a new connection")
        self._live = [connection for connection, passed in zip(fresh, opened) if passed]
        problems += self._expect(self._live, "answer", True, "the answer on an open connection")
        shaken = [c for c in self._live if c.protocol in HAVE_HANDSHAKE]
        problems += self._expect(shaken, "confirm", True, "the client's second packet")
        problems += self._expect(shaken, "confirmed", True, "the server's second packet")
        return problems

    def forget(self):
        """Speaks no more on what is open."""
        self._live = []

    def _speak_on_live(self, reached):
        kept = [c for c in self._live if c.is_among(reached)]
        cut = [c for c in self._live if not c.is_among(reached)]
        # Of a cut connection either end may be the first to speak. What has no handshake may have been forgotten by
        # then, and the server's packet is the first of a connection of its own.
        server_first = [c for number, c in enumerate(cut) if number // 2 % 2 and c.protocol in HAVE_HANDSHAKE]
        problems = self._expect(server_first, "more back", False, "the server on a connection that is cut")
        problems += self._expect(cut, "more", False, "the client on a connection that is cut")
        problems += self._expect(kept, "more", True, "the client on a connection that stays")
        return problems + self._expect(kept, "more back", True, "the server on a connection that stays")

    def _expect(self, connections, packet, passes, words):
        return tell(connections, self._pass(connections, packet), [passes] * len(connections), words)

    def _pass(self, connections, packet):
        return self._wire.pass_through(
            (
                frames.frame(
                    self._addresses[c.source][c.family],
                    self._addresses[c.destination][c.family],
                    c.kind,
                    c.client_port,
                    packet,
                )
                for c in connections
            ),
            packet in frames.FROM_SERVER,
        )


def tell(connections, passed, expected, words):
    """A line for each pair of hosts where what passed is not what was expected."""
    wrong = collections.defaultdict(lambda: collections.defaultdict(set))
    for connection, did, should in zip(connections, passed, expected):
        if did != should:
            wrong[connection.source, connection.destination, did][connection.kind].add(connection.family)
    return [
        f"{source} to {destination}: {words} {'passed, and should not' if did else 'was dropped, and should pass'}: "
        + ", ".join(kind if len(families) > 1 else f"{kind} by IPv{min(families)}" for kind, families in kinds.items())
        for (source, destination, did), kinds in wrong.items()
    ]
