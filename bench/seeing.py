"""Section "seeing". What it costs a worker to be looked at: sluiced as a process on packets from memory, with and without a
flow log, a capture of drops or a scraper, in pairs that take turns. Packets of known flows, one of 128 of them denied; and
a million flows opened a second, each of which a log is offered."""

import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import worker_alone
from run import Failed

SECTION = "seeing"
TURNS = 9
KNOWN = 1000  # flows
DENIED_IN = 128  # packets
FRESH = 512  # flows, one after the other, of which the table holds a quarter beside the known ones
FRESH_IN = 20  # packets, to begin with
OPENED = 1e6  # a second
SCRAPES = 10  # a second
HEADER, RECORD = 24, 16  # bytes, of a capture
PORT_AT = 36  # the destination port, in a frame of UDP and IPv4
CLOSED_PORT = 9
LOG = "flows.jsonl"
SUMMARY_SINK = re.compile(r"^flow log \S+ +(\d+) lines(.*)$", re.MULTILINE)
SAMPLE = re.compile(r"^(\w+)(?:\{.*\})? (\S+)$", re.MULTILINE)


def frames_of(capture):
    data = capture.read_bytes()
    frames, at = [], HEADER
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + RECORD : at + RECORD + length])
        at += RECORD + length
    return data[:HEADER], frames


def write(path, header, frames):
    records = (struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames)
    path.write_bytes(header + b"".join(records))
    return len(frames)


def known_packets(run, path):
    """Both directions of known flows, some packets to a port that no rule has."""
    header, frames = frames_of(run.capture(flows=KNOWN, both=1))
    closed = struct.pack("!H", CLOSED_PORT)
    packets = []
    for number, frame in enumerate(frames):
        packets.append(frame)
        if number % (DENIED_IN - 1) == 0:
            packets.append(frame[:PORT_AT] + closed + frame[PORT_AT + 2 :])
    return write(path, header, packets)


def fresh_packets(run, path, fresh_in=FRESH_IN):
    """Of a few packets of known flows, one is followed by one of a flow that the table has forgotten since."""
    header, known = frames_of(run.capture(flows=KNOWN, both=1))
    fresh = frames_of(run.capture(flows=KNOWN + FRESH))[1][KNOWN:]
    packets = []
    for number, frame in enumerate(fresh):
        for i in range(fresh_in - 1):
            packets.append(known[(number * (fresh_in - 1) + i) % len(known)])
        packets.append(frame)
    return write(path, header, packets)


