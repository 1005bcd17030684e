"""A real API server, and the small cluster that every case begins with."""

import http.client
import json
import ssl
import subprocess
import urllib.parse

import case_file
from case_file import ObjectName

SECONDS_TO_START = 120
PORTS = (80, 81)
PROTOCOLS = ("TCP", "UDP", "SCTP")
NAMESPACES = ("x", "y", "z")
NODE_OF = {"x": 1, "y": 2, "z": 3}

COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
}


def addresses_of(host):
    """By family. A pod's last digits are its name's place; its third number is its node."""
    if host == "out":
        return {4: "203.0.113.9", 6: "2001:db8:113::9"}
    if host.startswith("n"):
        return {4: f"172.18.0.{host[1:]}", 6: f"fd00:18::{host[1:]}"}
    node, number = NODE_OF[host[0]], 10 + "abc".index(host[1])
    return {4: f"10.244.{node}.{number}", 6: f"fd00:244:{node}::{number}"}


class ApiServer:
    """Started by `program` (tests/kube/cluster_program.cc). A context manager."""

    def __init__(self, program):
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        line = self._process.stdout.readline()
        self.exit_code = 0 if line else self._process.wait(SECONDS_TO_START)  # 77: there is none here
        if not line:
            return
        self.reach = json.loads(line)
        url = urllib.parse.urlsplit(self.reach["url"])
        trust = ssl.create_default_context(cafile=self.reach["ca_file"])
        self._connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=30, context=trust)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def send(self, method, path, body=None, content_type="application/json"):
        """The answer's document; raises with the server's words where it refuses."""
        headers = {"Authorization": f"Bearer {self.reach['token']}", "Content-Type": content_type}
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        self._connection.request(method, path, text, headers)
        answer = self._connection.getresponse()
        document = json.loads(answer.read())
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {document.get('message', answer.status)}")
        return document

    def apply(self, name, manifest, manager="case"):
        """As `kubectl apply --server-side`, YAML or JSON: what the manager's last apply had and this has not, goes."""
        path = f"{path_of(name)}?fieldManager={manager}&force=true"
        return self.send("PATCH", path, manifest, "application/apply-patch+yaml")

    def delete(self, name):
        return self.send("DELETE", path_of(name), {"gracePeriodSeconds": 0})

    def set_status(self, name, status):
        return self.send("PATCH", f"{path_of(name)}/status", {"status": status}, "application/merge-patch+json")


def path_of(name):
    return f"{COLLECTIONS[name.kind].format(namespace=name.namespace)}/{name.name}"


def base_objects():
    """(name, manifest, status) of all that every case begins with."""
    for number in NODE_OF.values():
        spec = {"podCIDR": f"10.244.{number}.0/24"}
        spec["podCIDRs"] = [spec["podCIDR"], f"fd00:244:{number}::/64"]
        addresses = [{"type": "InternalIP", "address": address} for address in addresses_of(f"n{number}").values()]
        yield to_object("v1", ObjectName("Node", "", f"n{number}"), {}, spec, {"addresses": addresses})
    for namespace in NAMESPACES:
        yield to_object("v1", ObjectName("Namespace", "", namespace), {"team": namespace})
    for host in case_file.HOSTS:
        namespace, pod = host[0], host[1]
        if namespace not in NAMESPACES:
            continue
        ports = [
            {"containerPort": port, "name": f"serve-{port}-{protocol.lower()}", "protocol": protocol}
            for port in PORTS
            for protocol in PROTOCOLS
        ]
        containers = [{"name": "main", "image": "none", "ports": ports}]
        spec = {"nodeName": f"n{NODE_OF[namespace]}", "containers": containers}
        addresses = [{"ip": address} for address in addresses_of(host).values()]
        status = {"phase": "Running", "podIP": addresses[0]["ip"], "podIPs": addresses}
        yield to_object("v1", ObjectName("Pod", namespace, pod), {"pod": pod}, spec, status)


def to_object(api_version, name, labels, spec=None, status=None):
    metadata = {"name": name.name, "labels": labels} | ({"namespace": name.namespace} if name.namespace else {})
    manifest = {"apiVersion": api_version, "kind": name.kind, "metadata": metadata} | ({"spec": spec} if spec else {})
    return name, manifest, status
