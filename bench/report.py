"""Writes report.md, its plots and the raw results."""

import json
import pathlib

import plot
import reach
from figures import Figure, figure, where

BEGIN, END = "<!-- scripts/bench.sh --publish writes from here -->", "<!-- to here -->"
PLAIN = ("section", "contender", "metric", "values")
HIDDEN = ("worker", "line", "memory")  # what a section measures anyway
UNSTABLE = (*PLAIN, "opened_per_second", "evicted", "expired", "rate_mpps")  # what was measured, not what it was measured on


def write(run, machine, ghz):
    (run.out / "results.json").write_text(
        json.dumps({"machine": machine, "quick": run.quick, "skipped": run.skipped, "results": run.results}, indent=1) + "\n"
    )
    plots = {name: text for name, text in draw(run.results) if text}
    for name, text in plots.items():
        (run.out / f"{name}.svg").write_text(text)
    goals = list(reach.goals(run.results))
    parts = [
        "# Benchmark report",
        "",
        f"By `scripts/bench.sh{' --quick' if run.quick else ''}`. Medians, with the least and the greatest of all repeats in brackets;",
        "contenders took turns within one run. Clocks are of the time-stamp counter. Ratios hold on other machines, clocks don't.",
        "",
        "## Machine",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in machine.items()),
        "",
        "## What to reach",
        "",
        *reach_table(goals),
        "",
        *misses(goals),
    ]
    for name in plots:
        parts += ["", f"![{name}]({name}.svg)"]
    sections = dict.fromkeys(result["section"] for result in run.results)
    for section in sections:
        parts += ["", f"## {section[0].upper()}{section[1:]}", "", *table(where(run.results, section), ghz)]
    if run.skipped:
        parts += ["", "## Not measured", "", *(f"- {section}: {what}: {why}" for section, what, why in run.skipped)]
    parts += ["", "## Time", "", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in run.seconds.items())]
    (run.out / "report.md").write_text("\n".join(parts) + "\n")
    return goals


SHOWN = ("throughput", "miss")  # plots in docs/speed.md
FIRST = (  # the README's figures
    "worker alone against testpmd `io`, all hits, 1k flows",
    "clocks of the whole filter against `rte_hash_lookup_bulk`, 64k flows",
    "against OVS-DPDK with conntrack, 64k flows",
    "packets lost in 1,000 swaps at half that rate",
    "throughput kept at 60,000 rule updates a second",
    "one policy changed: received to in force, p99",
)


def publish(run, goals, machine):
    """Brings the tables of docs/speed.md and README.md, and the plots that they show, up to this run."""
    folder = pathlib.Path("docs/bench")
    folder.mkdir(parents=True, exist_ok=True)
    for name in SHOWN:
        (folder / f"{name}.svg").write_text((run.out / f"{name}.svg").read_text())
    kind = "a quick run" if run.quick else "a whole run"
    head = f"Of {kind} on {machine['processor']} ({machine['hypervisor']}), commit {machine['commit']}:"
    rewrite("docs/speed.md", [head, "", *reach_table(goals), "", *(f"![{name}](bench/{name}.svg)" for name in SHOWN)])
    rewrite("README.md", [head, "", *reach_table(goal for goal in goals if goal.what in FIRST)])


def rewrite(document, lines):
    path = pathlib.Path(document)
    before, rest = path.read_text().split(BEGIN)
    path.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + rest.split(END)[1])


def reach_table(goals):
    yield "| what | floor | aim | measured | |"
    yield "|---|---|---|---|---|"
    for goal in goals:
        measured = goal.measured.text(goal.digits) + goal.unit if goal.measured else "-"
        verdict = f"**{goal.verdict}**" if goal.verdict == "MISSED" else goal.verdict
        yield f"| {goal.what} | {goal.floor:,g}{goal.unit} | {goal.aim:,g}{goal.unit} | {measured} | {verdict} |"


def misses(goals):
    missed = [goal for goal in goals if goal.verdict == "MISSED"]
    absent = [goal for goal in goals if goal.measured is None]
    if not missed and not absent:
        yield "Every floor holds."
    for goal in missed:
        by = "" if goal.floor == 0 else f", by {goal.shortfall():.0%}"
        yield f"- Missed{by}: {goal.what}: {goal.measured.text(goal.digits)}{goal.unit}, floor {goal.floor:,g}{goal.unit}."
    for goal in absent:
        yield f"- Not measured in this run: {goal.what}."


def table(results, ghz):
    """A row for each thing measured: turns of the same are put together."""
    rows = {}
    for result in results:
        on = ", ".join(f"{key} {number(value)}" for key, value in result.items() if key not in UNSTABLE and value not in HIDDEN)
        rows.setdefault((on, result["contender"], result["metric"]), []).extend(result["values"])
    yield "| on | who | what | median (least to greatest) | clocks a packet | ns a packet |"
    yield "|---|---|---|---|---|---|"
    for (on, contender, metric), values in rows.items():
        if not values:
            continue
        measured = Figure(values)
        clocks = ns = ""
        if metric.endswith("mpps") and measured.median > 0:
            clocks, ns = f"{ghz * 1e3 / measured.median:.1f}", f"{1e3 / measured.median:.1f}"
        elif metric == "clocks":
            clocks, ns = f"{measured.median:.1f}", f"{measured.median / ghz:.1f}"
        yield f"| {on} | {contender} | {metric} | {measured.text(3)} | {clocks} | {ns} |"


def number(value):
    return f"{value:,.8g}" if isinstance(value, (int, float)) else value


def draw(results):
    names = list(reach.SIZES.values())
    hits = {
        "testpmd io": [figure(results, "worker alone", "testpmd io", "mpps", flows=flows) for flows in reach.SIZES],
        "testpmd macswap": [figure(results, "worker alone", "testpmd macswap", "mpps", flows=flows) for flows in reach.SIZES],
    }
    for family in (4, 6):
        on = {"family": family, "hit": 100, "rules": 1000}
        hits[f"sluiced, IPv{family}"] = [figure(results, "worker alone", "sluice", "mpps", flows=flows, **on) for flows in reach.SIZES]
    yield "throughput", chart(plot.bars, "One worker, 64 B packets of known flows", "Mpps", [f"{name} flows" for name in names], hits)
    walk = {"rte_hash_lookup_bulk alone": [figure(results, "structures", "rte_hash", "clocks", what="walk", flows=flows) for flows in reach.SIZES]}
    for family in (4, 6):
        walk[f"the whole filter, IPv{family}"] = [
            figure(results, "structures", "sluice", "clocks", what="walk", flows=flows, family=family) for flows in reach.SIZES
        ]
    yield "filter", chart(plot.bars, "Parse to verdict, beside a hash table alone", "clocks", [f"{name} flows" for name in names], walk)
    who = {"sluice": "sluice", "sluice worked out anew": "sluice, worked out anew", "rte_acl avx2": "rte_acl AVX2", "rte_acl avx512": "rte_acl AVX-512", "rte_acl scalar": "rte_acl scalar"}
    miss = {
        text: [figure(results, "structures", contender, "clocks", what="miss", rules=rules) for rules in reach.RULES]
        for contender, text in who.items()
    }
    yield "miss", chart(plot.lines, "A packet without a flow: what admits it, of so many rules", "clocks", [f"{name} rules" for name in reach.RULES.values()], miss)


def chart(kind, title, unit, groups, series):
    series = {name: figures for name, figures in series.items() if any(figures)}
    return kind(title, unit, groups, series) if series else None
