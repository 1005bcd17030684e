"""Sluice's main job on real traffic, as a table: who reaches whom, expected beside seen, and the rule behind each.

Policy goes the way that it goes in production: from manifests by sluice-sync and gRPC to sluiced, which knows no files.

Run by scripts/quickstart.sh, which installs and builds first. Exit 0: every cell is right; 1: one is not; 2: it could
not run.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

if __package__ is None:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import capture, hooked_node, hosts, netns, programs, second_act
from lab.agents import Agents

SECONDS_IN_ALL = 120
DEVICES = ("af_xdp", "af_packet")  # the first that works

STEPS = 6
EDITED = "backend.yaml"
EDIT = ("matchLabels: { app: frontend }", "matchLabels: { app: nobody }")


def say(step, text):
    print(f"[{step}/{STEPS}] {text}", flush=True)


def word(allowed):
    return "reached" if allowed else "blocked"


def seen_word(outcome):
    """What the kernel's stack saw, in the table's words; anything else stays as it is, and is wrong."""
    return {"open": "reached", "timeout": "blocked"}.get(outcome, outcome)


REASON_WIDTH = 80


def reason(decision):
    """The rules behind a decision of `sluicectl explain` or `check`, as lines: one, or one for each side."""
    if decision.get("exempt"):
        return [{"node": "own node", "self": "itself"}[decision["exempt"]]]
    parts = []
    for direction in ("egress", "ingress"):
        side = decision[direction]
        if "policy" not in side or (decision["verdict"] == "deny" and side["verdict"] == "allow"):
            continue
        rule = " default" if side["rule"] < 0 else f"[{side['rule']}]"
        policies = ", ".join(side.get("isolated_by", [side["policy"]]))
        parts.append(f"{policies} {direction}{rule}")
    line = "; ".join(parts) or "no policy"
    return [line] if len(line) <= REASON_WIDTH else parts


class Table:
    """Rows of two cells (IPv4, IPv6); counts the wrong ones."""

    WIDTHS = (10, 10, 9, 9, 9, 9)

    def __init__(self, decisions):
        self.decisions = decisions
        self.cells = 0
        self.wrong = 0

    def show(self, flows, seen):
        """`seen` is the word for each flow; flows hold every row twice, IPv4 first."""
        half = len(flows) // 2
        print("      " + self._row("from", "to", "traffic", "expected", "IPv4", "IPv6") + "by rule")
        for first, second, *words in zip(flows[:half], flows[half:], seen[:half], seen[half:]):
            traffic = first.protocol + (f" {first.port}" if first.port else "")
            marks = [self._judge(flow, text) for flow, text in ((first, words[0]), (second, words[1]))]
            decision = self.decisions[first.id]
            row = self._row(first.src.short, first.dst.short, traffic, word(first.allowed), *words)
            first_line, *more = reason(decision)
            print(("  ok  " if all(marks) else "WRONG ") + row + first_line, flush=True)
            for line in more:
                print(" " * (6 + len(row)) + line, flush=True)

    def _judge(self, flow, text):
        decided = self.decisions[flow.id]["verdict"] == "allow"
        right = text == word(flow.allowed) and decided == flow.allowed
        self.cells += 1
        self.wrong += not right
        return right

    def _row(self, *texts):
        return "".join(text.ljust(width) + " " for text, width in zip(texts, self.WIDTHS))


def start_daemon(stack, topology, devices, folder):
    """Starts sluiced on the first kind of device that works here; returns it and the kind."""
    for device in devices:
        try:
            return stack.enter_context(programs.Daemon(topology, device, None, folder)), device
        except programs.DaemonFailed as error:
            failure = error
            print(f"      {device} does not work here", flush=True)
    raise failure


def explain_all(flows, target):
    """What the table in force decides of each flow, by the flow's id."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        decisions = pool.map(lambda flow: programs.explain(flow, target), flows)
        return {flow.id: decision for flow, decision in zip(flows, decisions)}


def wait_until(condition, seconds):
    """Seconds until `condition()` held, or None."""
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        if condition():
            return passed
        time.sleep(0.05)
    return None


