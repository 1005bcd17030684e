"""Both ends of the wire that sluiced filters: sends frames into one, and says which came out of the other.

A fence follows each burst. sluiced has one worker here, which keeps the order of what it forwards: what has not come
out before the fence was dropped.
"""

import ctypes
import itertools
import os
import socket
import threading

import frames

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
BATCH = 128  # frames in flight: no more than the shortest queue on the way holds
BUFFER_BYTES = 16 << 20
SECONDS = 10  # for a fence to come through


def packet_socket(namespace, port):
    """A socket that sends and receives whole frames. Only a thread of its own may go into another namespace."""
    opened = []

    def open_inside():
        file = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
            end.bind((port, ETH_P_ALL))
            opened.append(end)
        finally:
            os.close(file)

    thread = threading.Thread(target=open_inside)
    thread.start()
    thread.join()
    if not opened:
        raise RuntimeError(f"no packet socket at {port}; the reason is above")
    return opened[0]


class Wire:
    """`out` is where clients' frames enter and servers' leave, `back` the other end. A context manager."""

    def __init__(self, topology):
        self._ends = {name: packet_socket(topology.namespace("fabric"), name) for name in ("out", "back")}
        self._fences = itertools.count()
        self.sent = 0
        self.dropped = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self._ends.values():
            end.close()

    def pass_through(self, sequence, from_server=False):
        """Sends frames that are all different; returns a list: which of them came out at the other end."""
        sequence = list(sequence)
        passed = []
        for start in range(0, len(sequence), BATCH):
            passed += self._pass_batch(sequence[start : start + BATCH], from_server)
        return passed

    def _pass_batch(self, batch, from_server):
        enter, leave = ("back", "out") if from_server else ("out", "back")
        fence = frames.fence(next(self._fences), from_server)
        send = self._ends[enter].send
        for frame in batch:
            send(frame)
        send(fence)
        self.sent += len(batch)
        came = self._receive_until(self._ends[leave], fence)
        unknown = came - set(batch)
        if unknown:
            raise RuntimeError(f"a frame came out that nobody sent: {unknown.pop().hex()}")
        self.dropped += len(batch) - len(came)
        return [frame in came for frame in batch]

    def _receive_until(self, end, fence):
        end.settimeout(SECONDS)
        came = set()
        while True:
            frame, (_, _, kind, *_) = end.recvfrom(2048)
            if frame == fence:
                return came
            # The kernel has frames of its own, such as neighbour discovery.
            if kind == PACKET_OUTGOING or frame[6:12] not in (frames.CLIENT_MAC, frames.SERVER_MAC):
                continue
            if frame in came:
                raise RuntimeError(f"a frame came out twice: {frame.hex()}")
            came.add(frame)
