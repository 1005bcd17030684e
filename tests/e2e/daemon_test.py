"""How sluiced starts and ends, around real traffic: daemon_test.py af_xdp|af_packet. A sluiced for each test."""

import signal
import time

import fixture
from fixture import NamespaceTest
from lab import programs, quickstart


class Daemon(NamespaceTest):
    def start(self, manifests=None):
        daemon = programs.Daemon(self.topology, fixture.device, manifests or self.manifests, self.folder)
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
