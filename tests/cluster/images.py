"""Images of containers, made of files of this machine: one layer each, as an OCI archive for `ctr images import`."""

import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile


# Debian's /bin and /lib are links into /usr.
MERGED = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64"}


def archive(path, names, files, command=(), arguments=(), links=None):
    """Writes an image that is called `names`: `files` are {path in it: path here}, `links` {path in it: target}."""
    layer = path.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        for folder in ("etc", "proc", "sys", "dev", "tmp", "run", "var", "var/run", "var/lib"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for link, target in (links or {}).items():
            entry = tarfile.TarInfo(link.lstrip("/"))
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(entry)
        for inside, here in sorted(files.items()):
            entry = tar.gettarinfo(str(pathlib.Path(here).resolve()), inside.lstrip("/"))
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            entry.type, entry.linkname = tarfile.REGTYPE, ""  # twice the same file is two files
            entry.size = pathlib.Path(here).resolve().stat().st_size
            with open(here, "rb") as content:
                tar.addfile(entry, content)
    digest, size = _digest(layer)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": list(command),
            "Cmd": list(arguments),
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
        },
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    with tarfile.open(path, "w") as tar:
        _add(tar, "oci-layout", {"imageLayoutVersion": "1.0.0"})
        tar.add(layer, _blob(digest))
        of_config = _add_blob(tar, "application/vnd.oci.image.config.v1+json", config)
        of_layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
        manifest |= {"config": of_config, "layers": [of_layer]}
        of_manifest = _add_blob(tar, manifest["mediaType"], manifest)
        named = [of_manifest | {"annotations": {"io.containerd.image.name": name}} for name in names]
        _add(tar, "index.json", {"schemaVersion": 2, "manifests": named})
    layer.unlink()


def of_agnhost(path, names, agnhost):
    """Kubernetes' test image, as far as its suites go: the program, and a shell for those that start it by one."""
    files, links = _with_libraries([shutil.which("bash")])
    archive(path, names, files | {"/agnhost": agnhost}, ["/agnhost"], ["pause"], links)


def of_sluice(path, name, programs):
    """The image that deploy/Containerfile describes, from what is built and installed here."""
    more = [shutil.which(word) for word in ("chown", "test", "sh", "cat")]
    more += map(str, pathlib.Path("/usr/lib").glob("*/dpdk/pmds-*/librte_*.so.*"))
    more += map(str, pathlib.Path("/usr/lib").glob("*/bpf/*.o"))  # of libxdp
    files, links = _with_libraries(more, [str(program) for program in programs])
    archive(path, [name], files | {f"/usr/bin/{program.name}": program for program in programs}, links=links)


def _with_libraries(paths, programs=()):
    """Files and links for these files of this machine, and for what they and the programs are linked with."""
    files, links = {}, dict(MERGED)
    for path in (*paths, *_libraries([*programs, *paths])):
        # What is one file under two names here must be so there: a driver that is loaded twice ends the program.
        real = pathlib.Path(path).resolve()
        files[str(real)] = real
        if _merged(path) != str(real):
            links[_merged(path)] = str(real)
    return files, links


def _libraries(programs):
    """Paths of all shared libraries that these need, and of the loader."""
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, timeout=120)
    words = done.stdout.split()
    return sorted({word for word in words if word[0] == "/" and word[-1] != ":"})


def _merged(path):
    return path if path.startswith("/usr/") else "/usr" + path


def _digest(path):
    with open(path, "rb") as content:
        return "sha256:" + hashlib.file_digest(content, "sha256").hexdigest(), path.stat().st_size


def _blob(digest):
    return "blobs/" + digest.replace(":", "/")


def _add(tar, name, value):
    content = json.dumps(value).encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
    return content


def _add_blob(tar, media_type, value):
    content = json.dumps(value).encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    _add(tar, _blob(digest), value)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}
