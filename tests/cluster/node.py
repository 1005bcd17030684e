"""A node: containerd, a network plugin, the kubelet and kube-proxy."""

import json

import control_plane
from machine import Machine, wait_for

NETWORK_FILE = "/etc/cni/net.d/10-pods.conflist"
SETTLED = {"conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}}


class Node(Machine):
    def __init__(self, number, shape, programs, control, folder, kept, logs, group):
        super().__init__(f"node{number}", f"10.66.0.{10 + number}", folder, kept, logs)
        self.number = number
        self.shape = shape
        self.programs = programs
        self.group = f"/{group}/{self.name}"
        self.pods = f"10.244.{number}.0/24"
        port = f"to-{self.name}"
        control.ip(
            f"link add {port} type veth peer name eth0 netns {self.holder.pid}", f"link set {port} master fabric up"
        )
        self.ip(
            f"addr add {self.address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {control_plane.ADDRESS}",
        )
        settings = {"net/ipv4/ip_forward": 1, "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0}
        if shape.plugin == "bridge":
            settings |= {"net/bridge/bridge-nf-call-iptables": 1}
        self.set_kernel(settings)
        self.write(NETWORK_FILE, json.dumps(self._network()))

    def join(self, others):
        """The overlay to the other nodes, as Flannel makes it."""
        if not others:
            return
        self.ip(
            f"link add flannel.1 address {self._overlay_mac()} type vxlan id 1 local {self.address} dev eth0 "
            "dstport 8472 nolearning",
            f"addr add {self.pods.replace('/24', '/32')} dev flannel.1",
            "link set flannel.1 up",
        )
        for other in others:
            gateway, mac = other.pods.removesuffix("/24"), other._overlay_mac()
            self.ip(f"neigh add {gateway} lladdr {mac} dev flannel.1 nud permanent")
            self.run("bridge", "fdb", "add", mac, "dev", "flannel.1", "dst", other.address)
            self.ip(f"route add {other.pods} via {gateway} dev flannel.1 onlink")

    def _overlay_mac(self):
        return f"02:00:00:00:01:{self.number:02x}"

    def _network(self):
        ranges = {"type": "host-local", "ranges": [[{"subnet": self.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
        plugin = {"ipam": ranges, "mtu": 1450 if self.shape.nodes > 1 else 1500}
        if self.shape.plugin == "bridge":
            plugin |= {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True}
        else:
            plugin |= {"type": "ptp"}
        return {"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]}

    def object(self):
        """The Node as the API server is told of it, ahead of its kubelet: its pods' addresses are fixed."""
        labels = {"kubernetes.io/hostname": self.name, "cluster.test/first": "true" if self.number == 1 else "false"}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"podCIDR": self.pods, "podCIDRs": [self.pods]},
        }

    def begin(self, kubeconfig, images, pause):
        self.write("/etc/containerd/config.toml", CONTAINERD.format(pause=pause))
        self.start("containerd", "containerd", "--log-level", "warn")
        wait_for(self._has_runtime, f"{self.name}'s containerd; see {self.name}.containerd.log", 60)
        for image in images:
            self.run("ctr", "--namespace", "k8s.io", "images", "import", image, seconds=180)
        self.write("/etc/kubernetes/kubeconfig", kubeconfig)
        self.write("/etc/kubernetes/kubelet.json", json.dumps(self._kubelet()))
        self.write("/etc/kubernetes/proxy.json", json.dumps(self._proxy()))
        self.start(
            "kubelet",
            *(self.programs["kube-node"], "kubelet", "--config=/etc/kubernetes/kubelet.json"),
            *("--kubeconfig=/etc/kubernetes/kubeconfig", f"--hostname-override={self.name}", f"--node-ip={self.address}"),
        )
        self.start("kube-proxy", self.programs["kube-node"], "kube-proxy", "--config=/etc/kubernetes/proxy.json")

    def _has_runtime(self):
        try:
            self.run("ctr", "version")
        except RuntimeError:
            return False
        return True

    def _kubelet(self):
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.group,
            "failCgroupV1": False,
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "localStorageCapacityIsolation": False,
            "resolvConf": "",
            "oomScoreAdj": 0,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi"},
            "kubeAPIQPS": 200,
            "kubeAPIBurst": 400,
            "registryPullQPS": 0,
            "serializeImagePulls": False,
            "maxPods": 150,
        }

    def _proxy(self):
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": self.shape.proxy,
            "hostnameOverride": self.name,
            "clusterCIDR": control_plane.PODS,
            "clientConnection": {"kubeconfig": "/etc/kubernetes/kubeconfig"},
            "oomScoreAdj": 0,
            self.shape.proxy: {"syncPeriod": "30s", "minSyncPeriod": "200ms", "masqueradeAll": self.shape.masquerades},
            **SETTLED,
        }


CONTAINERD = """
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
    max_conf_num = 1
"""
