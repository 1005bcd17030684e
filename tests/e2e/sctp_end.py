"""One end of an SCTP association, by a raw socket, on kernels without SCTP: sctp_end.py OWN [PEER PORT]

Without PEER it answers what comes to port 80: INIT, COOKIE ECHO, DATA, HEARTBEAT, SHUTDOWN (RFC 9260). With PEER it reads
lines from standard input, seconds and the chunk types of one packet (`20 10 0`), sends that packet from PORT, and prints
the first chunk's type of the answer, or `timeout`. A type with `!` says that it is longer than the packet.
"""

import ipaddress
import socket
import struct
import sys

SCTP, SERVER_PORT = 132, 80
INIT = 1
ANSWERS = {0: 3, INIT: 2, 4: 5, 7: 8, 10: 11}


def crc32c(data):
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def chunk(word):
    kind, body = int(word.rstrip("!")), bytes(16)
    return struct.pack("!BBH", kind, 3, 4 + len(body) + (64 if word.endswith("!") else 0)) + body


def packet(source_port, destination_port, words):
    header = struct.pack("!HHI", source_port, destination_port, 0 if words == [str(INIT)] else 1)
    chunks = b"".join(map(chunk, words))
    return header + struct.pack("<I", crc32c(header + bytes(4) + chunks)) + chunks


def receive(raw, port):
    """(peer's address, its port, first chunk's type) of the next packet to that port."""
    while True:
        data, peer = raw.recvfrom(2000)
        if raw.family == socket.AF_INET:
            data = data[(data[0] & 15) * 4 :]
        source_port, destination_port = struct.unpack("!HH", data[:4])
        if destination_port == port:
            return peer[0], source_port, data[12]


def serve(raw):
    while True:
        peer, port, kind = receive(raw, SERVER_PORT)
        if kind in ANSWERS:
            raw.sendto(packet(SERVER_PORT, port, [str(ANSWERS[kind])]), (peer, 0))


def ask(raw, peer, port):
    for line in sys.stdin:
        seconds, *words = line.split()
        raw.settimeout(float(seconds))
        raw.sendto(packet(port, SERVER_PORT, words), (peer, 0))
        try:
            print(receive(raw, port)[2], flush=True)
        except TimeoutError:
            print("timeout", flush=True)


def main():
    own = sys.argv[1]
    family = socket.AF_INET if ipaddress.ip_address(own).version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, SCTP) as raw:
        raw.bind((own, 0))
        print("ready", flush=True)
        serve(raw) if len(sys.argv) == 2 else ask(raw, sys.argv[2], int(sys.argv[3]))


if __name__ == "__main__":
    main()
