"""The machine that etcd, the API server, the controllers and the scheduler run on."""

import json
import subprocess

from machine import Machine, wait_for

ADDRESS = "10.66.0.1"
PORT = 6443
SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"
TOKEN = "admin-of-this-test"
KUBECONFIG = "/run/kubeconfig"


class ControlPlane(Machine):
    def __init__(self, programs, folder, kept, logs):
        super().__init__("control", ADDRESS, folder, kept, logs)
        self.programs = programs
        self.ip(
            "link add fabric type bridge",
            f"addr add {ADDRESS}/24 dev fabric",
            "link set fabric up",
            # No way out: all that is not the cluster's goes to a neighbour that is not there.
            "route add default via 10.66.0.254 dev fabric",
        )
        self.set_kernel({"net/ipv4/ip_forward": 1})

    def begin(self):
        self.run("openssl", "genrsa", "-out", "/run/accounts.key", "2048")
        self.write("/run/tokens.csv", f'{TOKEN},admin,admin,"system:masters"\n')
        self.start("etcd", self.programs["etcd"], "--data-dir=/tmp/etcd", "--unsafe-no-fsync")
        self.start(
            "kube-apiserver",
            self.programs["kube-apiserver"],
            *("--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={ADDRESS}", f"--secure-port={PORT}"),
            *("--cert-dir=/run/certificates", "--token-auth-file=/run/tokens.csv", "--authorization-mode=RBAC"),
            *("--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=/run/accounts.key"),
            *("--service-account-signing-key-file=/run/accounts.key", f"--service-cluster-ip-range={SERVICES}"),
            *("--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP", "--event-ttl=10m"),
            *("--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000"),
        )
        wait_for(lambda: self._answers(), "the API server", 120)
        self.kubeconfig = self._kubeconfig()
        self.write(KUBECONFIG, self.kubeconfig)
        common = (f"--kubeconfig={KUBECONFIG}", "--leader-elect=false", "--kube-api-qps=300", "--kube-api-burst=600")
        self.start(
            "kube-controller-manager",
            *(self.programs["kube-node"], "kube-controller-manager", *common),
            *("--service-account-private-key-file=/run/accounts.key", "--root-ca-file=/run/certificates/apiserver.crt"),
            *("--allocate-node-cidrs=false", "--cert-dir=/run/manager"),
        )
        self.start("kube-scheduler", self.programs["kube-node"], "kube-scheduler", *common, "--cert-dir=/run/scheduler")

    def _answers(self):
        if self.fallen():
            raise RuntimeError(f"ended at their start: {self.fallen()}; see their logs in {self.logs}")
        words = ["curl", "-fsk", "-H", f"Authorization: Bearer {TOKEN}", f"https://{ADDRESS}:{PORT}/readyz"]
        return subprocess.run(self.inside(*words), capture_output=True, timeout=30).stdout == b"ok"

    def _kubeconfig(self):
        authority = self.run("base64", "-w0", "/run/certificates/apiserver.crt")
        server = {"server": f"https://{ADDRESS}:{PORT}", "certificate-authority-data": authority}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": server}],
                "users": [{"name": "admin", "user": {"token": TOKEN}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                "current-context": "test",
            }
        )

    def kubectl(self, *words, text_input=None, seconds=60):
        command = [self.programs["kubectl"], f"--kubeconfig={KUBECONFIG}", "--cache-dir=/tmp/kubectl", *words]
        return self.run(*command, text_input=text_input, seconds=seconds)

    def objects(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))["items"]
