"""One agent (agent.py) in each host's namespace, asked from here."""

import itertools
import json
import pathlib
import queue
import subprocess
import sys
import threading

AGENT = pathlib.Path(__file__).with_name("agent.py")


class Agent:
    def __init__(self, topology, host):
        self.host = host
        command = [sys.executable, str(AGENT), "--address", *host.addresses.values()]
        command += ["--tcp", *map(str, host.tcp), "--udp", *map(str, host.udp)]
        self._process = subprocess.Popen(
            [*topology.inside(host.short), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt from the keyboard is for the caller, who then ends this
        )
        self._ids = itertools.count()
        self._waiting = {}
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the agent of {host.name} did not start; its words are above")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, action, timeout=1.0, **request):
        """Sends a request; returns a function that waits for its answer: {"outcome", "seconds"}."""
        number = next(self._ids)
        answer = self._waiting[number] = queue.SimpleQueue()
        line = json.dumps({"id": number, "action": action, "timeout": timeout, **request})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return lambda: self._wait(answer, action, timeout + 20)

    def ask(self, action, **request):
        return self.start(action, **request)()["outcome"]

    def _wait(self, answer, action, seconds):
        try:
            return answer.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError(f"the agent of {self.host.name} has not answered '{action}' in {seconds} s") from None

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            answer = json.loads(line)
            self._waiting.pop(answer["id"]).put(answer)


class Agents:
    """All hosts' agents, by the host's name; a context manager."""

    def __init__(self, topology):
        self._topology = topology
        self._agents = {}

    def __enter__(self):
        try:
            for host in self._topology.hosts:
                self._agents[host.name] = Agent(self._topology, host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for agent in self._agents.values():
            agent.close()

    def close_one(self, name):
        self._agents.pop(name).close()

    def open_one(self, host):
        self._agents[host.name] = Agent(self._topology, host)

    def __getitem__(self, name):
        return self._agents[name]

    def probe(self, flows, timeout=1.0):
        """Sends every flow's traffic, all side by side; returns what became of each: "open", "timeout", ..."""
        answers = [
            self[flow.src.name].start(flow.protocol, timeout=timeout, address=flow.dst_address, port=flow.port)
            for flow in flows
        ]
        return [answer()["outcome"] for answer in answers]
