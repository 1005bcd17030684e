"""Section 3, whole programs on the same traffic: Open vSwitch on DPDK, with and without conntrack, and nftables with sets
and conntrack between network namespaces. Each flow sends in both directions, so that trackers see it established."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import namespaces
from run import Failed, keys

SECTION = "peers"
# Debian's alternatives may point the plain name at the one without DPDK.
SWITCH = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SIZES = (1000, 64 * 1024)


def measure(run):
    windows, seconds = run.choose((3, 0.3), (5, 0.5))
    missing = [name for name in (SWITCH, "ovsdb-server", "ovs-vsctl") if shutil.which(name) is None]
    if missing:
        run.skip(SECTION, "OVS-DPDK", f"no {missing[0]} (apt-get install openvswitch-switch-dpdk)")
    for _ in range(run.choose(1, 3)):
        for flows in run.choose(SIZES[1:], SIZES):
            capture = run.capture(4, flows, both=1)
            run.program(
                SECTION, "worker_bench",
                *keys(capture=capture, captured=2 * flows, flows=flows, windows=windows, seconds=seconds),
            )  # fmt: skip
            if not missing:
                for conntrack in (True, False):
                    open_vswitch(run, capture, flows, conntrack, windows, seconds)
    namespaces.measure(run)


FLOWS = {
    False: ["in_port=1,actions=output:2"],
    True: [
        "table=0,in_port=1,ip,actions=ct(table=1)",
        "table=1,in_port=1,ct_state=+trk+new,ip,actions=ct(commit),output:2",
        "table=1,in_port=1,ct_state=+trk+est,ip,actions=output:2",
    ],
}


def open_vswitch(run, capture, flows, conntrack, windows, seconds):
    contender = f"OVS-DPDK with{'' if conntrack else 'out'} conntrack"
    with tempfile.TemporaryDirectory() as folder, switch(run, folder) as call:
        call("ovs-vsctl", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for number, device in ((1, f"net_pcap0,rx_pcap={capture},infinite_rx=1"), (2, "net_null0,no-rx=1")):
            call(
                "ovs-vsctl", "add-port", "br0", f"p{number}", "--", "set", "Interface", f"p{number}", "type=dpdk",
                f"options:dpdk-devargs={device}", f"ofport_request={number}",
            )  # fmt: skip
        problem = call("ovs-vsctl", "--bare", "--columns=error", "list", "Interface").strip()
        if problem:
            raise Failed(f"{contender}: {' '.join(problem.split())}")
        call("ovs-ofctl", "del-flows", "br0")
        for flow in FLOWS[conntrack]:
            call("ovs-ofctl", "add-flow", "br0", flow)
        time.sleep(2)
        values = []
        for _ in range(windows):
            call("ovs-appctl", "dpif-netdev/pmd-stats-clear")
            start = time.monotonic()
            time.sleep(seconds)
            text = call("ovs-appctl", "dpif-netdev/pmd-stats-show")
            elapsed = time.monotonic() - start
            received = max(int(count) for count in re.findall(r"packets received: (\d+)", text))
            values.append(received / elapsed / 1e6)
        run.add(SECTION, contender, "mpps", values, flows=flows, family=4)


@contextlib.contextmanager
def switch(run, folder):
    """ovsdb-server and ovs-vswitchd with paths of their own; yields a function that calls their tools."""
    env = {**os.environ, "OVS_RUNDIR": folder, "OVS_LOGDIR": folder, "OVS_DBDIR": folder}

    def call(*command):
        if command[0] == "ovs-vsctl":
            command = ("ovs-vsctl", f"--db=unix:{folder}/db.sock", "--timeout=60", *command[1:])
        elif command[0] == "ovs-appctl":
            command = ("ovs-appctl", f"--target={folder}/vswitchd.ctl", "--timeout=30", *command[1:])
        elif command[0] == "ovs-ofctl":
            command = (*command[:2], f"unix:{folder}/br0.mgmt", *command[3:])
        process = subprocess.run(command, capture_output=True, text=True, timeout=90, env=env, check=False)
        if process.returncode != 0:
            raise Failed(f"{command[0]}: {process.stderr.strip()[-300:]}")
        return process.stdout

    processes = []

    def start(*command):
        with open(f"{folder}/{os.path.basename(command[0])}.out", "w", encoding="utf-8") as out:
            processes.append(subprocess.Popen(command, stdout=out, stderr=out, env=env))

    try:
        call("ovsdb-tool", "create", f"{folder}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        start("ovsdb-server", f"{folder}/conf.db", f"--remote=punix:{folder}/db.sock", "--log-file=/dev/null")
        wait_for(f"{folder}/db.sock")
        worker, control = 1 << int(run.core_of_worker), 1 << int(run.core_of_control)
        call(
            "ovs-vsctl", "--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
            f"other_config:pmd-cpu-mask={worker:#x}", f"other_config:dpdk-lcore-mask={control:#x}",
            "other_config:dpdk-socket-mem=1024", "other_config:dpdk-extra=--no-pci --in-memory --no-telemetry",
        )  # fmt: skip
        start(
            SWITCH, f"unix:{folder}/db.sock", f"--unixctl={folder}/vswitchd.ctl", "--log-file=/dev/null", "-vconsole:warn"
        )
        wait_for(f"{folder}/vswitchd.ctl")
        yield call
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(path):
    for _ in range(3000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    raise Failed(f"{path} did not appear within 30 s")