class Sluiced:
    """One of those that take turns. `beside`: what goes on beside it, as a context of its own."""

    def __init__(self, run, name, traffic, packets, flows, settings, beside=None, **on):
        self.run, self.name, self.on, self.values, self.opened = run, name, on, [], []
        self.at_end = contextlib.ExitStack()
        self.folder = pathlib.Path(self.at_end.enter_context(tempfile.TemporaryDirectory()))
        capture = self.folder / "in.pcap"  # of its own: two devices do not share a name
        capture.symlink_to(traffic.resolve())
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        subprocess.run([run.bin / "write_manifests", self.folder / "policy.json"], check=True)
        descriptors = max(1024, packets // 4 + 1024)
        source = dict(device=f"net_pcap0,rx_pcap={capture},infinite_rx=1")
        config = dict(
            wires=[[source, "null"]], rx_descriptors=descriptors, tx_descriptors=descriptors, memory_mb=256 + packets // 100, idle="poll", timeouts=dict(udp=86400, udp_stream=86400),
            cores=[int(run.core_of_control), int(run.core_of_worker)], manifests=[str(self.folder / "policy.json")],
            listen=[f"unix:{self.folder}/api.sock"], http=f"127.0.0.1:{self.port}", flows=flows, **settings(self),
        )  # fmt: skip
        (self.folder / "sluiced.yaml").write_text(json.dumps(config))
        self.log = self.at_end.enter_context(open(self.folder / "sluiced.log", "w+", encoding="utf-8"))
        command = [run.bin / "sluiced", "--config", self.folder / "sluiced.yaml"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, preexec_fn=lambda: os.sched_setaffinity(0, run.all_cores))
        self.at_end.callback(self.stop)
        if self.process.stdout.readline().strip() != b"ready":
            said = self.log_text()[-300:]
            self.at_end.close()
            raise Failed(f"sluiced did not start: {said}")
        self.beside = beside(self) if beside else contextlib.nullcontext()
        if hasattr(self.beside, "start"):
            try:
                self.beside.start()
            except BaseException:
                self.at_end.close()  # a sluiced that is left polls on beside all other sections
                raise

    def log_text(self):
        return (self.folder / "sluiced.log").read_text(encoding="utf-8")

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def scrape(self):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()

    def counts(self):
        """By name, the sum of all labels."""
        counts = {}
        for name, value in SAMPLE.findall(self.scrape()):
            counts[name] = counts.get(name, 0) + float(value)
        return counts

    def worker_seconds(self):
        """That the worker's thread was on its core, which others may take from it."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if os.sched_getaffinity(int(task.name)) == {int(self.run.core_of_worker)}:
                return int((task / "schedstat").read_text().split()[0]) / 1e9
        raise Failed("sluiced has no worker")

    def measure(self, seconds):
        with self.beside:
            before, start = self.counts(), self.worker_seconds()
            give_up = time.monotonic() + 50 * seconds
            while self.worker_seconds() < start + seconds:  # its own, whatever else the machine does
                if time.monotonic() > give_up:
                    raise Failed("the worker does not get its core")
                time.sleep(seconds / 10)
            after, end = self.counts(), self.worker_seconds()
        packets, opened = (after[name] - before[name] for name in ("sluice_worker_packets_total", "sluice_flows_created_total"))
        self.values.append(packets / (end - start) / 1e6)
        self.opened.append(opened / (end - start))

    def end(self):
        try:
            if hasattr(self.beside, "stop"):
                self.beside.stop()
            self.stop()
            if self.values:
                self.run.add(SECTION, self.name, "mpps", self.values, **self.on)
                self.run.add(SECTION, self.name, "opened_per_second", self.opened, **self.on)
                self.account()
        finally:
            self.at_end.close()

    def account(self):
        """Of the flows that it opened, those that a log neither has nor counts as lost."""
        summary = self.log_text()
        sink = SUMMARY_SINK.search(summary)
        if sink is None:
            return
        written, lost = int(sink[1]), sum(int(count) for count in re.findall(r"\d+", sink[2]))
        log = self.folder / LOG
        if log.exists():  # which tells of what it lost, too
            with open(log, "rb") as file:
                written = sum(b'"type":"end"' in line for line in file)
        created = int(re.search(r"^created +(\d+)$", summary, re.MULTILINE)[1])
        for metric, value in (("written", written), ("lost", lost), ("unaccounted", created - written - lost)):
            self.run.add(SECTION, self.name, metric, [value], **self.on)


class Scraper:
    """Asks for the metrics ten times a second while it is its turn."""

    def __init__(self, sluiced):
        self.sluiced = sluiced

    def __enter__(self):
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.go_on)
        self.thread.start()

    def go_on(self):
        while not self.over.wait(1 / SCRAPES):
            self.sluiced.scrape()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Capture:
    """Of what is dropped, beside all turns."""

    def __init__(self, sluiced):
        self.sluiced = sluiced

    def start(self):
        target = f"unix:{self.sluiced.folder}/api.sock"
        command = [self.sluiced.run.bin / "sluicectl", "capture", "--target", target, "--verdict", "drop", "--for", "1h", "--write", self.sluiced.folder / "drops.pcapng"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.sluiced.log)

    def stop(self):
        if self.process.poll() is not None:
            raise Failed(f"the capture ended: {self.sluiced.log_text()[-300:]}")
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        if not (self.sluiced.folder / "drops.pcapng").stat().st_size:
            raise Failed("nothing was captured")

    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass


class Collector:
    """Of IPFIX over TCP: takes all there is, and looks at nothing."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        room = bytearray(1 << 20)
        connection = self.server.accept()[0]
        with connection:
            while connection.recv_into(room):
                pass


def no_log(_):
    return dict(flow_history=0)


def only_history(_):
    return {}


def to_file(sluiced):
    return dict(flow_logs=[dict(to=f"file:{sluiced.folder}/{LOG}", most_mb=1 << 20)], flow_log_live_interval=1)


def ended_to_file(sluiced):
    return dict(flow_logs=[dict(to=f"file:{sluiced.folder}/{LOG}", only="ended", most_mb=1 << 20)])


def ended_to_collector(_):
    return dict(flow_logs=[dict(to=f"ipfix:tcp:127.0.0.1:{Collector().port}", only="ended")])


@contextlib.contextmanager
def off_the_workers_core(run):
    """This process, its threads and what it starts: whoever looks has no business on the core of a worker, where its turn
    would take the worker's caches, which the worker's own time does not show."""
    run.all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(run.core_of_control)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, run.all_cores)


def measure(run):
    with off_the_workers_core(run):
        measure_all(run)


def packets_a_fresh_flow(run, folder, room):
    """Of which one opens a flow, so that a worker opens a million a second: how many packets it takes differs by machine."""
    traffic = folder / "trial.pcap"
    trial = Sluiced(run, "trial", traffic, fresh_packets(run, traffic), flows=room, settings=no_log)
    try:
        time.sleep(worker_alone.WARMING)
        trial.measure(run.choose(0.2, 0.4))
    finally:
        trial.stop()
        trial.at_end.close()
    return max(2, round(FRESH_IN * trial.opened[0] / OPENED))


def measure_all(run):
    seconds = run.choose(0.2, 0.4)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        fresh_room = dict(ipv4=KNOWN + FRESH // 4, ipv6=64)
        fresh_in = packets_a_fresh_flow(run, folder, fresh_room)
        for what, packets, room, contenders in (
            ("hits", known_packets, dict(ipv4=4 * KNOWN, ipv6=64), (("none", no_log, None), ("no sink", only_history, None), ("a flow log", to_file, None), ("a capture of drops", no_log, Capture), ("10 scrapes a second", no_log, Scraper))),
            ("opened", functools.partial(fresh_packets, fresh_in=fresh_in), fresh_room, (("none", no_log, None), ("a log to a file", ended_to_file, None), ("a log to IPFIX", ended_to_collector, None))),
        ):  # fmt: skip
            traffic = folder / f"{what}.pcap"
            count = packets(run, traffic)
            start = functools.partial(Sluiced, run, traffic=traffic, packets=count, what=what, flows=room)
            starts = [functools.partial(start, name=name, settings=settings, beside=beside) for name, settings, beside in contenders]
            worker_alone.in_turns(starts, TURNS, seconds)
