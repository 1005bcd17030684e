"""The quickstart's second act: two pods of one node, whose packets cross no wire, kept apart and let together.

Policy is between them all the same: `sluice-node` hooks each pod's own interface and hands the packets to `sluiced`.
"""

import time

from lab import hooked_node, node
from lab.hosts import FAMILIES, Host

OTHER = Host("web/other", {4: "10.77.0.15", 6: "fd77::15"})
PODS = (node.CLIENT, node.SERVER, OTHER)
PORT = 80
ADMITTED = "matchLabels: {app: client}"
ADMITTED_TOO = "matchExpressions: [{key: app, operator: In, values: [client, other]}]"
SECONDS = 10


def reach(lab, source):
    """What becomes of a TCP connection to the server, a word for each family."""
    agent = lab.agents[source.name]
    answers = [agent.start("tcp", address=node.SERVER.addresses[family], port=PORT) for family in FAMILIES]
    return ["reached" if answer()["outcome"] == "open" else "blocked" for answer in answers]


def rule(lab, source):
    """The rule behind what becomes of it."""
    words = ("explain", "--src", source.addresses[4], "--dst", node.SERVER.addresses[4], "--proto", "tcp")
    side = lab.ask_sluiced(*words, "--dport", str(PORT), exits=(0, 1))["ingress"]
    place = "default" if side["rule"] < 0 else f"[{side['rule']}]"
    return f"{side['policy']} ingress {place}".replace(" [", "[")


class Act:
    def __init__(self, lab):
        self.lab = lab
        self.wrong = 0

    def judge(self, right, text):
        self.wrong += not right
        print(("  ok  " if right else "WRONG ") + text, flush=True)

    def expect(self, source, expected, seconds=0):
        """Tries until all is as expected, for `seconds` at most; shows how it ended."""
        deadline = time.monotonic() + seconds
        while (words := reach(self.lab, source)) != [expected] * len(FAMILIES) and time.monotonic() < deadline:
            pass
        seen = words[0] if words[0] == words[1] else f"{words[0]} by IPv4, {words[1]} by IPv6"
        self.judge(seen == expected, f"{source.short} -> server:{PORT}  {seen}  by {rule(self.lab, source)}")

    def edit(self, old, new):
        path = self.lab.manifests / "cluster.yaml"
        path.write_text(path.read_text().replace(old, new))

    def carry(self):
        """Packets of an open connection pass in the kernel, once sluiced has said so."""
        agent = self.lab.agents[node.CLIENT.name]
        agent.ask("hold", name="carried", address=node.SERVER.addresses[4], port=PORT)
        deadline = time.monotonic() + SECONDS
        packets = 0
        while packets == 0 and time.monotonic() < deadline:
            agent.ask("say", name="carried")
            packets = self.lab.ask_sluiced("status")["carried_packets"]
        self.judge(packets > 0, "what is allowed and established is carried: its packets pass in the kernel, without sluiced")

    def cut(self):
        agent = self.lab.agents[node.CLIENT.name]
        deadline = time.monotonic() + SECONDS
        while (said := agent.ask("say", name="carried", timeout=0.3)) == "open" and time.monotonic() < deadline:
            pass
        self.judge(said == "timeout", "the policy no longer admits the client: its open connection is dead at once, carried or not")


def play():
    """How many things went wrong."""
    with hooked_node.HookedNode(hooked_node.prefix("sq"), node.Shape(is_bridge=True), PODS, services=False) as lab:
        act = Act(lab)
        act.expect(node.CLIENT, "reached")
        act.expect(OTHER, "blocked")
        act.carry()
        act.edit(ADMITTED, ADMITTED_TOO)
        act.expect(OTHER, "reached", SECONDS)
        act.edit(ADMITTED_TOO, "matchLabels: {app: nobody}")
        act.cut()
        return act.wrong
