"""What to reach: each goal with its floor, its aim, and how the results say where it stands. All but a few are ratios
within one run, so that they hold on any machine."""

import dataclasses
import typing

from figures import Figure, figure, ratio, turns, where

MILLION = 1 << 20
SIZES = {1000: "1k", 64 * 1024: "64k", MILLION: "1M"}
RULES = {1000: "1k", 10_000: "10k", 100_000: "100k"}


@dataclasses.dataclass
class Goal:
    what: str
    floor: float
    aim: float
    measured: typing.Optional[Figure]
    more_is_better: bool = True
    unit: str = ""
    digits: int = 2

    def meets(self, bound):
        if self.measured is None:
            return None
        return self.measured.median >= bound if self.more_is_better else self.measured.median <= bound

    @property
    def verdict(self):
        if self.measured is None:
            return "not measured"
        if self.meets(self.aim):
            return "holds, aim reached"
        return "holds" if self.meets(self.floor) else "MISSED"

    def shortfall(self):
        """By how much the floor is missed, as a share of it."""
        if self.floor == 0:
            return float("inf")
        return abs(self.measured.median - self.floor) / self.floor


def of_worst(figures, more_is_better):
    there = [one for one in figures if one is not None]
    if not there:
        return None
    return (min if more_is_better else max)(there, key=lambda one: one.median)


def goals(results):
    return [
        *against_others(results),
        *under_load(results),
        *tables(results),
        *tiers(results),
        *without_end(results),
        *followed(results),
        *between_pods(results),
    ]


def between_pods(results):
    of = lambda contender, metric, workload: turns(results, "node", contender, metric, workload=workload)
    against = lambda contender, other, metric, workload: ratio(of(contender, metric, workload), of(other, metric, workload))
    for what in ("1 stream", "8 streams"):
        measured = against("sluice carried", "no filter", "gbps", what)
        yield Goal(f"two pods of a node, carried, against no filter: {what}", 0.75, 0.90, measured)
    measured = against("sluice carried", "no filter", "p50_us", "requests")
    yield Goal("two pods of a node, carried, against no filter: request and response, p50", 1.25, 1.10, measured, False, unit="x")
    measured = against("sluice carried", "nftables with conntrack", "per_second", "connections, 8 at once")
    yield Goal("two pods of a node, against nftables with conntrack: connections a second, 8 at once", 0.35, 0.6, measured)
    measured = against("sluice not carried", "no filter", "gbps", "1 stream")
    yield Goal("two pods of a node, not carried, against no filter: 1 stream", 0.07, 0.15, measured)


def against_others(results):
    hits = lambda contender, **on: turns(results, "worker alone", contender, "mpps", **on)
    sluice = lambda **on: hits("sluice", hit=100, rules=1000, **on)
    for (flows, name), floor, aim in zip(SIZES.items(), (0.50, 0.55, 0.40), (0.65, 0.70, 0.55)):
        measured = ratio(sluice(flows=flows, family=4), hits("testpmd io", flows=flows, family=4))
        yield Goal(f"worker alone against testpmd `io`, all hits, {name} flows", floor, aim, measured)
    for (flows, name), floor, aim in zip(SIZES.items(), (1.8, 1.8, 1.6), (1.3, 1.3, 1.2)):
        walk = figure(results, "structures", "sluice", "clocks", what="walk", flows=flows, family=4)
        keys = figure(results, "structures", "rte_hash", "clocks", what="walk", flows=flows)
        measured = ratio(walk.values_in_order, keys.values_in_order) if walk and keys else None
        yield Goal(f"clocks of the whole filter against `rte_hash_lookup_bulk`, {name} flows", floor, aim, measured, False)
    both = [ratio(sluice(flows=flows, family=6), sluice(flows=flows, family=4)) for flows in SIZES]
    yield Goal("IPv6 against IPv4, hits (the worst of 1k, 64k, 1M flows)", 0.80, 0.90, of_worst(both, True))
    for (rules, name), aim in zip(RULES.items(), (0.7, 0.5, 0.3)):
        miss = figure(results, "structures", "sluice", "clocks", what="miss", rules=rules)
        acl = figure(results, "structures", "rte_acl avx2", "clocks", what="miss", rules=rules)
        measured = ratio(miss.values_in_order, acl.values_in_order) if miss and acl else None
        yield Goal(f"clocks of a miss against `rte_acl` AVX2, {name} rules", 1.0, aim, measured, False)
    ovs = ratio(
        turns(results, "peers", "sluice", "mpps", flows=64 * 1024), turns(results, "peers", "OVS-DPDK with conntrack", "mpps", flows=64 * 1024)
    )
    yield Goal("against OVS-DPDK with conntrack, 64k flows", 8, 12, ovs, unit="x", digits=1)


