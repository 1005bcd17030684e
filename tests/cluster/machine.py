"""A machine of the test cluster: namespaces of its own with a copy of this machine's files that nothing outlives.

All machines live in one namespace of processes, whose process 1 (inside.py) makes them; they end with it.
"""

import os
import pathlib
import subprocess
import time

# Read-only files of the kernel that the kubelet would write for the whole machine, and what it wants to find there.
SETTINGS_OF_THE_MACHINE = {"vm/overcommit_memory": 1, "kernel/panic": 10, "kernel/panic_on_oops": 1}

MAKE_ROOT = """
set -e
mkdir -p "$FOLDER/upper" "$FOLDER/work" "$FOLDER/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$FOLDER/upper,workdir=$FOLDER/work" "$FOLDER/root"
cd "$FOLDER/root"
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf
for folder in run tmp var/lib/containerd var/lib/kubelet; do mkdir -p "$folder"; mount -t tmpfs tmpfs "$folder"; done
for folder in $KEPT; do mkdir -p ".$folder"; mount --bind "$folder" ".$folder"; done
rm -rf etc/cni/net.d opt/cni var/lib/cni etc/kubernetes
mkdir -p run/old opt/cni/bin etc/cni/net.d var/log/pods var/log/containers run/settings
cp usr/lib/cni/* opt/cni/bin
cd run/settings
for setting in $SETTINGS; do
  file=${setting%=*}
  mkdir -p "${file%/*}"
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "$FOLDER/root/proc/sys/$file"
done
cd "$FOLDER/root"
pivot_root . run/old
umount -l /run/old
mount --make-rshared /
ip link set lo up
hostname "$NAME"
exec sleep infinity
"""


class Machine:
    def __init__(self, name, address, folder, kept, logs):
        self.name = name
        self.address = address
        self.logs = pathlib.Path(logs)
        self.processes = {}
        settings = " ".join(f"{key}={value}" for key, value in SETTINGS_OF_THE_MACHINE.items())
        environment = {"FOLDER": str(folder / name), "NAME": name, "SETTINGS": settings}
        environment["KEPT"] = " ".join(map(str, kept))
        words = ["unshare", "--net", "--mount", "--uts", "--ipc", "sh", "-c", MAKE_ROOT]
        with (self.logs / f"{name}.machine.log").open("w") as log:
            self.holder = subprocess.Popen(words, env={**os.environ, **environment}, stdout=log, stderr=log)
        wait_for(lambda: self._is_made(), f"{name} to be made; see {name}.machine.log", 30)

    def _is_made(self):
        if self.holder.poll() is not None:
            raise RuntimeError(f"{self.name} could not be made: {(self.logs / f'{self.name}.machine.log').read_text()}")
        return pathlib.Path(f"/proc/{self.holder.pid}/comm").read_text().strip() == "sleep"

    def inside(self, *words):
        """The words that run a command on this machine."""
        pid = str(self.holder.pid)
        return ["nsenter", "--target", pid, "--mount", "--net", "--uts", "--ipc", *map(str, words)]

    def run(self, *words, text_input=None, seconds=60):
        done = subprocess.run(self.inside(*words), input=text_input, capture_output=True, text=True, timeout=seconds)
        if done.returncode != 0:
            said = done.stderr.strip() or done.stdout.strip()
            raise RuntimeError(f"{self.name}: {' '.join(map(str, words))}: {said}")
        return done.stdout

    def start(self, name, *words):
        with (self.logs / f"{self.name}.{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                self.inside(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def write(self, path, text):
        self.run("sh", "-c", 'mkdir -p "${0%/*}" && cat >"$0"', path, text_input=text)

    def ip(self, *lines):
        self.run("ip", "-batch", "-", text_input="\n".join(lines) + "\n")

    def set_kernel(self, settings):
        self.run("sh", "-e", text_input="\n".join(f"echo {value} >/proc/sys/{key}" for key, value in settings.items()))

    def fallen(self):
        """Names of programs that ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]


def wait_for(condition, what, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s for {what}")
        time.sleep(0.1)
