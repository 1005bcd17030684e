"""Section 8. A big cluster between real processes: how soon its state is in force and in how much memory, how soon one
change is, and whether a thousand a second are kept up with."""

import json
import pathlib
import subprocess
import sys

from run import Failed

SECTION = "follow"


def measure(run):
    size = run.choose(["--namespaces", "2500", "--rounds", "200", "--seconds", "3"], [])
    command = [sys.executable, pathlib.Path(__file__).with_name("follow_live"), "--bin", run.bin, "-o", "json", *size]
    process = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    for line in process.stdout.splitlines():
        measured = json.loads(line)
        what = measured.pop("measurement")
        for metric, value in measured.items():
            run.add(SECTION, "sluice", metric, [value], what=what, whole=not run.quick)
    if process.returncode != 0:
        raise Failed(f"follow_live: {process.stderr.strip().splitlines()[-1:]}")
