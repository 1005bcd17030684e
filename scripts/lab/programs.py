"""Runs the built programs: `sluiced` in the filter's namespace, `sluicectl` wherever."""

import json
import os
import pathlib
import signal
import subprocess
import threading

from lab import hosts

BIN = pathlib.Path(os.environ.get("SLUICE_BIN", hosts.ROOT / "build" / "release" / "bin"))

READY_SECONDS = 30
STOP_SECONDS = 10


class DaemonFailed(Exception):
    """`sluiced` did not become ready; the message holds its last words."""


class Daemon:
    """A `sluiced` in the topology's filter. `folder` takes its log; without `manifests`, policy is pushed to it. A context
    manager."""

    def __init__(self, topology, device, manifests, folder, wires=(("left", "right"),), extra=()):
        folder = pathlib.Path(folder)
        self.log = folder / f"sluiced-{device}.log"
        self.command = [
            *topology.inside("filter"),
            str(BIN / "sluiced"),
            *[word for left, right in wires for word in ("--wire", f"{device}:{left},{device}:{right}")],
            *(["--manifests", str(manifests)] if manifests else []),
            "--no-huge",
            *extra,
        ]

    def __enter__(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # an interrupt from the keyboard is for the caller, who then ends this
            )
        # A line that never comes must not keep us: the timer ends the process, and with it the reading.
        timer = threading.Timer(READY_SECONDS, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline().strip()
        except BaseException:
            self.kill()
            raise
        finally:
            timer.cancel()
        if line != "ready":
            self.stop()
            words = "\n".join(self.words().splitlines()[-10:])
            raise DaemonFailed(f"sluiced did not become ready:\n{words}")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns its exit code (negative: the signal that killed it)."""
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process.stdout.close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def words(self):
        """What it wrote to standard error so far: its log, and summaries."""
        return self.log.read_text()


def sluicectl(*arguments, text_input=None):
    """Returns (exit code, standard output, standard error)."""
    done = subprocess.run(
        [str(BIN / "sluicectl"), *map(str, arguments)], input=text_input, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def check(flows, manifests, folder):
    """What `sluicectl check` decides, by flow id. Raises where it fails for another reason than an unmet `expect`."""
    path = pathlib.Path(folder) / "flows.jsonl"
    path.write_text("\n".join(flow.to_check() for flow in flows) + "\n")
    code, output, errors = sluicectl("check", "--manifests", manifests, "--flows", path, "-o", "json")
    if code not in (0, 1):
        raise RuntimeError(f"sluicectl check: exit {code}\n{errors}")
    return {decision["id"]: decision for decision in map(json.loads, output.splitlines())}


def replay(capture, manifests):
    """What `sluicectl replay` does with each packet, in order."""
    code, output, errors = sluicectl("replay", "--manifests", manifests, "-o", "json", capture)
    if code != 0:
        raise RuntimeError(f"sluicectl replay: exit {code}\n{errors}")
    return [json.loads(line) for line in output.splitlines()]
