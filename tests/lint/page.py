"""The page that the programs serve is what its sources make of it, byte for byte; it is small, and shows text as text."""

import gzip
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "scripts")

from lab import page_packages

BUILT = pathlib.Path("page/built")
MAX_BYTES = 120_000
# What makes markup or code of a text.
FORBIDDEN = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:")
SKIPPED = 77


def main():
    problems = []
    for path in sorted(pathlib.Path("page/src").iterdir()):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if FORBIDDEN.search(line):
                problems.append(f"{path}:{number}: makes more than text of a text")
    size = sum(len(gzip.compress(path.read_bytes(), 9, mtime=0)) for path in BUILT.iterdir())
    if size > MAX_BYTES:
        problems.append(f"{BUILT}: {size} bytes compressed, over {MAX_BYTES}")
    skipped = ""
    try:
        folder = page_packages.installed()
    except page_packages.Missing as missing:
        skipped = f"skipped: whether {BUILT} is what page/ makes: {missing}"
    else:
        with tempfile.TemporaryDirectory(prefix="sluice-page-") as out:
            subprocess.run(["node", "build.mjs", out], cwd=folder, check=True, timeout=120)
            made = {path.name: path.read_bytes() for path in pathlib.Path(out).iterdir()}
        kept = {path.name: path.read_bytes() for path in BUILT.iterdir()}
        for name in sorted(made.keys() | kept.keys()):
            if made.get(name) != kept.get(name):
                problems.append(f"{BUILT / name}: is not what page/ makes; run: cd page && npm ci && node build.mjs")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    if skipped:
        print(skipped)
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
