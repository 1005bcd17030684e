"""Section 2. A worker alone: packets from memory (pcap with infinite_rx) through the filter to the null port, beside
testpmd `io` and `macswap` on the same ports. Contenders take turns; each turn is a process of its own."""

from run import keys
from testpmd import Testpmd

SECTION = "worker alone"
MILLION = 1 << 20


def pmd(run, mode, capture, captured, on, windows, seconds):
    vdevs = [f"net_pcap0,rx_pcap={capture},infinite_rx=1", "net_null0,no-rx=1"]
    with Testpmd(run, vdevs, mode, buffers=captured) as testpmd:
        run.add(SECTION, f"testpmd {mode}", "mpps", testpmd.rates(1, "Tx", windows, seconds), **on)


def sluice(run, windows, seconds, captured=None, **on):
    flows = on["flows"]
    captured = captured or min(flows, MILLION)
    capture = run.capture(on["family"], captured, on.get("protocol", "udp"), rules=on["rules"])
    run.program(SECTION, "worker_bench", *keys(capture=capture, captured=captured, windows=windows, seconds=seconds, **on))


def hits(run):
    """All packets of known flows, against what forwards them unseen: the ratio that matters most."""
    windows, seconds = run.choose((3, 0.15), (5, 0.3))
    for _ in range(run.choose(2, 5)):
        for flows in (1000, 64 * 1024, MILLION):
            for family in (4, 6):
                on = {"flows": flows, "family": family}
                capture = run.capture(family, flows)
                for mode in ("io", "macswap") if family == 4 else ():
                    pmd(run, mode, capture, flows, on, windows, seconds)
                sluice(run, windows, seconds, rules=1000, hit=100, **on)


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