def under_load(results):
    opened = [figure(results, "connections", "sluice", "mpps", family=family) for family in (4, 6)]
    yield Goal("new flows a second (the worse of IPv4 and IPv6)", 3, 6, of_worst(opened, True), unit=" million")
    change = lambda what, contender, metric: figure(results, "change", contender, metric, what=what)
    flood = ratio(
        turns(results, "connections", "established in the flood", "mpps"), turns(results, "connections", "established alone", "mpps")
    )
    yield Goal("established flows' throughput during a SYN flood of equal rate", 0.8, 0.95, flood)
    line = lambda contender: turns(results, "line rate", contender, "zero_loss_mpps", flows=1000, bytes=64, both=0, family=4, protocol="udp")
    # Interruptions only take away, so the best of several searches is the nearest to what the device can do.
    best = lambda contender: [max(line(contender), default=0)]
    yield Goal("zero-loss rate over memif against testpmd `io`", 0.85, 0.95, ratio(best("sluice"), best("testpmd io")))
    yield Goal("packets lost in 1,000 swaps at half that rate", 0, 0, change("swaps", "swaps", "lost"), False, digits=0)
    for what, text, unit, wanted, floor, aim in (
        ("rules", "throughput kept at 60,000 rule updates a second", "rule_updates_per_second", 60_000, 0.90, 0.97),
        ("pods", "throughput kept while 1,000 pods a second come and go", "pods_per_second", 1000, 0.95, 0.99),
    ):
        at_rest, changing = change(what, "at rest", "mpps"), change(what, "changing", "mpps")
        kept = ratio(changing.values_in_order, at_rest.values_in_order) if at_rest and changing else None
        reached = change(what, "changing", unit)
        if reached and reached.median < 0.9 * wanted:
            kept, text = None, f"{text} (only {reached.median:,.0f} a second were reached)"
        yield Goal(text, floor, aim, kept)
    for hit, text, floor, aim in ((0, "new flows a second", 0.8, 0.9), (100, "packets of known flows", 0.97, 0.99)):
        of = lambda staged: where(results, "staged", "sluice", "mpps", hit=hit, staged=staged)
        pairs = [ratio(one["values"], other["values"]) for one, other in zip(of(1), of(0))]
        yield Goal(f"{text} kept while as many policies are staged", floor, aim, of_worst(pairs, True))
    seen = lambda contender, what, metric="mpps": [value for result in where(results, "seeing", contender, metric, what=what) for value in result["values"]]
    for contender in ("no sink", "a flow log", "a capture of drops", "10 scrapes a second"):
        kept = ratio(seen(contender, "hits"), seen("none", "hits"))
        yield Goal(f"packets of known flows kept with {contender}", 0.97, 0.99, kept)
    for contender in ("a log to a file", "a log to IPFIX"):
        kept = ratio(seen(contender, "opened"), seen("none", "opened"))
        opened, unaccounted = (seen(contender, "opened", metric) for metric in ("opened_per_second", "unaccounted"))
        text = f"packets kept while each of a million flows opened a second is offered to {contender}"
        if opened and Figure(opened).median < 1e6:
            kept, text = None, f"{text} (only {Figure(opened).median:,.0f} a second were reached)"
        yield Goal(text, 0.98, 0.99, kept)
        yield Goal("... flows that are neither in it nor counted as lost", 0, 0, Figure(unaccounted) if unaccounted else None, False, digits=0)
    yield Goal("1M live flows judged again", 250, 100, change("rejudge", "all flows send", "ms"), False, unit=" ms", digits=0)


