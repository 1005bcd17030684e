"""What report.py makes of a suite's reports."""

import json
import pathlib
import tempfile
import unittest

import report

# Two services had one address, one after the other: each case has namespaces of its own.
SERVICES = """
10.96.0.1 default <none>
10.96.141.224 netpol-x-3620 b
10.96.141.224 netpol-z-77 a
10.96.3.84 netpol-y-12 c
"""


def probe(what, source, address, rest=""):
    return f"I1201 00:01:02.003 probe.go:1] probe #1 :: {what} :: {source} -> {address}{rest}\n"


class Netpol(unittest.TestCase):
    def read(self, words, state="passed"):
        with tempfile.TemporaryDirectory() as folder:
            logs = pathlib.Path(folder)
            (logs / "control.services.log").write_text(SERVICES)
            case = {"LeafNodeType": "It", "State": state, "ContainerHierarchyTexts": ["Netpol"], "LeafNodeText": "denies"}
            case["CapturedGinkgoWriterOutput"] = "Starting probe from pod\n" * 3 + words
            (logs / "suite.json").write_text(json.dumps([{"SpecReports": [case], "RunTime": 2_000_000_000}]))
            return report.read(logs, "netpol")

    def test_counts_cases_and_tries(self):
        result = self.read("")
        self.assertEqual((result.cases, result.tries, result.failed, result.through, result.lost), (1, 3, [], [], []))

    def test_names_the_case_that_failed(self):
        self.assertEqual(self.read("", "failed").failed, ["failed: Netpol denies"])

    def test_a_try_that_policy_denies_and_that_got_through_is_named(self):
        result = self.read(probe("connectivity not expected", "netpol-y-12/a", "10.96.3.84"))
        self.assertEqual(result.through, ["connectivity not expected: netpol-y-12/a -> 10.96.3.84"])

    def test_a_pod_that_reaches_itself_does_not_count(self):
        self.assertEqual(self.read(probe("connectivity not expected", "netpol-y-12/c", "10.96.3.84")).through, [])

    def test_a_pod_that_reaches_itself_does_not_count_where_its_address_has_a_later_owner(self):
        self.assertEqual(self.read(probe("connectivity not expected", "netpol-x-3620/b", "10.96.141.224")).through, [])
        self.assertEqual(len(self.read(probe("connectivity not expected", "netpol-z-77/b", "10.96.141.224")).through), 1)

    def test_a_try_that_met_no_server_yet_is_told_from_one_that_was_lost(self):
        expected = "connectivity expected"
        result = self.read(
            probe(expected, "netpol-y-12/a", "10.96.3.84", " REFUSED") + probe(expected, "netpol-y-12/b", "10.96.3.84", " TIMEOUT")
        )
        self.assertEqual((len(result.refused), len(result.lost)), (1, 1))


if __name__ == "__main__":
    unittest.main()
