"""Section 8. Each stage alone (Google Benchmark), in clocks a packet; and in instructions a packet, which callgrind counts
where the processor's own counters cannot be had."""

import json
import os
import re
import shutil
import subprocess

from run import Failed

SECTION = "stages"
COUNTED = "^(Parse/4|IdentityLookup/4|PairLookup|StateUpdate|FlowHit/4/1000|FlowHit/6/1000|FlowMiss/4/65536)$"


def measure(run):
    command = [run.bin / "stages_bench", "--benchmark_format=json", f"--benchmark_min_time={run.choose(0.05, 0.3)}"]
    if run.quick:
        command.append("--benchmark_filter=" + COUNTED.replace("1000", "(1000|1048576)"))
    else:
        command += ["--benchmark_repetitions=5", "--benchmark_enable_random_interleaving=true"]
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {int(run.core_of_worker)}),
    )  # fmt: skip
    if process.returncode != 0:
        raise Failed("stages_bench: " + process.stderr.strip()[-300:])
    values = {}
    for benchmark in json.loads(process.stdout)["benchmarks"]:
        if benchmark.get("run_type") != "aggregate" and "clocks_a_packet" in benchmark:
            values.setdefault(benchmark["name"].split("/repeats")[0], []).append(benchmark["clocks_a_packet"])
    for stage, clocks in values.items():
        run.add(SECTION, stage, "clocks", clocks)
    count_instructions(run)


def count_instructions(run):
    if shutil.which("valgrind") is None:
        run.skip(SECTION, "instructions", "no valgrind (apt-get install valgrind)")
        return
    for stage in COUNTED.strip("^()$").split("|"):
        out = run.out / "callgrind.out"
        process = subprocess.run(
            [
                "valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={out}", run.bin / "stages_bench",
                f"--benchmark_filter=^{stage}$", "--benchmark_min_time=0.001",
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        packets = re.search(r"^packets: (\d+)$", process.stderr, re.MULTILINE)
        if process.returncode != 0 or packets is None:
            run.skip(SECTION, f"instructions of {stage}", process.stderr.strip()[-200:])
            continue
        total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        if total and int(total[1]) > 0:
            run.add(SECTION, stage, "instructions", [int(total[1]) / int(packets[1])])
        out.unlink()
