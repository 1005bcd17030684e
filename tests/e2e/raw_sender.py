"""Sends an IP packet as it is told, whoever's source it has: raw_sender.py SOURCE DESTINATION PROTOCOL PORT COUNT

PORT is the destination port of UDP and TCP (a SYN). The transport's checksum is right for UDP and TCP.
"""

import ipaddress
import socket
import struct
import sys

TCP, UDP = 6, 17


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def transport(source, destination, protocol, port):
    if protocol == UDP:
        segment, place = struct.pack("!HHHH", 40000, port, 12, 0) + b"ping", 6
    elif protocol == TCP:
        segment, place = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 5 << 4, 2, 65535, 0, 0), 16
    else:
        return b"\0" * 40
    pseudo = source.packed + destination.packed + struct.pack("!II", len(segment), protocol)
    return segment[:place] + struct.pack("!H", checksum(pseudo + segment) or 0xFFFF) + segment[place + 2 :]


def main():
    source, destination = map(ipaddress.ip_address, sys.argv[1:3])
    protocol, port, count = map(int, sys.argv[3:])
    payload = transport(source, destination, protocol, port)
    if source.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0) + source.packed + destination.packed
    else:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source.packed + destination.packed
    family = socket.AF_INET if source.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in range(count):
            raw.sendto(header + payload, (str(destination), 0))


if __name__ == "__main__":
    main()
