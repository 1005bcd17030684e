"""Section 2. A worker alone: packets from memory (pcap with infinite_rx) through the filter to the null port, beside
testpmd `io` and `macswap` on the same ports. Contenders take turns of a fraction of a second: all are there, and one runs
while the others are stopped, so that what the machine does meanwhile is much the same to all."""

import functools
import os
import signal
import subprocess
import time

from run import Failed, keys
from testpmd import Testpmd

SECTION = "worker alone"
MILLION = 1 << 20
SETTLING = 0.005  # seconds until caches are a contender's own again


def sluice_arguments(run, captured=None, **on):
    captured = captured or min(on["flows"], MILLION)
    capture = run.capture(on["family"], captured, on.get("protocol", "udp"), rules=on["rules"])
    return keys(capture=capture, captured=captured, **on)


def sluice(run, windows, seconds, **on):
    run.program(SECTION, "worker_bench", *sluice_arguments(run, windows=windows, seconds=seconds, **on))


class Pmd:
    """testpmd in one of its forwarding modes."""

    def __init__(self, run, mode, **on):
        self.run, self.mode, self.on = run, mode, on
        vdevs = [f"net_pcap0,rx_pcap={run.capture(on['family'], on['flows'])},infinite_rx=1", "net_null0,no-rx=1"]
        self.testpmd = Testpmd(run, vdevs, mode, buffers=on["flows"]).__enter__()
        self.pid = self.testpmd.process.pid

    def measure(self, seconds):
        self.run.add(SECTION, f"testpmd {self.mode}", "mpps", self.testpmd.rates(1, "Tx", 1, seconds), **self.on)

    def end(self):
        self.testpmd.__exit__()


class Sluice:
    """worker_bench, which measures when it is told to."""

    def __init__(self, run, seconds, **on):
        self.run = run
        arguments = sluice_arguments(run, windows=1, seconds=seconds, turns=1, **on)
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process = subprocess.Popen([run.bin / "worker_bench", *arguments], text=True, **pipes)
        self.pid = self.process.pid
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"worker_bench: {self.process.stderr.read().strip().splitlines()[-1:]}")
        return line

    def measure(self, _):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.run.take(SECTION, self.read())

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


def in_turns(starts, turns, seconds):
    """Starts one contender after the other; then each runs while it is its turn, `turns` times."""
    there = []
    try:
        for start in starts:
            there.append(start())
            os.kill(there[-1].pid, signal.SIGSTOP)
        for _ in range(turns):
            for contender in there:
                os.kill(contender.pid, signal.SIGCONT)
                time.sleep(SETTLING)
                contender.measure(seconds)
                os.kill(contender.pid, signal.SIGSTOP)
    finally:
        for contender in there:
            os.kill(contender.pid, signal.SIGCONT)
            contender.end()


def hits(run):
    """All packets of known flows, against what forwards them unseen: the ratio that matters most."""
    turns, seconds = run.choose((4, 0.1), (8, 0.2))
    for _ in range(run.choose(2, 5)):
        for flows in (1000, 64 * 1024, MILLION):
            starts = [functools.partial(Pmd, run, mode, flows=flows, family=4) for mode in ("io", "macswap")]
            starts += [functools.partial(Sluice, run, seconds, flows=flows, family=family, rules=1000, hit=100) for family in (4, 6)]
            if flows < MILLION:
                in_turns(starts, turns, seconds)
            else:  # whose packets take 3 GB of each contender
                for start in starts:
                    in_turns([start], turns, seconds)


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
