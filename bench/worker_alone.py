"""Section 2. A worker alone: packets from memory (pcap with infinite_rx) through the filter to the null port, beside
testpmd `io` and `macswap` on the same ports. Contenders take turns of a fraction of a second: all are there, and one runs
while the others are stopped, so that what the machine does meanwhile is much the same to all."""

import contextlib
import functools
import json
import pathlib
import random
import signal
import subprocess
import time

from run import Failed, keys
from testpmd import Testpmd

SECTION = "worker alone"
MILLION = 1 << 20
WARMING = 0.5  # seconds
SETTLING = 0.005  # until caches are a contender's own again
BUFFER = 2500  # bytes of a packet buffer, and a little
OTHER_BUFFERS = 1 << 15  # that hold no packet of the capture


def sluice_arguments(run, captured=None, apart="", **on):
    """`apart`: what names the capture of one of two that read the same at the same time, each of which has its device."""
    captured = captured or min(on["flows"], MILLION)
    capture = run.capture(on["family"], captured, on.get("protocol", "udp"), rules=on["rules"])
    if apart:
        own = capture.with_name(f"{capture.stem}-{apart}.pcap")
        own.unlink(missing_ok=True)
        own.symlink_to(capture.resolve())
        capture = own
    return keys(capture=capture, captured=captured, **on)


def sluice(run, windows, seconds, **on):
    run.program(SECTION, "worker_bench", *sluice_arguments(run, windows=windows, seconds=seconds, **on))


class Pmd:
    """testpmd in one of its forwarding modes."""

    def __init__(self, run, mode, **on):
        self.run, self.mode, self.on, self.values = run, mode, on, []
        vdevs = [f"net_pcap0,rx_pcap={run.capture(on['family'], on['flows'])},infinite_rx=1", "net_null0,no-rx=1"]
        self.testpmd = Testpmd(run, vdevs, mode, buffers=on["flows"]).__enter__()
        self.process = self.testpmd.process

    def measure(self, seconds):
        self.values += self.testpmd.rates(1, "Tx", 1, seconds)

    def end(self):
        self.testpmd.__exit__()
        self.run.add(SECTION, f"testpmd {self.mode}", "mpps", self.values, **self.on)


class Sluice:
    """worker_bench, which measures when it is told to."""

    def __init__(self, run, seconds, section=SECTION, **on):
        self.run, self.section, self.values = run, section, []
        self.arguments = sluice_arguments(run, windows=1, seconds=seconds, turns=1, **on)
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process = subprocess.Popen([run.bin / "worker_bench", *self.arguments], text=True, **pipes)
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            said = self.process.stderr.read().strip().splitlines()[-1:]
            raise Failed(f"worker_bench {' '.join(self.arguments)} ended with {self.process.wait(20)}: {said}")
        return line

    def measure(self, _):
        with contextlib.suppress(BrokenPipeError):  # which `read` says better
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        self.result = json.loads(self.read())
        self.values += self.result["values"]

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.values:
            self.run.take(self.section, json.dumps({**self.result, "values": self.values}))


def go_on(contender):
    contender.process.send_signal(signal.SIGCONT)


def stand_still(contender):
    contender.process.send_signal(signal.SIGSTOP)


def in_turns(starts, turns, seconds):
    """Starts one contender after the other; then each runs while it is its turn, `turns` times. Whatever happens, none is
    left standing."""
    with contextlib.ExitStack() as at_end:
        there = []
        for start in starts:
            contender = start()
            at_end.callback(contender.end)
            at_end.callback(go_on, contender)
            stand_still(contender)
            there.append(contender)
        for contender in there:  # one that stood still while others started looks at each flow more closely, once
            go_on(contender)
            time.sleep(WARMING)
            stand_still(contender)
        order = random.Random(1)
        for _ in range(turns):
            for contender in order.sample(there, len(there)):  # after which other one it runs makes some per cent
                go_on(contender)
                time.sleep(SETTLING)
                contender.measure(seconds)
                stand_still(contender)


def side_by_side(flows):
    """How many contenders have room for their packets at the same time: one, at the least."""
    free = int(pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").read_text()) << 21
    return max(1, free // ((flows + OTHER_BUFFERS) * BUFFER))


def hits(run):
    """All packets of known flows, against what forwards them unseen: the ratio that matters most."""
    turns, seconds = run.choose((4, 0.1), (8, 0.2))
    for _ in range(run.choose(2, 5)):
        for flows in (1000, 64 * 1024, MILLION):
            pmd = functools.partial(Pmd, run, flows=flows, family=4)
            worker = functools.partial(Sluice, run, seconds, flows=flows, rules=1000, hit=100)
            starts = [lambda: pmd("io"), lambda: worker(family=4), lambda: pmd("macswap"), lambda: worker(family=6)]
            together = side_by_side(flows)
            for first in range(0, len(starts), together):
                in_turns(starts[first : first + together], turns, seconds)


def sluice_hits(run):
    """The same without the others."""
    for flows in (1000, 64 * 1024, MILLION):
        for family in (4, 6):
            sluice(run, 3, 0.15, flows=flows, family=family, rules=1000, hit=100)


def grid(run):
    """One thing varied at a time."""
    windows, seconds = run.choose((3, 0.1), (5, 0.2))
    ten_million = 10 * MILLION
    plan = [dict(flows=1), dict(flows=ten_million)]
    plan += [dict(flows=64 * 1024, hit=hit) for hit in (99, 90, 0)]
    plan += [dict(flows=64 * 1024, hit=0, rules=rules) for rules in (10, 100, 10_000, 100_000)]
    plan += [dict(flows=64 * 1024, hit=0, rules=10_000, tuples=tuples) for tuples in (4, 16, 32)]
    if run.quick:
        plan = [on for on in plan if on["flows"] != ten_million and on.get("tuples", 32) == 32]
    for on in plan:
        for family in run.choose((4,), (4, 6)):
            sluice(run, windows, seconds, **{"family": family, "rules": 1000, "hit": 100, **on})
