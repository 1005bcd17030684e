"""Section 1. Line rate over memif: a rig on one core sends, the device under test forwards on the other.

testpmd makes the traffic where that is flat out (`flowgen`, both directions, received by itself). It cannot send at a
given rate over memif, so the search for the highest rate without loss and the latency at half of it (RFC 2544) are
bench/line_bench.cc's. Either way the device under test is first sluiced, then testpmd `io` in its place.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

from run import Failed, keys
from testpmd import Testpmd

SECTION = "line rate"


def memif(folder, side, role):
    return f"net_memif{side},role={role},socket={folder}/{side}.sock,socket-abstract=no,id=0"


@contextlib.contextmanager
def sluiced(run, folder, protocol="udp", flows=1000):
    """sluiced between two memif ports, with the traffic's policy from manifests."""
    manifests = f"{folder}/policy.json"
    subprocess.run([run.bin / "write_manifests", manifests, *keys(protocol=protocol)], check=True)
    config = f"{folder}/sluiced.yaml"
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"wires: [['memif:{folder}/0.sock:0', 'memif:{folder}/1.sock:0']]\n")
        file.write(f"manifests: ['{manifests}']\nlisten: ['unix:{folder}/api.sock']\n")
        file.write(f"cores: [{run.core_of_control}, {run.core_of_worker}]\nidle: poll\n")
        file.write(f"flows: {{ipv4: {max(65536, flows * 5 // 4)}, ipv6: {max(65536, flows * 5 // 4)}}}\n")
    with open(f"{folder}/sluiced.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([run.bin / "sluiced", "--config", config], stdout=subprocess.PIPE, stderr=log)
        try:
            if process.stdout.readline().strip() != b"ready":
                raise Failed("sluiced did not start: " + open(log.name, encoding="utf-8").read()[-300:])
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def testpmd_io(run, folder, **_):
    with Testpmd(run, [memif(folder, 0, "client"), memif(folder, 1, "client")], "io", extra=["--disable-link-check"]) as testpmd:
        yield testpmd


CONTENDERS = {"testpmd io": testpmd_io, "sluice": sluiced}


def measure_with_rig(run, seconds, steps, **on):
    for contender, device in CONTENDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            sockets = keys(a=memif(folder, 0, "server"), b=memif(folder, 1, "server"))
            rig = subprocess.Popen(
                [run.bin / "line_bench", *sockets, *keys(contender=contender.replace(" ", "_"), seconds=seconds, steps=steps, **on)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            try:
                wait_for_sockets(folder, rig)
                with device(run, folder, protocol=on.get("protocol", "udp"), flows=on.get("flows", 1000)):
                    output, errors = rig.communicate(timeout=120)
            finally:
                if rig.poll() is None:
                    rig.kill()
                    rig.wait()
            if rig.returncode != 0:
                raise Failed(f"line_bench, {contender}: {errors.strip()[-300:]}")
            run.take(SECTION, output, contender=contender)


def wait_for_sockets(folder, process):
    for _ in range(1000):
        if all(os.path.exists(f"{folder}/{side}.sock") for side in (0, 1)):
            return
        if process.poll() is not None:
            raise Failed("line_bench: " + process.stderr.read()[-300:])
        time.sleep(0.01)
    raise Failed("line_bench makes no socket")


def flat_out(run, windows, seconds):
    """testpmd sends and receives: what passes both ways when nobody holds back."""
    for contender, device in CONTENDERS.items():
        with tempfile.TemporaryDirectory() as folder:
            vdevs = [memif(folder, side, "server") for side in (0, 1)]
            generator = Testpmd(
                run, vdevs, "flowgen", cores=f"{run.core_of_worker},{run.core_of_control}", prefix="generator",
                extra=["--flowgen-flows=1024", "--disable-link-check"],
            )  # fmt: skip
            with generator, device(run, folder):
                time.sleep(0.5)
                received = [generator.rates(port, "Rx", windows, seconds) for port in (0, 1)]
            run.add(SECTION, contender, "testpmd_flat_out_mpps", [sum(pair) for pair in zip(*received)], flows=1024, both=1)


def measure(run):
    seconds, steps = run.choose((0.1, 6), (0.2, 8))
    for _ in range(run.choose(3, 7)):
        measure_with_rig(run, seconds, steps, flows=1000)
    flat_out(run, *run.choose((2, 0.3), (5, 0.5)))
    if run.quick:
        return
    for size in (128, 256, 512, 1024, 1280, 1518, 0):
        measure_with_rig(run, seconds, 6, flows=1000, bytes=size)
    for flows in (1, 64 * 1024, 1 << 20):
        measure_with_rig(run, seconds, 6, flows=flows)
    measure_with_rig(run, seconds, 6, flows=1000, protocol="tcp")
    measure_with_rig(run, seconds, 6, flows=1000, both=1)
    measure_with_rig(run, seconds, 6, flows=1000, family=6)
