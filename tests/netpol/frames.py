"""Frames of the connections that are tried, made here byte by byte: SCTP too, which not every kernel speaks.

A connection is told from all others by its ends and the client's port (of ICMP, the identifier). Its packets are
named: `open` by the client, `answer` by the server, `confirm` and `confirmed` complete it, `more` and `more back` are
what a connection says later.
"""

import functools
import ipaddress
import struct

CLIENT_MAC, SERVER_MAC = bytes.fromhex("02000000c11e"), bytes.fromhex("0200000005e6")
PROTOCOL = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1}
ICMPV6 = 58
PACKETS = ("open", "answer", "confirm", "confirmed", "more", "more back")
FROM_SERVER = {"answer", "confirmed", "more back"}

SYN, ACK, PSH = 0x02, 0x10, 0x08
TCP_FLAGS = {"open": SYN, "answer": SYN | ACK, "confirm": ACK, "confirmed": ACK}
TCP_FLAGS |= {"more": ACK | PSH, "more back": ACK | PSH}

# RFC 9260 3.3: INIT, INIT ACK with a cookie, COOKIE ECHO, COOKIE ACK, DATA.
INITIATE = struct.pack("!IIHHI", 0x51CE, 65535, 1, 1, 1)
DATA = struct.pack("!BBHIHHI", 0, 3, 20, 1, 0, 0, 0) + b"ping"
SCTP_CHUNK = {
    "open": struct.pack("!BBH", 1, 0, 20) + INITIATE,
    "answer": struct.pack("!BBH", 2, 0, 28) + INITIATE + struct.pack("!HH", 7, 8) + b"kiss",
    "confirm": struct.pack("!BBH", 10, 0, 8) + b"kiss",
    "confirmed": struct.pack("!BBH", 11, 0, 4),
    "more": DATA,
    "more back": DATA,
}


def crc32c_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


CRC32C = tuple(crc32c_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def ones_sum(data):
    """The sum of 16-bit words that RFC 1071 complements."""
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


@functools.lru_cache(maxsize=4096)
def segment(protocol, port, client_port, packet, family):
    """(header and data without checksum, where a checksum over addresses goes, the sum so far)"""
    back = packet in FROM_SERVER
    ports = struct.pack("!HH", *((port, client_port) if back else (client_port, port)))
    if protocol == "tcp":
        data = b"ping" if packet.startswith("more") else b""
        text = ports + struct.pack("!IIBBHHH", 1000, 5000, 5 << 4, TCP_FLAGS[packet], 64240, 0, 0) + data
        return text, 16, ones_sum(text)
    if protocol == "udp":
        text = ports + struct.pack("!HH", 12, 0) + b"ping"
        return text, 6, ones_sum(text)
    if protocol == "sctp":
        tag = 0 if packet == "open" else 0x51CE
        text = ports + struct.pack("!II", tag, 0) + SCTP_CHUNK[packet]
        return text[:8] + struct.pack("<I", crc32c(text)) + text[12:], None, 0
    request, reply = (8, 0) if family == 4 else (128, 129)
    text = struct.pack("!BBHHH", reply if back else request, 0, 0, client_port, PACKETS.index(packet)) + b"ping" * 8
    if family == 4:
        return text[:2] + struct.pack("!H", 0xFFFF - ones_sum(text)) + text[4:], None, 0
    return text, 2, ones_sum(text)


@functools.lru_cache(maxsize=65536)
def headers(source, destination, protocol, length, back):
    """(Ethernet and IP header, the sum of the pseudo-header)"""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    number = ICMPV6 if protocol == "icmp" and source.version == 6 else PROTOCOL[protocol]
    addresses = source.packed + destination.packed
    macs = CLIENT_MAC + SERVER_MAC if back else SERVER_MAC + CLIENT_MAC
    pseudo = ones_sum(addresses + struct.pack("!II", length, number))
    if source.version == 6:
        return macs + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, length, number, 64) + addresses, pseudo
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, number, 0) + addresses
    return macs + b"\x08\x00" + header[:10] + struct.pack("!H", 0xFFFF - ones_sum(header)) + header[12:], pseudo


def frame(source, destination, kind, client_port, packet):
    """`source` and `destination` are the client's and the server's address; `kind` is "tcp 80", "icmp", ..."""
    protocol, _, port = kind.partition(" ")
    family = 6 if ":" in source else 4
    text, offset, total = segment(protocol, int(port or 0), client_port, packet, family)
    back = packet in FROM_SERVER
    ends = (destination, source) if back else (source, destination)
    header, pseudo = headers(*ends, protocol, len(text), back)
    if offset is None:
        return header + text
    checksum = 0xFFFF - (total + pseudo) % 0xFFFF
    return header + text[:offset] + struct.pack("!H", checksum) + text[offset + 2 :]


def fence(number, back):
    """An ARP frame, which every filter forwards: what was sent before it was decided before it."""
    macs = CLIENT_MAC + SERVER_MAC if back else SERVER_MAC + CLIENT_MAC
    request = struct.pack("!HHBBH6sI6sI", 1, 0x0800, 6, 4, 1, macs[6:], number, bytes(6), 0)
    return macs + b"\x08\x06" + request