def tables(results):
    compiled = figure(results, "compile", "sluice", "resolve_and_compile_ms", shape="large")
    yield Goal("75,000 policies, 100,000 pods compiled: time", 2000, 700, compiled, False, unit=" ms", digits=0)
    memory = figure(results, "compile", "sluice", "peak_rss_mb", shape="large")
    yield Goal("... memory at its peak, the cluster's objects included", 500, 200, memory, False, unit=" MB", digits=0)
    for family, floor, aim in ((4, 96, 72), (6, 128, 96)):
        flow = figure(results, "memory", "sluice", "bytes_a_flow", family=family, flows=MILLION)
        yield Goal(f"bytes a flow, IPv{family}, index and all", floor, aim, flow, False, digits=1)


def tiers(results):
    """Of the shapes the worst."""
    shapes = dict.fromkeys(result["shape"] for result in results if result["section"] == "tiers" and "shape" in result)
    of = lambda metric: of_worst([figure(results, "tiers", "sluice", metric, shape=shape) for shape in shapes], False)
    for metric, text, floor, aim in (
        ("bytes", "100 cluster policies of 25 rules on top of the shapes: bytes (the worst shape)", 1.25, 1.15),
        ("compile", "... compile time", 1.25, 1.15),
        ("hit", "... clocks of a packet of a known flow", 1.05, 1.02),
        ("miss", "... clocks of a packet that opens a flow", 1.15, 1.05),
        ("first_miss", "... the same, for ends and a port that nobody asked for before", 1.15, 1.05),
        ("unseen_triple", "... the classifier alone, for such ends, every fourth with a port that a cluster policy names", 1.15, 1.05),
    ):
        yield Goal(text, floor, aim, of(metric), False, unit="x")
    change = figure(results, "tiers", "sluice", "change_p99_ms", policies=1000, pods=100_000)
    yield Goal("1,000 cluster policies over 100,000 pods, one changed: received to in force, p99", 10, 5, change, False, unit=" ms")


def without_end(results):
    flap = lambda metric, **on: figure(results, "flap", "sluice", metric, **on)
    for text, on in (("a policy with 20,000 pods as its peers, made and deleted 10,000 times", {"kind": "policy", "flaps": 10_000}), ("whatever can come and go under new names, 1,000 times", {"kind": "all", "flaps": 1000})):
        first, last = flap("first_ms", **on), flap("last_ms", **on)
        measured = Figure([last.median / first.median]) if first and last else None
        yield Goal(f"{text}: the last 100 against the first, time", 1.2, 1.1, measured, False)
        first, most = flap("heap_mb_after_first", **on), flap("heap_mb_most", **on)
        measured = Figure([most.median / first.median]) if first and most else None
        yield Goal("... memory", 1.2, 1.1, measured, False)


def followed(results):
    """Of a whole run: a small cluster says nothing of these."""
    of = lambda what, metric: figure(results, "follow", "sluice", metric, what=what, whole=True)
    live = of("full state", "read_to_live_s")
    yield Goal("75,000 policies, 100,000 pods: from read by sluice-sync to in force", 3, 2, live, False, unit=" s")
    for program, metric, floor, aim in (("sluice-sync", "sync_peak_mb", 1000, 700), ("sluiced", "sluiced_policy_peak_mb", 500, 300)):
        memory = of("memory, at the end", metric)
        yield Goal(f"... memory of {program} at its peak", floor, aim, memory, False, unit=" MB", digits=0)
    for what, floor, aim in (("pod relabelled", 2, 1), ("policy changed", 10, 5), ("namespace relabelled", 10, 5), ("sustained", 2, 1)):
        text = "1,000 pod changes a second" if what == "sustained" else f"one {what}"
        yield Goal(f"{text}: received to in force, p99", floor, aim, of(what, "received_to_live_p99_ms"), False, unit=" ms")
