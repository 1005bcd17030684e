"""Says in a pod whose addresses are its own: announcer.py INTERFACE ADDRESS...

A gratuitous ARP request (RFC 5227) of an IPv4 address, an unsolicited neighbour advertisement (RFC 4861) of an IPv6 one.
"""

import ipaddress
import socket
import struct
import sys

from raw_sender import checksum

ALL_NODES = ipaddress.ip_address("ff02::1")
ICMPV6, ADVERTISEMENT, OVERRIDE = 58, 136, 0x20000000


def arp(link, address):
    ends = link + address.packed + b"\0" * 6 + address.packed
    return b"\xff" * 6 + link + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + ends


def advertisement(link, address):
    body = struct.pack("!BBHI", ADVERTISEMENT, 0, 0, OVERRIDE) + address.packed + b"\2\1" + link
    pseudo = address.packed + ALL_NODES.packed + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + address.packed + ALL_NODES.packed
    return b"\x33\x33\0\0\0\1" + link + struct.pack("!H", 0x86DD) + header + body


def main():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((sys.argv[1], 0))
        link = raw.getsockname()[4]
        for word in sys.argv[2:]:
            address = ipaddress.ip_address(word)
            raw.send((arp if address.version == 4 else advertisement)(link, address))


if __name__ == "__main__":
    main()
