"""Runs inside a host's namespace: serves its ports, and sends real traffic when told to.

A request is a line of JSON on standard input, an answer a line on standard output with the same `id`. Requests run side
by side. The agent ends when its input does.
"""

import argparse
import json
import socket
import subprocess
import sys
import threading
import time

output_lock = threading.Lock()
held = {}  # open connections by name


def serve_tcp(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    threading.Thread(target=accept_loop, args=(server,), daemon=True).start()


def accept_loop(server):
    while True:
        connection, _ = server.accept()
        threading.Thread(target=echo_loop, args=(connection,), daemon=True).start()


def echo_loop(connection):
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass


def serve_udp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((address, port))
    threading.Thread(target=udp_loop, args=(server,), daemon=True).start()


def udp_loop(server):
    while True:
        data, peer = server.recvfrom(65536)
        server.sendto(data, peer)


def receive_exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionResetError("closed by the peer")
        data += chunk
    return bytes(data)


def exchange(connection, payload):
    sender = threading.Thread(target=connection.sendall, args=(payload,), daemon=True)
    sender.start()
    answer = receive_exactly(connection, len(payload))
    sender.join()
    return "open" if answer == payload else "garbled"


def probe_tcp(request):
    payload = b"x" * request.get("size", 4)
    with socket.create_connection((request["address"], request["port"]), request["timeout"]) as connection:
        return exchange(connection, payload)


def probe_udp(request):
    payload = b"x" * request.get("size", 4)
    family = socket.AF_INET6 if ":" in request["address"] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(request["timeout"])
        client.connect((request["address"], request["port"]))
        client.send(payload)
        return "open" if client.recv(65536) == payload else "garbled"


def probe_icmp(request):
    command = ["ping", "-n", "-q", "-c", "1", "-W", str(request["timeout"]), "-s", str(request.get("size", 56))]
    if request.get("do_not_fragment"):
        command += ["-M", "do"]
    done = subprocess.run([*command, request["address"]], capture_output=True, text=True)
    return "open" if done.returncode == 0 else "timeout"


def hold(request):
    """Opens a TCP connection, or a socket that speaks UDP to one peer, and keeps it under a name."""
    end = (request["address"], request["port"])
    if request.get("protocol") == "udp":
        family = socket.AF_INET6 if ":" in request["address"] else socket.AF_INET
        held[request["name"]] = socket.socket(family, socket.SOCK_DGRAM)
        held[request["name"]].connect(end)
    else:
        held[request["name"]] = socket.create_connection(end, request["timeout"])
    return "open"


def say(request):
    """So many exchanges on a held connection, one after the other."""
    held[request["name"]].settimeout(request["timeout"])
    payload = b"x" * request.get("size", 4)
    for _ in range(request.get("times", 1)):
        outcome = exchange(held[request["name"]], payload)
        if outcome != "open":
            return outcome
    return "open"


def port(request):
    """The local one of a held connection."""
    return held[request["name"]].getsockname()[1]


def release(request):
    held.pop(request["name"]).close()
    return "closed"


ACTIONS = {"tcp": probe_tcp, "udp": probe_udp, "icmp": probe_icmp, "hold": hold, "say": say, "port": port, "release": release}


def answer(request):
    start = time.monotonic()
    try:
        outcome = ACTIONS[request["action"]](request)
    except TimeoutError:
        outcome = "timeout"
    except ConnectionRefusedError:
        outcome = "refused"
    except OSError as error:
        outcome = f"error: {error}"
    with output_lock:
        print(json.dumps({"id": request["id"], "outcome": outcome, "seconds": time.monotonic() - start}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tcp", type=int, nargs="*", default=[])
    parser.add_argument("--udp", type=int, nargs="*", default=[])
    parser.add_argument("--address", nargs="*", default=[])
    options = parser.parse_args()
    for port in options.tcp:
        serve_tcp(port)
    for port in options.udp:
        for address in options.address:
            serve_udp(address, port)
    print("ready", flush=True)
    for line in sys.stdin:
        threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()


if __name__ == "__main__":
    main()
