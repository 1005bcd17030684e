"""The layers hold: who may include what, and no file grows past 600 lines.

CMake's link graph keeps control/ and dataplane/ apart already; this says so in words, and keeps third-party headers to
the few files that may name them.
"""

import pathlib
import re
import sys

ROOTS = ["base", "bench", "codec", "control", "dataplane", "include", "node", "programs", "reference", "tests"]
MAX_LINES = 600

# (what may not be included, by whom, why). The second pattern matches the files that may not.
LAYERS = [
    (r"rte_", r"(?!dataplane/edge/|programs/sluiced/main\.cc|tests/edge/|bench/)", "rte_* belongs to dataplane/edge"),
    (r"yaml-cpp/", r"(?!control/(manifest|kube)/|programs/(config|sluice-sync)/|tests/)", "yaml-cpp belongs to what reads YAML files"),
    (r"simdjson", r"(?!control/(manifest|kube)/|programs/|tests/)", "simdjson belongs to what reads JSON files"),
    (r"curl/", r"(?!control/kube/api_client|tests/)", "libcurl belongs to the API server's client"),
    (r"roaring/", r"(?!control/|tests/|bench/)", "CRoaring belongs to the resolver"),
    (r"(grpc|google/protobuf|.*\.pb\.h)", r"(?!codec/|control/push/|dataplane/api/|programs/|tests/|bench/)", "Protobuf and gRPC belong to adapters"),
    (r"(bpf|libmnl)/", r"(?!node/|tests/)", "libbpf and libmnl belong to node/"),
    (r"(api|store|table|core|edge|model|manifest|resolve)/", r"node/", "node/ knows neither control/ nor dataplane/"),
    (r"(table|core|edge)/", r"control/", "control/ does not know dataplane/"),
    (r"(model|manifest|resolve)/", r"dataplane/", "dataplane/ does not know control/"),
    (r"(api|store|table|core|edge|codec)/", r"dataplane/keep/", "what is kept is its owners' to understand"),
    (r"prometheus/", r"(?!dataplane/observe/metrics\.cc|programs/sluice-sync/)", "prometheus-cpp belongs to what makes metrics"),
    (r"(api|store|edge|codec|core/pipeline)", r"dataplane/observe/", "what is observed comes as observations"),
    (r"(api|store|edge|codec|observe|names)/", r"dataplane/dns/", "what is read of DNS is taught by a sink"),
    (r"edge/", r"dataplane/(core|table)/", "core and table do not know the edge"),
    (r"core/", r"dataplane/table/", "the table does not know the core"),
    (r"(table|core|edge|manifest|resolve)/", r"reference/", "the reference shares no code with what it checks"),
]

# Only the standard library, "sluice/..." and their own layers.
STANDARD_ONLY = re.compile(r"(include|base|dataplane/core|dataplane/table)/")
OWN = re.compile(r"(sluice|table|core)/")
STANDARD = re.compile(r"[a-z_]+$|(immintrin|x86intrin|arm_neon|arm_acle|arpa/inet|sys/mman)\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def problems_of(path):
    lines = path.read_text().splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines, over {MAX_LINES}: split it by subject"
    name = path.as_posix()
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        form, header = match.groups()
        for forbidden, who, why in LAYERS:
            if re.match(forbidden, header) and re.match(who, name):
                yield number, f"includes {header}: {why}"
        if form == "<" and STANDARD_ONLY.match(name) and not STANDARD.match(header):
            yield number, f"includes <{header}>: this layer has the standard library alone"
        if form == '"' and STANDARD_ONLY.match(name) and not OWN.match(header):
            yield number, f'includes "{header}": this layer has itself and the standard library alone'


def main():
    found = 0
    files = [path for root in ROOTS for path in pathlib.Path(root).rglob("*") if path.suffix in (".cc", ".h")]
    if not files:
        print("no sources found: run it in the source folder", file=sys.stderr)
        return 2
    for path in sorted(files):
        for line, problem in problems_of(path):
            print(f"{path}:{line}: {problem}", file=sys.stderr)
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
