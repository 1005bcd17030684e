"""Kubernetes' own NetworkPolicy suite on a real cluster whose policy is Sluice's alone (README.md).

It builds and installs nothing: scripts/test.sh cluster does.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import groups
import images
import report
from lab.programs import BIN
from shape import SHAPES

ALL = r"\[sig-network\] Netpol"
CASES = {"netpol": 50, "clusterpolicy": 24}
LOST_AT_MOST = 3  # first tries at fresh pods, on a busy machine
SKIPPED = 77
START_SECONDS = 600
SLUICE = ("sluiced", "sluice-sync", "sluicectl", "sluice-node", "sluice-cni")
BUILT = ("etcd", "kubectl", "kube-apiserver", "kube-node", "netpol.test", "clusterpolicy.test", "ginkgo", "agnhost")
BUILT += ("pause",)
INSTALLED = ("containerd", "ctr", "runc", "nft", "iptables", "curl", "openssl", "pivot_root")
AGNHOST_OF_CLUSTERPOLICY = "registry.k8s.io/e2e-test-images/agnhost:2.45"
DEFINITION = "clusternetworkpolicies.yaml"  # beside what is built
PAUSE = "registry.example/pause:1"

INSIDE = """
mkdir "$0/machines"
mount -t tmpfs tmpfs "$0/machines"
exec "$1" "$2" "$0/order.json"
"""


def programs():
    """Where those are that scripts/build-test-cluster.sh provides, and names of all that is missing."""
    module = (ROOT / "tests/kube/cluster/kubernetes/go.mod").read_text()
    version = re.search(r"^\tk8s.io/kubernetes v(.*)$", module, re.MULTILINE)[1]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    found = {}
    for name in BUILT:
        variable = os.environ.get("SLUICE_" + name.upper().replace("-", "_"))
        candidates = (variable, cache / "sluice" / f"kube-{version}" / name, shutil.which(name))
        found[name] = next((str(path) for path in candidates if path and os.access(path, os.X_OK)), None)
    missing = [name for name in BUILT if not found[name]]
    return found, missing + [name for name in INSTALLED if not shutil.which(name)]


def why_not(missing):
    """What keeps the cluster from running here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not groups.are_of_version_1():
        return "needs control groups of version 1"
    if missing:
        return f"lacks {', '.join(missing)}: scripts/test.sh cluster builds and installs them"
    return None


def make_images(folder, found):
    """Paths of archives."""
    listed = subprocess.check_output([found["netpol.test"], "--list-images"], text=True, timeout=60)
    agnhosts = [name for name in listed.split() if "/e2e-test-images/agnhost:" in name]
    agnhost = max(agnhosts, key=lambda name: [int(part) for part in name.rsplit(":", 1)[1].split(".")])
    sluice = re.search(r"image: (\S+)", (ROOT / "deploy/node.yaml").read_text())[1]
    paths = [folder / f"{name}.tar" for name in ("agnhost", "pause", "sluice")]
    images.of_agnhost(paths[0], [agnhost, AGNHOST_OF_CLUSTERPOLICY], found["agnhost"])
    images.archive(paths[1], [PAUSE], {"/pause": found["pause"]}, ["/pause"])
    images.of_sluice(paths[2], sluice, [BIN / name for name in SLUICE])
    return [str(path) for path in paths]


def write_order(folder, options, found, logs, group):
    """What inside.py is to do."""
    outside = {pathlib.Path(path).parent for path in found.values()}
    manifests = [str(ROOT / "deploy" / name) for name in ("rbac.yaml", "node.yaml")]
    if SHAPES[options.shape].suite == "clusterpolicy":
        manifests.insert(0, str(pathlib.Path(found["clusterpolicy.test"]).with_name(DEFINITION)))
        manifests.append(str(HERE / "places.yaml"))
    kept = {folder, logs, *(path for path in outside if not path.is_relative_to("/usr"))}
    order = {
        "shape": options.shape,
        "procs": options.procs,
        "seconds": options.seconds,
        "focus": options.focus,
        "waits": options.keep,
        "folder": str(folder),
        "kept": sorted(map(str, kept)),
        "logs": str(logs),
        "group": group,
        "programs": found,
        "images": make_images(folder, found),
        "pause": PAUSE,
        "manifests": manifests,
    }
    (folder / "order.json").write_text(json.dumps(order))


def run_inside(folder, seconds):
    """In namespaces of its own, all of whose processes end with process 1, and that one with this one."""
    words = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount"]
    words += ["--net", "--uts", "--ipc", "sh", "-e", "-c", INSIDE, folder, sys.executable, HERE / "inside.py"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        if seconds is None:
            _say_how_to_enter(process.pid)
        process.wait(timeout=seconds)
    finally:
        process.kill()
        process.wait()


def _say_how_to_enter(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    while not (child := children.read_text().strip()):
        time.sleep(0.1)
    print(f"its processes: nsenter --all --target {child}; from there to a machine: nsenter --mount --net --uts --target PID")


def run_suite(options, found):
    """Its result, or None where it did not come so far."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-cluster-")))
        logs = (options.logs or folder / "logs").resolve()
        logs.mkdir(parents=True, exist_ok=True)
        group = f"sluice-cluster-{os.getpid()}"
        stack.enter_context(groups.Groups(group, SHAPES[options.shape].nodes))
        write_order(folder, options, found, logs, group)
        run_inside(folder, None if options.keep else START_SECONDS + options.seconds)
        for node, megabytes in report.memory(logs).items():
            print(f"{node}: {megabytes:.0f} MB resident: sluiced, sluice-sync and sluice-node")
        return report.read(logs, SHAPES[options.shape].suite)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--focus", default=ALL, help="only cases whose name this pattern matches")
    parser.add_argument("--procs", type=int, default=6, help="cases at a time (default 6)")
    parser.add_argument("--seconds", type=int, default=900, help="what the suite may take (default 900)")
    parser.add_argument("--logs", type=pathlib.Path, help="a folder for logs, which stay there")
    parser.add_argument("--keep", action="store_true", help="no suite: the cluster stays until it is interrupted")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found, missing = programs()
    if why_not(missing):
        in_ci = os.environ.get("CI") == "true"
        print(f"{'failed' if in_ci else 'skipped'}: {why_not(missing)}")
        sys.exit(1 if in_ci else SKIPPED)
    result = run_suite(options, found)
    if result is None:
        sys.exit("cluster_test: the cluster ended before its suite; --logs DIR keeps what its programs said")
    print(result)
    is_whole = options.focus != ALL or result.cases == CASES[SHAPES[options.shape].suite]
    sys.exit(0 if is_whole and not result.failed and not result.through and len(result.lost) <= LOST_AT_MOST else 1)


main()