def cut_and_restore(agents, manifests, target):
    """Edits a policy under a live connection of each family; returns how many things went wrong."""
    frontend = agents["shop/frontend"]
    backend = hosts.BY_NAME["shop/backend"]
    names = {family: f"ipv{family}" for family in hosts.FAMILIES}
    for family, name in names.items():
        if frontend.ask("hold", name=name, address=backend.addresses[family], port=80) != "open":
            print(f"WRONG frontend cannot open a connection to backend by {name}: nothing to cut")
            return 1
    if any(frontend.ask("say", name=name) != "open" for name in names.values()):
        print("WRONG frontend's connections to backend carry nothing before the edit")
        return 1

    policy = manifests / EDITED
    text = policy.read_text()
    before = programs.status(target)["generation"]
    policy.write_text(text.replace(*EDIT))
    written = datetime.datetime.now(datetime.timezone.utc)
    cut = wait_until(
        lambda: all(frontend.ask("say", name=name, timeout=0.3) == "timeout" for name in names.values()), 10
    )
    if cut is None:
        print(f"WRONG frontend's connections to backend outlived the edit of {EDITED}")
        return 1
    print(f"  ok  {EDITED} no longer admits the frontend: both open connections are dead")
    status = programs.status(target)
    live = datetime.datetime.fromisoformat(status["published"]) - written
    print(f"      from file to live in {live / datetime.timedelta(milliseconds=1):.0f} ms: generation {before} -> {status['generation']}")

    policy.write_text(text)
    restored = wait_until(
        lambda: all(
            frontend.ask("tcp", address=backend.addresses[family], port=80, timeout=0.5) == "open" for family in names
        ),
        10,
    )
    if restored is None:
        print(f"WRONG frontend does not reach backend after {EDITED} is as it was")
        return 1
    print(f"  ok  {EDITED} is as it was: new connections open again ({restored:.1f} s)")
    return 0


def run_live(folder, devices):
    manifests = folder / "manifests"
    manifests.mkdir()
    for path in hosts.EXAMPLES.glob("*.yaml"):
        shutil.copy(path, manifests)
    flows = hosts.load_flows()

    with contextlib.ExitStack() as stack:
        wire = "by one wire, with sluiced on it and sluice-sync beside it"
        say(3, f"joining {len(hosts.HOSTS)} network namespaces {wire}")
        topology = stack.enter_context(netns.Topology(hosts.HOSTS))
        agents = stack.enter_context(Agents(topology))
        daemon, device = start_daemon(stack, topology, devices, folder)
        stack.enter_context(programs.Sync(manifests, daemon.target, folder))
        say(4, f"sending TCP, UDP and ICMP from the kernel's own stack across sluiced ({device})")
        table = Table(explain_all(flows, daemon.target))
        table.show(flows, [seen_word(outcome) for outcome in agents.probe(flows, timeout=1.5)])
        say(5, "editing a policy while connections are open")
        wrong = cut_and_restore(agents, manifests, daemon.target)
    say(6, "two pods of one node, whose packets cross no wire: sluice-node hooks their own interfaces")
    if lacking := hooked_node.lacking():
        print(f"      left out, as this kernel cannot have hooks: {lacking}")
    else:
        wrong += second_act.play()
    return finish(table, wrong)


def run_replay(folder):
    say(3, f"replaying {capture.CAPTURE.relative_to(hosts.ROOT)} through the same pipeline instead")
    flows = hosts.load_flows()
    decisions = programs.check(flows, hosts.EXAMPLES, folder)
    outcomes = programs.replay(capture.CAPTURE, hosts.EXAMPLES)
    sent = list(capture.packets(flows))
    if len(outcomes) != len(sent):
        raise RuntimeError(f"replay spoke of {len(outcomes)} packets out of {len(sent)}")
    passed = {flow.id: True for flow in flows}
    for packet, outcome in zip(sent, outcomes):
        passed[packet.flow.id] &= outcome["verdict"] == "forward"
    say(4, "comparing")
    table = Table(decisions)
    table.show(flows, [word(passed[flow.id]) for flow in flows])
    return finish(table)


def finish(table, wrong=0):
    print(f"{table.cells - table.wrong} of {table.cells} cells are as expected")
    return 1 if table.wrong or wrong else 0


def interrupted(number, _frame):
    if number == signal.SIGALRM:
        raise TimeoutError(f"not done after {SECONDS_IN_ALL} seconds")
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="runs the quickstart; scripts/quickstart.sh builds first")
    parser.add_argument("--replay", action="store_true", help="replay the example capture, as without privileges")
    parser.add_argument("--device", choices=DEVICES, help="the kind of port to use; else the first that works here")
    options = parser.parse_args()

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, interrupted)
    signal.alarm(SECONDS_IN_ALL)
    missing = None if options.replay else netns.missing_privilege()
    if missing:
        print(f"      no network namespaces here ({missing})")
        if os.geteuid() != 0:
            print("      the live part needs root: sudo scripts/quickstart.sh")
    with tempfile.TemporaryDirectory(prefix="sluice-quickstart-") as folder:
        try:
            if options.replay or missing:
                return run_replay(pathlib.Path(folder))
            return run_live(pathlib.Path(folder), (options.device,) if options.device else DEVICES)
        except KeyboardInterrupt:
            print("quickstart: interrupted; everything that it made is gone", file=sys.stderr)
            return 130
        except (OSError, RuntimeError, TimeoutError, programs.DaemonFailed) as error:
            print(f"quickstart: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
