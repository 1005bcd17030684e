"""Reads a case: Kubernetes manifests, each followed by a table that says who reaches whom once it is in force.

    # What the case is about. Upstream: its title there.
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: { namespace: x, name: y-on-81 }
    spec: ...
    # p = tcp 81
    #       xa xb xc  ya yb yc  za zb zc  n1 out
    #   xa   .  +  +   +  +  +   +  +  +   +   +
    #   ...
    # explain ya xa tcp 81: allow by ingress x/y-on-81 [0]
    ---
    # delete NetworkPolicy x/y-on-81

A row is who sends, a column who is sent to: `+` reaches by everything that is tried (KINDS), `-` by nothing, `.` is
itself, and a letter by what its line says. A document is applied as it stands and must change what is in force; a
`delete` line does what it says. Where a document has no table, the next one comes at once.
"""

import dataclasses
import re

KINDS = ("tcp 80", "tcp 81", "udp 80", "udp 81", "sctp 80", "sctp 81", "icmp")
HOSTS = ("xa", "xb", "xc", "ya", "yb", "yc", "za", "zb", "zc", "n1", "out")

LEGEND = re.compile(r"# ([a-z]) = (.+)")
ROW = re.compile(r"# +(\w+) +(.+)")
DELETE = re.compile(r"# delete (\w+) ([\w-]+)/([\w-]+)")
EXPLAIN = re.compile(r"# explain (\w+) (\w+) (\w+) (\d+): (allow|deny) by (ingress|egress) (\S+) \[(-?\d+)\]")
KIND = re.compile(r"^kind: (\w+)$", re.MULTILINE)
# In YAML 1.1, which the API server reads, a bare y is true: it stands in quotes.
METADATA = re.compile(r'^metadata: \{ (?:namespace: "?([\w-]+)"?, )?name: "?([\w-]+)"?', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class ObjectName:
    kind: str
    namespace: str  # "": it has none
    name: str

    def __str__(self):
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclasses.dataclass(frozen=True)
class Explain:
    """What `sluicectl explain` must say of one packet."""

    source: str
    destination: str
    protocol: str
    port: int
    verdict: str
    direction: str
    policy: str
    rule: int


@dataclasses.dataclass
class Step:
    name: ObjectName
    manifest: str  # "": delete it
    reached: dict = None  # (from, to) to the set of kinds that reach; None: not looked at
    explains: list = dataclasses.field(default_factory=list)


class BadCase(Exception):
    """The file is not a case; the message names file and line."""


def read(path):
    """The steps of a case."""
    steps = []
    number = 1
    for text in re.split(r"^---\n", path.read_text(), flags=re.MULTILINE):
        try:
            steps.append(read_step(text))
        except BadCase as error:
            raise BadCase(f"{path}, document at line {number}: {error}") from None
        number += text.count("\n") + 1
    if steps[-1].reached is None:
        raise BadCase(f"{path}: the last step has no table")
    return steps


def read_step(text):
    step = Step(*read_change(text))
    legend = {"+": set(KINDS), "-": set(), ".": set(KINDS)}
    columns = None
    for line in text.splitlines():
        if match := EXPLAIN.fullmatch(line):
            source, destination, protocol, port, *rest, rule = match.groups()
            step.explains.append(Explain(source, destination, protocol, int(port), *rest, int(rule)))
        elif match := LEGEND.fullmatch(line):
            legend[match[1]] = set(match[2].split(", "))
            if unknown := legend[match[1]] - set(KINDS):
                raise BadCase(f"'{line}' names {unknown}, which is not tried")
        elif line.startswith("# ") and tuple(line[1:].split()) == HOSTS:
            columns = HOSTS
            step.reached = {}
        elif columns and (match := ROW.fullmatch(line)):
            read_row(step.reached, match[1], match[2].split(), legend)
    if step.reached is not None and len(step.reached) != len(HOSTS) ** 2:
        raise BadCase(f"its table wants a row for each of {' '.join(HOSTS)}")
    return step


def read_change(text):
    """(which object, its manifest or "")"""
    if match := re.search(f"^{DELETE.pattern}$", text, re.MULTILINE):
        return ObjectName(*match.groups()), ""
    kind, metadata = KIND.search(text), METADATA.search(text)
    if not kind or not metadata:
        raise BadCase("neither a manifest with 'kind: KIND' and 'metadata: { namespace: N, name: N' nor '# delete'")
    return ObjectName(kind[1], metadata[1] or "", metadata[2]), text


def read_row(reached, source, cells, legend):
    if source not in HOSTS or len(cells) != len(HOSTS):
        raise BadCase(f"row '{source}' wants {len(HOSTS)} cells")
    for destination, cell in zip(HOSTS, cells):
        if cell not in legend or (cell == ".") != (source == destination):
            raise BadCase(f"'{cell}' at {source} to {destination}: nothing says what that is")
        reached[source, destination] = legend[cell]



def without_labels(manifest):
    """The manifest of a Pod or Namespace, asking for nothing."""
    return re.sub(r", labels: \{[^}]*\}", "", manifest)
