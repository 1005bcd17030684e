"""The cluster's control groups: one below each hierarchy of version 1, where the kubelets want to find theirs."""

import os
import pathlib
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
GONE_SECONDS = 20
SHARES = 8192


def are_of_version_1():
    return (ROOT / "memory").is_dir()


class Groups:
    """A context manager; on the way out, the groups go as their processes end."""

    def __init__(self, name, nodes):
        self.name = name
        self.below = [name, *(f"{name}/node{number}" for number in range(1, nodes + 1))]
        self.hierarchies = [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]

    def __enter__(self):
        for hierarchy in self.hierarchies:
            for below in self.below:
                group = hierarchy / below
                group.mkdir()
                if (group / "cpu.shares").exists():  # else a node, beside other work, counts as one process of it
                    (group / "cpu.shares").write_text(str(SHARES))
                for setting in ("cpuset.cpus", "cpuset.mems"):  # without them, nothing may run there
                    if (group / setting).exists():
                        (group / setting).write_text((group.parent / setting).read_text())
        return self

    def __exit__(self, *_):
        deadline = time.monotonic() + GONE_SECONDS
        while not all([self._remove(hierarchy / self.name) for hierarchy in self.hierarchies]):
            if time.monotonic() > deadline:
                raise RuntimeError(f"control groups of {self.name} are still in use")
            time.sleep(0.1)

    @staticmethod
    def _remove(top):
        try:
            for group, _, _ in os.walk(top, topdown=False):
                os.rmdir(group)
        except OSError:
            return False
        return True
