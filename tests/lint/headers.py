"""Every header compiles on its own: a file that includes it first finds all that it needs. headers.py BUILD-FOLDER

A header that a source file of its layer includes first was shown to by the build; the others are compiled here.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

# Where a layer's headers are found, as the link graph has it.
INCLUDE_ROOTS = {
    "include": ["include"],
    "base": ["include", "."],
    "codec": ["include", "."],
    "control": ["include", "control"],
    "dataplane": ["include", "dataplane", "."],
    "node": ["include", "node", "."],
    "reference": ["include", "control", "."],
    "programs": ["include", "control", "dataplane", "node", "programs", "."],
    "bench": ["include", "control", "dataplane", "."],
    "tests": ["include", "control", "dataplane", "node", "tests", "."],
}


def package_flags():
    text = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, capture_output=True, text=True).stdout
    return shlex.split(text)


def generate_messages(folder):
    """What proto/ becomes, which headers of adapters include."""
    plugin = "--plugin=protoc-gen-grpc=" + (shutil.which("grpc_cpp_plugin") or "grpc_cpp_plugin")
    protos = [str(path.relative_to("proto")) for path in pathlib.Path("proto").rglob("*.proto")]
    outputs = [f"--cpp_out={folder}", f"--grpc_out={folder}"]
    subprocess.run(["protoc", "-Iproto", *outputs, plugin, *protos], check=True)
    return ["-isystem", folder]


def compile_alone(header, flags):
    roots = ["-I" + root for root in INCLUDE_ROOTS[header.parts[0]]]
    errors = ["-Werror"] if os.environ.get("CI") == "true" else []
    command = ["g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", *errors, "-march=native", *flags, *roots]
    run = subprocess.run([*command, "-include", str(header), "-x", "c++", "/dev/null"], capture_output=True, text=True)
    return header, run.returncode, run.stderr


def compiled_first(build):
    """The headers that a source file of their layer includes first; base/ is where include/ has its source files."""
    found = set()
    for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text()):
        source = pathlib.Path(os.path.relpath(pathlib.Path(entry["directory"], entry["file"])))
        layer = source.parts[0]
        if layer not in INCLUDE_ROOTS:
            continue
        first = re.search(r'^#include ["<](.*)[">]$', source.read_text(), re.MULTILINE)
        if not first:
            continue
        for folder in [source.parent, *INCLUDE_ROOTS[layer]]:
            header = pathlib.Path(os.path.normpath(pathlib.Path(folder, first[1])))
            if header.is_file() and header.parts[0] in (layer, "include" if layer == "base" else layer):
                found.add(header)
                break
    return found


def main():
    # Those of programs for the kernel (.bpf.h) are clang's alone.
    headers = {path for root in INCLUDE_ROOTS for path in pathlib.Path(root).rglob("*.h") if ".bpf." not in path.name}
    if not headers:
        print("no headers found: run it in the source folder", file=sys.stderr)
        return 2
    headers = sorted(headers - compiled_first(sys.argv[1]))
    failed = 0
    with tempfile.TemporaryDirectory() as messages, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        flags = [*package_flags(), *generate_messages(messages)]
        for header, code, errors in pool.map(lambda header: compile_alone(header, flags), headers):
            if code != 0:
                print(f"{header} does not compile on its own:\n{errors}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
