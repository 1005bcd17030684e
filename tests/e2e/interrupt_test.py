"""An interrupted quickstart leaves nothing behind: no namespace, no process."""

import pathlib
import signal
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from lab import netns

SKIPPED = 77


class Interrupted(unittest.TestCase):
    def interrupt(self, number):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts/lab/quickstart.py")],
            stdout=subprocess.PIPE,
            text=True,
            # As on a terminal: a runner that is a shell's background job hands down an ignored SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        for line in process.stdout:
            if line.startswith("[4/6]"):
                break
        tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/children")
        started = [int(pid) for task in tasks for pid in task.read_text().split()]
        self.assertGreater(len(started), 1)
        process.send_signal(number)
        self.assertEqual(process.wait(timeout=30), 130)
        time.sleep(0.5)
        self.assertNotIn(f"sl{process.pid}-", netns.run("ip", "netns", "list"))
        self.assertEqual([pid for pid in started if pathlib.Path(f"/proc/{pid}").exists()], [])

    def test_sigint(self):
        self.interrupt(signal.SIGINT)

    def test_sigterm(self):
        self.interrupt(signal.SIGTERM)


if __name__ == "__main__":
    missing = netns.missing_privilege()
    if missing:
        print(f"skipped: needs root, to make network namespaces ({missing})")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
