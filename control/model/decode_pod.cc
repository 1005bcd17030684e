// v1 Pod, Node and Namespace: the fields that policy needs.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "model/decode_kinds.h"
#include "model/names.h"
#include "model/node_annotations.h"

namespace sluice {
namespace {

constexpr std::string_view kNamespaceNameLabel = "kubernetes.io/metadata.name";

Pod::Phase DecodePhase(const Field& field) {
  const std::string_view text = field.String().value_or("");
  if (text.empty() || text == "Running") return Pod::Phase::kRunning;
  if (text == "Pending") return Pod::Phase::kPending;
  if (text == "Succeeded") return Pod::Phase::kSucceeded;
  if (text == "Failed") return Pod::Phase::kFailed;
  if (text != "Unknown") field.Error("must be Pending, Running, Succeeded, Failed or Unknown");
  return Pod::Phase::kUnknown;
}

// "true" in quotes is refused, and read as the boolean that was meant.
bool DecodeHostNetwork(const Field& field) {
  const auto value = field.Bool();
  return value.value_or(field.is(Value::Kind::kString) && field.String() == "true");
}

// Reads `plural`, a list of {ip: ADDRESS}, or else `singular`.
std::vector<IpAddress> DecodeIps(const Field& status, std::string_view plural, std::string_view singular) {
  std::vector<IpAddress> addresses;
  const Field list = status.Get(plural);
  list.EachItem([&](const Field& item) {
    item.CheckTypos({"ip"});
    if (const auto address = DecodeAddress(item.Get("ip"))) addresses.push_back(*address);
  });
  const auto single = DecodeAddress(status.Get(singular));
  if (addresses.empty() && single) addresses.push_back(*single);
  return addresses;
}

void DecodeContainerPorts(const Field& container, std::vector<ContainerPort>& named) {
  container.CheckTypos({"name", "ports", "restartPolicy"});
  const Field ports = container.Get("ports");
  ports.EachItem([&](const Field& item) {
    item.CheckTypos({"name", "containerPort", "protocol", "hostPort", "hostIP"});
    const Field number = item.Get("containerPort");
    if (!number.present() && item.is(Value::Kind::kMap)) number.Error("is required");
    const auto port = number.Integer(1, 65535);
    const auto protocol = DecodeProtocol(item.Get("protocol"));
    const Field name = item.Get("name");
    const std::string_view text = name.String().value_or("");
    if (text.empty()) return;
    if (!IsPortName(text)) return name.Error("is not a port name: at most 15 of a-z, 0-9, '-', a letter among them");
    if (port && protocol) named.push_back({std::string(text), *protocol, static_cast<std::uint16_t>(*port)});
  });
}

// NP-51: containers and native sidecars. Sidecars are init containers that keep running.
std::vector<ContainerPort> DecodePorts(const Field& spec) {
  std::vector<ContainerPort> named;
  const Field containers = spec.Get("containers");
  containers.EachItem([&](const Field& container) { DecodeContainerPorts(container, named); });
  const Field init_containers = spec.Get("initContainers");
  init_containers.EachItem([&](const Field& container) {
    if (container.Get("restartPolicy").String() == "Always") DecodeContainerPorts(container, named);
  });
  return named;
}

// NP-72. An annotation of a network plugin is no field of the API: if it cannot be read, this reports it and leaves it
// out, and refuses nothing. An empty annotation has no address.
void DecodeAddressAnnotation(const Field& entry, NodeObject& node) {
  if (!entry.present()) return;
  if (!entry.is(Value::Kind::kString)) return entry.Warning("is ignored: must be a string that holds an address");
  const std::string_view text = *entry.String();
  if (text.empty()) return;
  const auto ignored = [&](std::string_view why) {
    entry.Warning("is ignored: \"" + std::string(text.substr(0, 80)) + "\" " + std::string(why));
  };
  const std::string_view address_text = text.substr(0, text.find('/'));
  const auto address = IpAddress::Parse(address_text);
  if (!address || (address_text.size() != text.size() && !Prefix::Parse(text))) {
    return ignored("is not an IPv4 or IPv6 address, alone or with a prefix length");
  }
  if (address->IsV4Mapped()) return ignored("is an IPv4-mapped address");
  if (address->hi == 0 && address->lo == 0) return ignored("is no host's address");
  node.annotated_addresses.push_back(*address);
}

// A CronJob appends this number to the name of each Job: minutes since 1970.
std::string_view WithoutSchedule(std::string_view job) {
  constexpr std::size_t kFewestDigits = 8;
  const std::size_t dash = job.rfind('-');
  if (dash == job.npos || dash == 0 || job.size() - dash - 1 < kFewestDigits) return job;
  return job.find_first_not_of("0123456789", dash + 1) == job.npos ? job.substr(0, dash) : job;
}

// Named by the owner that controls the pod, else by the first owner. A ReplicaSet's name is its Deployment's name and
// the hash that the pods have as a label. Empty if there is no owner, or if it cannot be read.
std::string WorkloadOf(const Field& owners, const Labels& labels) {
  std::string_view kind;
  std::string_view name;
  if (!owners.is(Value::Kind::kList)) return {};
  owners.EachItem([&](const Field& owner) {
    if (!owner.is(Value::Kind::kMap)) return;
    const Field controller = owner.Get("controller");
    const bool controls = controller.is(Value::Kind::kBool) && controller.Bool() == true;
    if (!name.empty() && !controls) return;
    const Field owner_kind = owner.Get("kind");
    const Field owner_name = owner.Get("name");
    if (!owner_kind.is(Value::Kind::kString) || !owner_name.is(Value::Kind::kString)) return;
    kind = *owner_kind.String();
    name = *owner_name.String();
  });
  if (name.empty()) return {};
  if (kind == "ReplicaSet") {
    const auto hash = std::find_if(labels.begin(), labels.end(),
                                   [](const auto& label) { return label.first == "pod-template-hash"; });
    if (hash != labels.end() && name.ends_with('-' + hash->second)) {
      return "Deployment/" + std::string(name.substr(0, name.size() - hash->second.size() - 1));
    }
  }
  if (kind == "Job" && WithoutSchedule(name) != name) return "CronJob/" + std::string(WithoutSchedule(name));
  return std::string(kind) + '/' + std::string(name);
}

}  // namespace

Namespace DecodeNamespace(const Field& root, ObjectMeta meta) {
  Namespace result;
  root.CheckTypos({"apiVersion", "kind", "metadata", "spec", "status"});
  result.name = std::move(meta.name);
  result.labels = std::move(meta.labels);
  SetNamespaceNameLabel(result);
  return result;
}

void SetNamespaceNameLabel(Namespace& result) {
  const auto place = std::lower_bound(result.labels.begin(), result.labels.end(), kNamespaceNameLabel,
                                      [](const auto& label, std::string_view key) { return label.first < key; });
  if (place != result.labels.end() && place->first == kNamespaceNameLabel) {
    place->second = result.name;
  } else {
    result.labels.emplace(place, kNamespaceNameLabel, result.name);
  }
}

NodeObject DecodeNode(const Field& root, ObjectMeta meta) {
  NodeObject node;
  node.name = std::move(meta.name);
  node.labels = std::move(meta.labels);
  root.CheckTypos({"apiVersion", "kind", "metadata", "spec", "status"});
  const Field spec = root.Get("spec");
  spec.CheckTypos({"podCIDR", "podCIDRs"});
  const Field cidrs = spec.Get("podCIDRs");
  cidrs.EachItem([&](const Field& item) {
    if (const auto prefix = DecodePrefix(item)) node.pod_cidrs.push_back(*prefix);
  });
  const Field cidr = spec.Get("podCIDR");
  if (const auto prefix = cidr.String() == "" ? std::nullopt : DecodePrefix(cidr); prefix && node.pod_cidrs.empty()) {
    node.pod_cidrs.push_back(*prefix);
  }
  const Field status = root.Get("status");
  status.CheckTypos({"addresses"});
  const Field addresses = status.Get("addresses");
  addresses.EachItem([&](const Field& item) {
    item.CheckTypos({"type", "address"});
    const auto type = item.Get("type").String();
    if (type != "InternalIP" && type != "ExternalIP") return;  // host names and DNS names
    if (const auto address = DecodeAddress(item.Get("address"))) node.addresses.push_back(*address);
  });
  const Field metadata = root.Get("metadata");
  const Field annotations = metadata.Get("annotations");
  for (const std::string_view name : kNodeAddressAnnotations) DecodeAddressAnnotation(annotations.Get(name), node);
  return node;
}

Pod DecodePod(const Field& root, ObjectMeta meta) {
  Pod pod;
  pod.namespace_name = std::move(meta.namespace_name);
  pod.name = std::move(meta.name);
  pod.labels = std::move(meta.labels);
  pod.created = meta.created;
  root.CheckTypos({"apiVersion", "kind", "metadata", "spec", "status"});
  const Field spec = root.Get("spec");
  spec.CheckTypos({"nodeName", "hostNetwork", "containers", "initContainers"});
  const Field status = root.Get("status");
  status.CheckTypos({"phase", "podIP", "podIPs", "hostIP", "hostIPs"});
  pod.node = spec.Get("nodeName").Text().value_or("");
  pod.host_network = DecodeHostNetwork(spec.Get("hostNetwork"));
  pod.phase = DecodePhase(status.Get("phase"));
  pod.addresses = DecodeIps(status, "podIPs", "podIP");
  pod.host_addresses = DecodeIps(status, "hostIPs", "hostIP");
  pod.ports = DecodePorts(spec);
  const Field metadata = root.Get("metadata");
  pod.workload = WorkloadOf(metadata.Get("ownerReferences"), pod.labels);
  return pod;
}

}  // namespace sluice
