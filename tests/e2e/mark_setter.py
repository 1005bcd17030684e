"""A tc program of somebody else's, which sets each frame's mark: mark_setter.py INTERFACE ahead|behind|classic MARK PIN

It is there, at ingress and egress, until standard input ends: as a link ahead of others or behind them, or, as before
Linux 6.6, as a filter of a clsact qdisc, by way of the path PIN.
"""

import ctypes
import os
import platform
import socket
import struct
import subprocess
import sys

BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, OBJ_PIN, LINK_CREATE = 5, 6, 28
SCHED_CLS = 3
TCX_INGRESS, TCX_EGRESS = 46, 47
PLACES = {"ahead": 1 << 3, "behind": 1 << 4}  # BPF_F_BEFORE, BPF_F_AFTER
MARK = 8  # its offset in struct __sk_buff

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, request):
    buffer = ctypes.create_string_buffer(request.ljust(128, b"\0"), 128)
    result = libc.syscall(BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result


def instruction(code, registers=0, offset=0, immediate=0):
    return struct.pack("=BBhi", code, registers, offset, immediate)


def load(mark):
    code = instruction(0xB7, 2, 0, mark)  # r2 = mark
    code += instruction(0x63, 2 << 4 | 1, MARK)  # context->mark = r2
    code += instruction(0xB7, 0, 0, -1)  # r0 = TCX_NEXT
    code += instruction(0x95)
    code_buffer = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    request = struct.pack("=IIQQ", SCHED_CLS, len(code) // 8, ctypes.addressof(code_buffer), ctypes.addressof(licence))
    return bpf(PROG_LOAD, request)


def tc(*words):
    subprocess.run(["tc", *words], check=True)


def add_filters(program, interface, pin):
    path = ctypes.create_string_buffer(pin.encode())
    bpf(OBJ_PIN, struct.pack("=QI", ctypes.addressof(path), program))
    tc("qdisc", "add", "dev", interface, "clsact")
    for direction in ("ingress", "egress"):
        tc("filter", "add", "dev", interface, direction, "bpf", "direct-action", "object-pinned", pin)


def main():
    interface, place, mark, pin = sys.argv[1:]
    program, index = load(int(mark, 0)), socket.if_nametoindex(interface)
    if place == "classic":
        add_filters(program, interface, pin)
    for direction in (TCX_INGRESS, TCX_EGRESS) if place in PLACES else ():
        bpf(LINK_CREATE, struct.pack("=IIII", program, index, direction, PLACES[place]))
    print("ready", flush=True)
    sys.stdin.read()
    if place == "classic":
        tc("qdisc", "del", "dev", interface, "clsact")
        os.unlink(pin)
    os._exit(0)  # the links end with their descriptors


if __name__ == "__main__":
    main()
