#!/usr/bin/env python3
"""Writes docs/api.md from the messages in proto/: their comments are the documentation.

    scripts/api-reference.py           writes it
    scripts/api-reference.py --check   says whether it is as written, exit 1 if not
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ["policy", "observe", "names", "capture"]
DOCUMENT = ROOT / "docs" / "api.md"
FIELD = re.compile(r"^(?:(repeated|optional) )?([\w.]+) (\w+) = (\d+);$")
RPC = re.compile(r"^rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\);$")

HEAD = """# The control API

Generated from `proto/sluice/v1` by `scripts/api-reference.py`; edit the comments there.

gRPC over a Unix socket (`unix:/run/sluice/sluiced.sock`), or over TCP with mutual TLS. `grpc.health.v1.Health` and server
reflection are there too.

Over TCP, a client whose certificate `tls.viewer_ca` signed may call everything but `PolicyService.Push`,
`NamesService.Push` and `CaptureService.Capture` with `payload`, which are answered `PERMISSION_DENIED`.

**Bounds.** A message is at most 16 MB, either way; a request of `PolicyService.Push` may come in parts, of 64 MB together, and
take 1 GB of memory at most. A full state is at most 1 GB over all its chunks. A request of `ObserveService`, and
`Begin`, is at most 64 KB. No message may be compressed: one that says so is answered `UNIMPLEMENTED`.

There are at most 128 connections by Unix sockets and 128 by TCP; when they are used up, the process or host with the most of
them loses its oldest to one that has fewer. A connection has at most 32 calls at once. Calls that read are worked on 24 at a
time, among them at most 8 that watch drops or flows and 2 that read the whole policy; a connection's share of these is 8, 4 and 1.
One capture runs at a time.
Further calls wait. After five seconds such a call is answered `RESOURCE_EXHAUSTED`, and the message names the limit. A call
whose client reads nothing is cancelled after a minute, and after a second where another call waits for its place.
"""


def blocks_of(name):
    """(kind, name, comment, [(comment, line)]) for each service, message and enum; the file's own comment first."""
    comment, stack, head, blocks = [], [], None, []
    for line in (ROOT / "proto" / "sluice" / "v1" / f"{name}.proto").read_text().splitlines():
        line = line.strip()
        if line.startswith("//"):
            comment.append(line[2:].strip())
            continue
        if line.startswith("syntax"):
            head = comment
        if opened := re.match(r"^(service|message|enum|oneof) (\w+) \{(\})?$", line):
            kind, title, closed = opened.groups()
            if kind == "oneof":
                stack.append(stack[-1])
            else:
                path = f"{stack[-1][1]}.{title}" if stack else title
                block = (kind, path, comment, [])
                blocks.append(block)
                if not closed:
                    stack.append(block)
        elif line == "}":
            stack.pop()
        elif stack and line:
            stack[-1][3].append((comment, line))
        comment = []
    return head, blocks


def text(comment):
    return " ".join(comment)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def section(block):
    kind, name, comment, lines = block
    out = f"### {name}\n\n" + (text(comment) + "\n\n" if comment else "")
    if kind == "service":
        rows = []
        for said, line in lines:
            call, from_many, request, to_many, response = RPC.match(line).groups()
            rows.append(
                [
                    f"`{call}`",
                    ("stream of " if from_many else "") + f"`{request}`",
                    ("stream of " if to_many else "") + f"`{response}`",
                    text(said),
                ]
            )
        return out + table(["call", "request", "response", "meaning"], rows)
    if kind == "enum":
        return out + table(["name", "number"], [[f"`{line.split()[0]}`", line.split()[2].rstrip(";")] for _, line in lines])
    rows = []
    for said, line in lines:
        label, of, field, number = FIELD.match(line).groups()
        rows.append([f"`{field}`", number, ("list of " if label == "repeated" else "") + of, text(said)])
    return out + (table(["field", "number", "type", "meaning"], rows) if rows else "No fields.\n")


def document():
    parts = [HEAD]
    for name in FILES:
        head, blocks = blocks_of(name)
        parts.append(f"## {name}.proto\n\n" + "\n".join(head).strip() + "\n")
        parts += [section(block) for block in blocks]
    return "\n".join(parts)


def main():
    if sys.argv[1:] == ["--check"]:
        if DOCUMENT.read_text() == document():
            return 0
        print("docs/api.md is not what proto/ says: run scripts/api-reference.py", file=sys.stderr)
        return 1
    DOCUMENT.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
