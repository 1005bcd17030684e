"""How sluiced starts and ends, around real traffic: daemon_test.py af_xdp|af_packet. A sluiced for each test."""

import signal
import time

import fixture
from fixture import NamespaceTest
from lab import hosts, programs, quickstart


UNITS = hosts.ROOT / "deploy" / "systemd"


def as_in_the_unit(device):
    """The words that run a command with what the unit leaves to root for that kind of device, and no more."""
    files = [UNITS / "sluiced.service"] + ([UNITS / "af_xdp.conf"] if device == "af_xdp" else [])
    lines = [line for file in files for line in file.read_text().splitlines()]
    lists = [line.partition("=")[2] for line in lines if line.startswith("CapabilityBoundingSet=")]
    capabilities = [name.removeprefix("CAP_").lower() for name in " ".join(lists).split()]
    bounding = ",".join(["-all", *("+" + name for name in capabilities)])
    return ["setpriv", "--no-new-privs", "--bounding-set", bounding, "--inh-caps", "-all"]


class Daemon(NamespaceTest):
    def start(self, manifests=None, under=()):
        manifests = manifests or self.manifests
        daemon = programs.Daemon(self.topology, fixture.device, manifests, self.folder, under=under)
        daemon.__enter__()
        self.addCleanup(daemon.stop)
        return daemon

    def reached(self):
        return self.ask("shop/frontend", "tcp", "shop/backend", 4, port=80, timeout=0.5) == "open"

    def test_nothing_passes_without_sluiced(self):
        self.assertFalse(self.reached())

    def test_sigterm_exits_0_and_prints_a_summary(self):
        daemon = self.start()
        self.assertTrue(self.reached())
        self.assertEqual(self.ask("shop/frontend", "tcp", "shop/database", 4, port=5432), "timeout")
        self.assertEqual(daemon.stop(signal.SIGTERM), 0)
        self.assertRegex(daemon.words(), r"policy_denied +[1-9]")

    def test_sigusr1_prints_a_summary_and_traffic_goes_on(self):
        daemon = self.start()
        self.assertEqual(self.ask("shop/frontend", "tcp", "shop/database", 4, port=5432), "timeout")
        self.assertTrue(self.reached())
        daemon.signal(signal.SIGUSR1)
        self.assertIsNotNone(quickstart.wait_until(lambda: "policy_denied" in daemon.words(), 5))
        self.assertTrue(self.reached())

    def test_killed_sluiced_fails_closed_and_its_successor_serves(self):
        daemon = self.start()
        self.assertTrue(self.reached())
        self.assertEqual(daemon.stop(signal.SIGKILL), -signal.SIGKILL)
        time.sleep(0.2)
        self.assertFalse(self.reached())
        self.start()
        self.assertTrue(self.reached())

    def test_capabilities_of_the_unit_suffice(self):
        daemon = self.start(under=as_in_the_unit(fixture.device))
        self.assertTrue(self.reached())
        self.assertEqual(self.ask("shop/frontend", "tcp", "shop/database", 4, port=5432), "timeout")
        self.assertEqual(daemon.stop(), 0)

    def test_missing_manifests_are_refused_by_name(self):
        with self.assertRaisesRegex(programs.DaemonFailed, "no-such-folder"):
            self.start(self.folder / "no-such-folder")

    def test_second_sluiced_on_the_same_device_is_refused_by_name(self):
        self.start()
        with self.assertRaisesRegex(programs.DaemonFailed, "left"):
            self.start()
        self.assertTrue(self.reached())


if __name__ == "__main__":
    fixture.main()
