"""DPDK's testpmd, driven by its command line."""

import os
import re
import shutil
import subprocess
import threading
import time

from run import Failed

PROGRAM = shutil.which("dpdk-testpmd")
THROUGHPUT = re.compile(r"(Rx|Tx)-pps:\s+(\d+)")


class Testpmd:
    """One run: ports, a forwarding mode, and the packets a second that a port sent, window by window."""

    def __init__(self, run, vdevs, mode, buffers=0, burst=64, cores=None, prefix="pmd", extra=()):
        if PROGRAM is None:
            raise Failed("no dpdk-testpmd: apt-get install dpdk-dev")
        self.process = subprocess.Popen(
            [
                "stdbuf", "-oL", PROGRAM, "-l", cores or f"{run.core_of_control},{run.core_of_worker}", "--main-lcore",
                (cores or run.core_of_control).split(",")[0], "--in-memory", "--no-pci", "--no-telemetry", f"--file-prefix=bench-{prefix}-{os.getpid()}",
                "--log-level=error", *(f"--vdev={vdev}" for vdev in vdevs), "--", "-i", "--nb-cores=1",
                f"--forward-mode={mode}", f"--burst={burst}", "--rxd=1024", "--txd=1024", "--mbcache=256",
                f"--total-num-mbufs={buffers + 16384}", *extra,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def __enter__(self):
        self.command("start")
        self.wait_for("io packet forwarding|packet forwarding - ", 60)
        return self

    def __exit__(self, *_):
        try:
            self.command("stop")
            self.command("quit")
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait_for(self, pattern, seconds):
        end = time.monotonic() + seconds
        seen = 0
        while time.monotonic() < end:
            while seen < len(self.lines):
                if re.search(pattern, self.lines[seen]):
                    return
                seen += 1
            if self.process.poll() is not None:
                raise Failed("testpmd ended: " + " ".join("".join(self.lines[-3:]).split()))
            time.sleep(0.01)
        raise Failed(f"testpmd did not say '{pattern}': " + " ".join("".join(self.lines[-3:]).split()))

    def rates(self, port, direction, windows, seconds):
        """Packets a second that a port received ("Rx") or sent ("Tx") in each window, in millions."""
        values = []
        for window in range(windows + 1):
            before = len(self.lines)
            self.command(f"show port stats {port}")
            deadline = time.monotonic() + 10
            found = None
            while found is None:
                if time.monotonic() > deadline:
                    raise Failed("testpmd shows no statistics")
                text = "".join(self.lines[before:])
                rates = dict(THROUGHPUT.findall(text))
                found = rates.get(direction) if "Tx" in rates else None
                time.sleep(0.002)
            if window > 0:
                values.append(int(found) / 1e6)
            if window < windows:
                time.sleep(seconds)
        return values
