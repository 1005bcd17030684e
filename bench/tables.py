"""Sections 6 and 7. Compile: time, bytes and counts for each of the shapes that must stay small and fast, and the clocks
of a miss in them. Memory: bytes a flow, a rule, an endpoint."""

import json
import subprocess

from run import Failed

SHAPES = [
    "templates", "all pods", "world less private", "label lattice", "long lists", "many ports", "many subjects", "large",
]  # fmt: skip
NOT_MEASURED = ("shape", "scale")


def compile_shapes(run):
    for _ in range(run.choose(1, 3)):
        for shape in ["large"] if run.quick else SHAPES:
            process = subprocess.run([run.bin / "compile_bench", shape], capture_output=True, text=True, timeout=240, check=False)
            if process.returncode != 0:
                raise Failed(f"compile_bench {shape}: {process.stderr.strip()[-300:]}")
            line = json.loads(process.stdout)
            line["resolve_and_compile_ms"] = line["resolve_ms"] + line["compile_ms"]
            for metric, value in line.items():
                if metric not in NOT_MEASURED:
                    run.add("compile", "sluice", metric, [value], shape=shape)


def memory(run):
    run.program("memory", "memory_bench")
