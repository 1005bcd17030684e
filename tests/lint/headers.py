"""Every header compiles on its own: a file that includes it first finds all that it needs."""

import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys

# Where a layer's headers are found, as the link graph has it.
INCLUDE_ROOTS = {
    "include": ["include"],
    "base": ["include", "."],
    "codec": ["include", "."],
    "control": ["include", "control"],
    "dataplane": ["include", "dataplane"],
    "reference": ["include", "control", "."],
    "programs": ["include", "control", "dataplane", "programs", "."],
    "bench": ["include", "control", "dataplane", "."],
    "tests": ["include", "control", "dataplane", "tests", "."],
}


def package_flags():
    text = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, capture_output=True, text=True).stdout
    return shlex.split(text)


def compile_alone(header, flags):
    roots = ["-I" + root for root in INCLUDE_ROOTS[header.parts[0]]]
    command = ["g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-march=native", *flags, *roots]
    run = subprocess.run([*command, "-include", str(header), "-x", "c++", "/dev/null"], capture_output=True, text=True)
    return header, run.returncode, run.stderr


def main():
    headers = sorted(path for root in INCLUDE_ROOTS for path in pathlib.Path(root).rglob("*.h"))
    if not headers:
        print("no headers found: run it in the source folder", file=sys.stderr)
        return 2
    flags = package_flags()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, code, errors in pool.map(lambda header: compile_alone(header, flags), headers):
            if code != 0:
                print(f"{header} does not compile on its own:\n{errors}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
