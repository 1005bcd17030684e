"""The page's sources with their packages from npm, in a folder of the build: for its build, and for tests in a browser."""

import hashlib
import os
import pathlib
import shutil
import subprocess

from lab import hosts

PAGE = hosts.ROOT / "page"
SOURCES = ("package.json", "package-lock.json", ".npmrc", "build.mjs", "index.html", "src")


class Missing(Exception):
    """They cannot be had here; the message says why."""


def installed():
    """The folder; its packages are those of package-lock.json."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Missing(f"no {program} here (package {'nodejs' if program == 'node' else 'npm'})")
    lock = hashlib.sha256((PAGE / "package-lock.json").read_bytes()).hexdigest()
    folder = pathlib.Path(os.environ.get("SLUICE_BIN", hosts.ROOT / "build" / "release" / "bin")).resolve().parent / "page"
    mark = folder / "node_modules" / lock
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name in SOURCES:
        if (PAGE / name).is_dir():
            shutil.copytree(PAGE / name, folder / name, dirs_exist_ok=True)
        else:
            shutil.copy(PAGE / name, folder / name)
    if not mark.exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            raise Missing(f"npm ci: {run.stderr.strip().splitlines()[-1:] or run.returncode}")
        mark.touch()
    return folder
