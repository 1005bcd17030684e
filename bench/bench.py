"""Runs the sections and writes the report; scripts/bench.sh builds and calls it."""

import argparse
import contextlib
import os
import pathlib
import signal
import sys

import change
import compare
import connections
import flap
import follow
import line_rate
import machine
import node
import peers
import report
import seeing
import staged
import stages
import structures
import tables
import tiers
import worker_alone
from run import Run

# In the order in which they run: what later ones need of earlier ones' results comes first.
SECTIONS = {
    "structures": structures.measure,
    "hits": worker_alone.hits,
    "line": line_rate.measure,
    "peers": peers.measure,
    "connections": connections.measure,
    "change": change.measure,
    "staged": staged.measure,
    "seeing": seeing.measure,
    "flap": flap.measure,
    "compile": tables.compile_shapes,
    "tiers": tiers.measure,
    "memory": tables.memory,
    "follow": follow.measure,
    "grid": worker_alone.grid,
    "stages": stages.measure,
    "node": node.measure,
}


@contextlib.contextmanager
def precedence():
    """What else wakes up on the machine waits, where root may say so: behind the process, and behind its session, which
    the kernel weighs against others as one (sched_autogroup)."""
    session = pathlib.Path("/proc/self/autogroup")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        session.write_text("-20")
    except OSError:
        session = None
    try:
        yield
    finally:
        if session:
            session.write_text("0")


def main():
    if sys.argv[1:2] == ["compare"]:
        with precedence():
            return compare.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="scripts/bench.sh")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and sizes: ends in 3 minutes")
    parser.add_argument("--publish", action="store_true", help="bring the tables of README.md and docs/speed.md, and the plots, up to this run")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="build/bench", help="folder of the report [build/bench]")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    arguments = parser.parse_args()
    for name in arguments.sections:
        if name not in SECTIONS:
            parser.error(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    run = Run(arguments.build, arguments.out, arguments.quick)
    about = machine.describe(arguments.build)
    sections = arguments.sections or SECTIONS
    run.planned = len(sections)
    with precedence():
        for name in sections:
            with run.section(name):
                SECTIONS[name](run)
    goals = report.write(run, about, machine.tsc_ghz())
    print("\n".join(report.reach_table(goals)))
    if arguments.publish:
        report.publish(run, goals, about)
    print(f"bench: {run.out}/report.md", file=sys.stderr)
    return 0


if __name__ == "__main__":
    # What a section started is ended on the way out, also where the run is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
