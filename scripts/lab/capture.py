"""Writes examples/quickstart.pcap: the traffic of the quickstart as a capture, for `sluicectl replay`.

Every flow sends its first packet; an allowed one goes on with the answers that make it an exchange.
`capture.py --check` only compares the file with what would be written.
"""

import dataclasses
import ipaddress
import pathlib
import struct
import sys

if __package__ is None:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import hosts

CAPTURE = hosts.EXAMPLES / "quickstart.pcap"

ETHERNET = bytes.fromhex("020000000002" "020000000001")  # destination, source
CLIENT_PORT = 40000
PROTOCOL = {"tcp": 6, "udp": 17, "icmp": 1}
ICMPV6 = 58
SYN, ACK = 0x02, 0x10
START = 1767225600  # 2026-01-01T00:00:00Z
MICROSECONDS_APART = 1000


@dataclasses.dataclass(frozen=True)
class Packet:
    flow: hosts.Flow
    frame: bytes


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def tcp_segment(source_port, destination_port, sequence, acknowledged, flags):
    return struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, acknowledged, 5 << 4, flags, 64240, 0, 0)


def udp_datagram(source_port, destination_port):
    return struct.pack("!HHHH", source_port, destination_port, 12, 0) + b"ping"


def icmp_echo(kind, identifier):
    return struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + bytes(range(32))


def to_frame(family, source, destination, protocol, payload):
    """Fills in the payload's checksum and puts IP and Ethernet in front."""
    source, destination = ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed
    pseudo = source + destination + struct.pack("!II", len(payload), protocol)
    covered = payload if protocol == PROTOCOL["icmp"] else pseudo + payload
    offset = {PROTOCOL["tcp"]: 16, PROTOCOL["udp"]: 6}.get(protocol, 2)
    payload = payload[:offset] + struct.pack("!H", checksum(covered)) + payload[offset + 2 :]
    if family == 6:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source + destination
        return ETHERNET + b"\x86\xdd" + header + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + source + destination
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ETHERNET + b"\x08\x00" + header + payload


def payloads(flow, client_port):
    """(from the client, payload) for each packet that the flow would send were it allowed."""
    if flow.protocol == "tcp":
        yield True, tcp_segment(client_port, flow.port, 1000, 0, SYN)
        yield False, tcp_segment(flow.port, client_port, 5000, 1001, SYN | ACK)
        yield True, tcp_segment(client_port, flow.port, 1001, 5001, ACK)
    elif flow.protocol == "udp":
        yield True, udp_datagram(client_port, flow.port)
        yield False, udp_datagram(flow.port, client_port)
    else:
        request, reply = (8, 0) if flow.family == 4 else (128, 129)
        yield True, icmp_echo(request, client_port)
        yield False, icmp_echo(reply, client_port)


def packets(flows):
    for number, flow in enumerate(flows):
        protocol = ICMPV6 if flow.protocol == "icmp" and flow.family == 6 else PROTOCOL[flow.protocol]
        for from_client, payload in payloads(flow, CLIENT_PORT + number):
            ends = (flow.src_address, flow.dst_address) if from_client else (flow.dst_address, flow.src_address)
            yield Packet(flow, to_frame(flow.family, *ends, protocol, payload))
            if not flow.allowed:
                break


def to_pcap(sequence):
    """The classic pcap format, microseconds, Ethernet."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number, packet in enumerate(sequence):
        seconds, microseconds = divmod(number * MICROSECONDS_APART, 1000000)
        size = len(packet.frame)
        data += struct.pack("<IIII", START + seconds, microseconds, size, size) + packet.frame
    return data


def main():
    data = to_pcap(packets(hosts.load_flows()))
    if sys.argv[1:] == ["--check"]:
        if CAPTURE.read_bytes() != data:
            print(f"{CAPTURE} is not what scripts/lab/capture.py writes: run it and commit the file", file=sys.stderr)
            return 1
        return 0
    CAPTURE.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
