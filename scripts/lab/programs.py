"""Runs the built programs: `sluiced` in the filter's namespace, `sluice-sync` and `sluicectl` wherever."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from lab import hosts

BIN = pathlib.Path(os.environ.get("SLUICE_BIN", hosts.ROOT / "build" / "release" / "bin"))

READY_SECONDS = 30
STOP_SECONDS = 10


class DaemonFailed(Exception):
    """A program did not become ready; the message holds its last words."""


class Program:
    """A program that says when it is ready as systemd's services do. A context manager; `folder` takes its log."""

    def __init__(self, name, command, folder):
        self.name = name
        self.command = list(map(str, command))
        self.folder = pathlib.Path(folder)
        self.log = self.folder / f"{name}.log"

    def __enter__(self):
        notify = self.folder / f"{self.name}.notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, self.log.open("w") as log:
            listener.bind(str(notify))
            listener.settimeout(0.2)
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(notify)},
                start_new_session=True,  # an interrupt from the keyboard is for the caller, who then ends this
            )
            try:
                ready = self._becomes_ready(listener)
            except BaseException:
                self.kill()
                raise
        if not ready:
            self.stop()
            words = "\n".join(self.words().splitlines()[-10:])
            raise DaemonFailed(f"{self.name} did not become ready:\n{words}")
        return self

    def __exit__(self, *_):
        self.stop()

    def _becomes_ready(self, listener):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(TimeoutError):
                if "READY=1" in listener.recv(4096).decode().splitlines():
                    return True
        return False

    def stop(self, number=signal.SIGTERM):
        """Ends it; returns its exit code (negative: the signal that killed it)."""
        self.process.send_signal(number)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def words(self):
        """What it wrote to standard error so far: its log, and summaries."""
        return self.log.read_text()


class Daemon(Program):
    """A `sluiced` in the topology's filter, which is ready when packets flow.

    It takes its policy from `manifests`, or where that is None from whoever pushes it to `target`. `under` are words that
    run it (setpriv).
    """

    def __init__(self, topology, device, manifests, folder, wires=(("left", "right"),), extra=(), under=()):
        self.target = extra[extra.index("--listen") + 1] if "--listen" in extra else f"unix:{folder}/sluiced.sock"
        command = [
            *topology.inside("filter"),
            *under,
            BIN / "sluiced",
            *[word for left, right in wires for word in ("--wire", f"{device}:{left},{device}:{right}")],
            *(["--manifests", manifests] if manifests else []),
            *([] if "--listen" in extra else ["--listen", self.target]),
            "--no-huge",
            *extra,
        ]
        super().__init__("sluiced", command, folder)


class Sync(Program):
    """A `sluice-sync` that pushes manifests to `target`, and is ready when they are in force there."""

    def __init__(self, manifests, target, folder, extra=()):
        command = [BIN / "sluice-sync", "--manifests", manifests, "--target", target, *extra]
        super().__init__("sluice-sync", command, folder)


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


def explain(flow, target):
    """What the running sluiced's table in force decides of a flow, step by step."""
    protocol = "icmpv6" if flow.protocol == "icmp" and flow.family == 6 else flow.protocol
    words = ["--target", target, "--src", flow.src_address, "--dst", flow.dst_address, "--proto", protocol]
    words += ["--dport", flow.port] if flow.port else []
    code, output, errors = sluicectl("explain", *words, "-o", "json")
    if code != 0:
        raise RuntimeError(f"sluicectl explain: exit {code}\n{errors}")
    return json.loads(output)


def status(target):
    """How the running sluiced is: what `sluicectl status` says."""
    code, output, errors = sluicectl("status", "--target", target, "-o", "json")
    if code != 0:
        raise RuntimeError(f"sluicectl status: exit {code}\n{errors}")
    return json.loads(output)


def replay(capture, manifests):
    """What `sluicectl replay` does with each packet, in order."""
    code, output, errors = sluicectl("replay", "--manifests", manifests, "-o", "json", capture)
    if code != 0:
        raise RuntimeError(f"sluicectl replay: exit {code}\n{errors}")
    return [json.loads(line) for line in output.splitlines()]
