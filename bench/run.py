"""What sections share: where things are, how programs are run, and the list of results.

A result is a dictionary: `section`, `contender`, what was measured on (`flows`, `family`, ...), `metric`, and `values`,
one for each repeat. Programs of bench/ print such lines; contenders of others are brought into the same form.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time


class Failed(Exception):
    """A measurement could not be taken; the text says why. The report carries it."""


class Run:
    def __init__(self, build, out, quick):
        self.bin = pathlib.Path(build) / "bin"
        self.out = pathlib.Path(out)
        self.quick = quick
        self.results = []
        self.skipped = []  # (section, what, why)
        self.seconds = {}  # by section
        self.planned = 1  # sections in all, and how many of them are over: for `alive` to say how far it is
        self.over = 0
        (self.out / "captures").mkdir(parents=True, exist_ok=True)
        self.core_of_worker = str(sorted(os.sched_getaffinity(0))[-1])
        self.core_of_control = str(sorted(os.sched_getaffinity(0))[0])

    def choose(self, quick, whole):
        return quick if self.quick else whole

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def add(self, section, contender, metric, values, **on):
        self.results.append({"section": section, "contender": contender, **on, "metric": metric, "values": values})

    def skip(self, section, what, why):
        self.say(f"{section}: {what}: skipped: {why}")
        self.skipped.append((section, what, why))

    @contextlib.contextmanager
    def alive(self, name):
        """Shows meanwhile how far it is: a bar on a terminal, else a line every five seconds. A millisecond of the control
        core's each time, which no measurement of five seconds shows."""
        terminal = sys.stderr.isatty()
        start = time.monotonic()
        over = threading.Event()

        def show():
            while not over.wait(1 if terminal else 5):
                text = f"{100 * self.over // self.planned}% {self.over} of {self.planned}, {time.monotonic() - start:.0f} s: {name}"
                if terminal:
                    bar = "#" * (24 * self.over // self.planned)
                    print(f"\r\x1b[Kbench: [{bar:24}] {text}", end="", file=sys.stderr, flush=True)
                else:
                    self.say(text)
            if terminal:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextlib.contextmanager
    def section(self, name):
        """What goes wrong inside is reported, and the others go on."""
        self.say(name)
        start = time.monotonic()
        try:
            with self.alive(name):
                yield
        except (Failed, subprocess.TimeoutExpired, OSError) as problem:
            self.skip(name, "the rest of it", str(problem))
        self.seconds[name] = time.monotonic() - start
        self.over += 1

    def program(self, section, name, *arguments, timeout=240, env=None, **on):
        """Runs a program of ours and takes over its results; returns them."""
        command = [self.bin / name, *(str(argument) for argument in arguments)]
        process = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, check=False)
        if process.returncode != 0:
            raise Failed(f"{name} {' '.join(command[1:])}: {process.stderr.strip().splitlines()[-1:]}")
        return self.take(section, process.stdout, **on)

    def take(self, section, output, **on):
        """Takes over the results that a program of ours printed; returns them."""
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        for line in lines:
            bench = line.pop("bench")
            self.results.append({"section": section, "what": bench, **line, **on})
        return lines

    def capture(self, family=4, flows=1000, protocol="udp", size=64, rules=1000, both=0):
        """A capture with a packet of each flow; made once."""
        path = self.out / "captures" / f"{protocol}{family}-{flows}x{size}-{rules}{'-both' * both}.pcap"
        if not path.exists():
            partial = path.with_suffix(".partial")
            keys = [f"family={family}", f"flows={flows}", f"protocol={protocol}", f"bytes={size}", f"rules={rules}", f"both={both}"]
            subprocess.run([self.bin / "write_capture", partial, *keys], check=True)
            partial.rename(path)
        return path


def keys(**arguments):
    """KEY=VALUE for each."""
    return [f"{key}={value}" for key, value in arguments.items()]
