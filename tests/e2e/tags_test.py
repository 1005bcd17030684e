"""Frames under VLAN tags, byte for byte, on one segment across a running sluiced: tags_test.py af_xdp|af_packet.

What docs/configuration.md says of af_packet is held here, too: its driver takes the outermost tag from the kernel
without the tag's kind, so that an 802.1ad tag leaves as an 802.1Q one. All else leaves as it came.
"""

import contextlib
import socket
import struct
import subprocess
import sys

import fixture
from fixture import NamespaceTest
from lab import capture, hosts, netns, programs

RED = hosts.Host("red", {4: "192.0.2.10", 6: "2001:db8::10"})
BLUE = hosts.Host("blue", {4: "192.0.2.20", 6: "2001:db8::20"})

CUSTOMER, SERVICE = 0x8100, 0x88A8  # IEEE 802.1Q, 802.1ad
TAGS = [
    (),
    ((CUSTOMER, 5),),
    ((SERVICE, 7),),
    ((SERVICE, 7), (CUSTOMER, 5)),
    ((CUSTOMER, 7), (CUSTOMER, 5)),
    ((SERVICE, 7), (SERVICE, 5)),
    ((CUSTOMER, 0x6000),),  # priority alone
]

# linux/if_packet.h
SOL_PACKET, PACKET_AUXDATA, AUXDATA = 263, 8, "IIIHHHH"
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40

ANY_PROTOCOL = 3  # ETH_P_ALL
SECONDS = 10


def frame_under(tags, marker):
    plain = capture.to_frame(4, RED.addresses[4], BLUE.addresses[4], 17, capture.udp_datagram(1000 + marker, 9))
    return plain[:12] + b"".join(struct.pack("!HH", kind, tag) for kind, tag in tags) + plain[12:]


def tags_after(device, tags):
    """What is left of the tags on the other side of a port of that kind."""
    if device == "af_packet" and tags:
        return ((CUSTOMER, tags[0][1]), *tags[1:])
    return tags


def on_the_wire(data, ancillary):
    """The frame as it came: the kernel has taken the outermost tag out of it."""
    for level, kind, content in ancillary:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, _, _, _, _, tag, tag_kind = struct.unpack_from(AUXDATA, content)
        if status & TP_STATUS_VLAN_VALID:
            tag_kind = tag_kind if status & TP_STATUS_VLAN_TPID_VALID else CUSTOMER
            return data[:12] + struct.pack("!HH", tag_kind, tag) + data[12:]
    return data


def receive():
    """Prints every frame that comes, until none has come for a while."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ANY_PROTOCOL)) as receiver:
        receiver.bind(("eth0", ANY_PROTOCOL))
        receiver.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        receiver.settimeout(SECONDS)
        print("ready", flush=True)
        with contextlib.suppress(TimeoutError):
            while True:
                data, ancillary, _, _ = receiver.recvmsg(2048, 256)
                print(on_the_wire(data, ancillary).hex(), flush=True)


def send(frames):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("eth0", 0))
        for frame in frames:
            sender.send(bytes.fromhex(frame))


class Tags(NamespaceTest):
    segment = (RED, BLUE)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        daemon = programs.Daemon(
            cls.topology, fixture.device, cls.manifests, cls.folder, wires=(("left", "right"), netns.SEGMENT_PORTS)
        )
        cls.stack.enter_context(daemon)

    def within(self, short, *arguments):
        return [*self.topology.inside(short), sys.executable, __file__, *arguments]

    def test_frames_leave_as_they_came(self):
        sent = [frame_under(tags, marker) for marker, tags in enumerate(TAGS)]
        wanted = [frame_under(tags_after(fixture.device, tags), marker) for marker, tags in enumerate(TAGS)]
        with subprocess.Popen(self.within("blue", "receive"), stdout=subprocess.PIPE, text=True) as receiver:
            try:
                self.assertEqual(receiver.stdout.readline(), "ready\n")
                subprocess.run(self.within("red", "send", *[frame.hex() for frame in sent]), check=True, timeout=SECONDS)
                came = []
                for line in receiver.stdout:
                    frame = bytes.fromhex(line)
                    if frame[:12] == capture.ETHERNET:
                        came.append(frame)
                    if len(came) == len(sent):
                        break
            finally:
                receiver.kill()
        self.assertEqual([frame.hex() for frame in came], [frame.hex() for frame in wanted])


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive()
    elif sys.argv[1] == "send":
        send(sys.argv[2:])
    else:
        fixture.main()
