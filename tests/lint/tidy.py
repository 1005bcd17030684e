"""clang-tidy with the short list of .clang-tidy over the layers that read untrusted bytes. tidy.py BUILD-FOLDER

A file that passed is not analysed again while nothing of it changes: the passes are kept outside the checkout by a hash
of all that clang-tidy sees, which is the file after the preprocessor (with its comments: NOLINT is one), its flags, the
checks and clang-tidy's version.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

FOLDERS = ["base", "dataplane/core", "dataplane/table"]
TIDY = ["clang-tidy", "--quiet", "--warnings-as-errors=*", "--extra-arg=-Wno-unknown-warning-option"]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "sluice/tidy")
PREPROCESSOR = "clang++"


def without_output(command):
    """The flags of a compilation, without the compiler (and its launchers) and without what names the output."""
    words = shlex.split(command)
    flags = words[next(i for i, word in enumerate(words) if word.startswith("-")) :]
    kept = []
    skip = False
    for word in flags:
        if not skip and word not in ("-o", "-c", "-MF", "-MT", "-MD"):
            kept.append(word)
        skip = word in ("-o", "-c", "-MF", "-MT")
    return kept


def fingerprint(source, entry, version):
    """What a pass is kept by; None where the file does not get through the preprocessor, which clang-tidy then tells."""
    flags = without_output(entry["command"])
    text = subprocess.run(
        [PREPROCESSOR, *flags, "-Wno-unknown-warning-option", "-E", "-C", "-P", str(source.resolve())],
        cwd=entry["directory"], capture_output=True)
    if text.returncode != 0:
        return None
    here = str(pathlib.Path.cwd())
    digest = hashlib.sha256()
    for part in (version, pathlib.Path(".clang-tidy").read_bytes(), " ".join(TIDY + flags).replace(here, ".").encode(),
                 text.stdout.replace(here.encode(), b".")):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def check(source, entry, build, version):
    """What clang-tidy has to say of a file; nothing where it passed, now or before."""
    name = fingerprint(source, entry, version)
    if name and (CACHE / name).exists():
        return ""
    run = subprocess.run([*TIDY, "-p", build, str(source)], capture_output=True, text=True)
    if run.returncode != 0:
        return run.stdout + run.stderr
    if name:
        (CACHE / name).touch()
    return ""


def main():
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    # Releases differ in what they find; CI asks Debian 12's.
    if b" version 14." not in version:
        print("skipped: the sources are held to clang-tidy 14; here is another")
        return 77
    build = sys.argv[1]
    compiled = {}
    for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text()):
        compiled[os.path.realpath(pathlib.Path(entry["directory"], entry["file"]))] = entry
    sources = [path for folder in FOLDERS for path in pathlib.Path(folder).rglob("*.cc")]
    unknown = [str(path) for path in sources if str(path.resolve()) not in compiled]
    if not sources or unknown:
        print("no source of", ", ".join(unknown or FOLDERS), "is compiled in", build, file=sys.stderr)
        return 1
    CACHE.mkdir(parents=True, exist_ok=True)
    # The largest first, so that no core is idle while another has several left.
    sources.sort(key=lambda path: -path.stat().st_size)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda path: check(path, compiled[str(path.resolve())], build, version), sources))
    print("".join(found), end="")
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
