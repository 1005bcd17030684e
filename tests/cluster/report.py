"""What the suites' own reports say: cases, and tries that got a wrong answer before the right one."""

import dataclasses
import json
import re


@dataclasses.dataclass(frozen=True)
class Result:
    cases: int
    failed: list  # names
    seconds: float
    tries: int  # probes of the NetworkPolicy suite, subcases of the conformance suite
    through: tuple | list = ()  # tries that policy denies and that got an answer
    lost: tuple | list = ()  # tries that policy allows and that got none
    refused: tuple | list = ()  # tries that came to a pod whose server did not listen yet

    def __str__(self):
        lines = [*self.through, *self.lost, *self.refused, *self.failed]
        lines.append(
            f"{self.cases - len(self.failed)} of {self.cases} cases passed in {self.seconds:.0f} s, {self.tries} tries; "
            f"let through: {len(self.through)}, lost: {len(self.lost)}, before a server listened: {len(self.refused)}"
        )
        return "\n".join(lines)


def read(logs, suite):
    """Of a folder of logs; None where the suite did not come to its end."""
    if suite == "clusterpolicy":
        return _read_clusterpolicy(logs / "suite.log") if (logs / "conformance.yaml").exists() else None
    return _read_netpol(logs) if (logs / "suite.json").exists() else None


def memory(logs):
    """{node: MB resident of sluiced, sluice-sync and sluice-node together} at the end."""
    of_nodes = {}
    for path in sorted(logs.glob("*.process.txt")):
        resident = re.search(r"^VmRSS:\s+(\d+) kB", path.read_text(), re.MULTILINE)
        node = path.name.split(".")[0]
        of_nodes[node] = of_nodes.get(node, 0) + int(resident[1] if resident else 0) / 1024
    return of_nodes


def _read_clusterpolicy(path):
    """What `go test -v` prints: a case is a subtest of the one that runs them all."""
    lines = re.findall(r"^ +--- (PASS|FAIL|SKIP): TestConformanceProfiles/(\S+) \((\S+)s\)", path.read_text(), re.MULTILINE)
    cases = [(state, name, float(seconds)) for state, name, seconds in lines if "/" not in name]
    failed = [f"{state}: {name}" for state, name, _ in cases if state != "PASS"]
    return Result(len(cases), failed, sum(seconds for _, _, seconds in cases), len(lines) - len(cases))


def _read_netpol(logs):
    suites = json.loads((logs / "suite.json").read_text())
    services = _services(logs / "control.services.log")
    cases = [spec for suite in suites for spec in suite["SpecReports"] or [] if spec["LeafNodeType"] == "It"]
    cases = [spec for spec in cases if spec["State"] not in ("skipped", "pending")]
    words = "\n".join(spec.get("CapturedGinkgoWriterOutput", "") for spec in cases)
    lost = _wrong_tries(words, "connectivity expected", services)
    return Result(
        len(cases),
        [f"{spec['State']}: {_name(spec)}" for spec in cases if spec["State"] != "passed"],
        sum(suite["RunTime"] for suite in suites) / 1e9,
        words.count("Starting probe from pod"),
        _wrong_tries(words, "connectivity not expected", services),
        [line for line in lost if not line.endswith("REFUSED")],
        [line for line in lost if line.endswith("REFUSED")],
    )


def _name(spec):
    return " ".join([*(spec["ContainerHierarchyTexts"] or []), spec["LeafNodeText"]])


def _services(path):
    """All (address, namespace/pod) there were: a later service may have the address of one that has gone."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {(words[0], f"{words[1]}/{words[2]}") for words in lines if len(words) == 3}


def _wrong_tries(words, what, services):
    """Not those of a pod to itself: upstream leaves them out, too, as policy does not speak of them.

    Each case has namespaces of its own names, so a pod and its own address meet in no other case.
    """
    found = re.findall(rf"probe #\d+ :: {what} :: (\S+) -> (\S+)(.*)", words)
    return [f"{what}: {source} -> {address}{rest}" for source, address, rest in found if (address, source) not in services]
