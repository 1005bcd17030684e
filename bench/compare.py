"""Sets two commits side by side: scripts/bench.sh compare REV. REV is checked out and built beside this tree, with this
tree's bench/ laid over it, so that both are measured by the same code; where that does not compile, with its own. Then
both run the same scenarios in turns."""

import argparse
import pathlib
import shutil
import subprocess
import sys

import connections
import machine
import report
import structures
import tables
import worker_alone
from figures import Figure
from run import Run

SECTIONS = {
    "structures": structures.measure,
    "hits": worker_alone.sluice_hits,
    "connections": connections.measure,
    "compile": tables.compile_shapes,
    "memory": tables.memory,
}
PROGRAMS = ["change_bench", "compile_bench", "memory_bench", "miss_bench", "walk_bench", "worker_bench", "write_capture"]


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def check_out(revision, folder):
    """A worktree of REV, built; made once and brought to REV again later."""
    commit = git("rev-parse", "--verify", revision + "^{commit}")
    if (folder / ".git").exists():
        git("-C", str(folder), "checkout", "--force", "--detach", commit)
        git("-C", str(folder), "clean", "--force", "-d")
    else:
        git("worktree", "prune")
        git("worktree", "add", "--force", "--detach", str(folder), commit)
    shutil.copytree("bench", folder / "bench", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if build(folder):
        return commit
    print("bench: this tree's bench/ does not build there; taking the commit's own", file=sys.stderr)
    git("-C", str(folder), "checkout", "--force", commit, "--", ".")
    git("-C", str(folder), "clean", "--force", "-d")
    if not build(folder):
        sys.exit(f"bench: {revision} does not build in {folder}: run scripts/build.sh there")
    return commit


def build(folder):
    print(f"bench: building {folder}", file=sys.stderr)
    return subprocess.run([folder / "scripts/build.sh", "release", "--target", *PROGRAMS], stdout=sys.stderr, check=False).returncode == 0


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench.sh compare")
    parser.add_argument("--out", default="build/bench")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each [5]")
    parser.add_argument("revision", metavar="REV")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS) + " [structures hits]")
    arguments = parser.parse_intermixed_args(arguments)
    for name in arguments.sections:
        if name not in SECTIONS:
            parser.error(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    folder = pathlib.Path(arguments.out).absolute() / "compare"
    folder.parent.mkdir(parents=True, exist_ok=True)
    commit = check_out(arguments.revision, folder)
    trees = {
        commit[:12]: Run(folder / "build/release", arguments.out, quick=True),
        "this tree": Run("build/release", arguments.out, quick=True),
    }
    sections = arguments.sections or ("structures", "hits")
    for run in trees.values():
        run.planned = arguments.rounds * len(sections)
    for turn in range(arguments.rounds):
        # Who goes first changes, so that what drifts favours nobody.
        for name, run in sorted(trees.items(), reverse=turn % 2 == 1):
            run.say(f"turn {turn + 1}: {name}")
            for section in sections:
                with run.section(section):
                    SECTIONS[section](run)
    text = "\n".join(lines(trees)) + "\n"
    path = pathlib.Path(arguments.out) / "compare.md"
    path.write_text(text)
    print(text)
    print(f"bench: {path}", file=sys.stderr)
    return 0


def lines(trees):
    (old, before), (new, after) = trees.items()
    yield f"# {old} and {new}, in turns"
    yield ""
    yield from (f"- {key}: {value}" for key, value in machine.describe("build/release").items() if key in ("processor", "compiler", "commit"))
    yield ""
    yield f"| on | who | what | {old} | {new} | {new} / {old} |"
    yield "|---|---|---|---|---|---|"
    rows = {}
    for place, run in enumerate((before, after)):
        for result in run.results:
            on = ", ".join(f"{key} {report.number(value)}" for key, value in result.items() if key not in report.UNSTABLE)
            key = (result["section"], on, result["contender"], result["metric"])
            rows.setdefault(key, ([], []))[place].extend(result["values"])
    for (section, on, contender, metric), (ones, others) in rows.items():
        if not ones or not others:
            continue
        one, other = Figure(ones), Figure(others)
        share = f"{other.median / one.median:.3f}" if one.median else ""
        yield f"| {section}: {on} | {contender} | {metric} | {one.text(3)} | {other.text(3)} | {share} |"
