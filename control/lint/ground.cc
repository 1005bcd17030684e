#include "lint/ground.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>

namespace sluice {
namespace {

constexpr std::array<LintRule, kRuleCount> kRules = {{
    {"accept-of-everything",
     "A rule of the Admin tier accepts every port from or to every pod or address, and no NetworkPolicy can take that "
     "back."},
    {"baseline-not-reached",
     "NetworkPolicies isolate all subjects in the direction of these Baseline rules, which then decide nothing."},
    {"block-covers-pods",
     "An ipBlock, or networks of an Accept, hold pods of the cluster, which are then admitted like any other address."},
    {"dns-by-udp-alone", "Egress admits UDP port 53 and not TCP port 53, which long answers need."},
    {"egress-without-dns", "Pods are isolated for egress and no rule admits port 53, so that names are not resolved."},
    {"empty-peer-list", "A list of peers is empty, which means everyone and not nobody."},
    {"encrypted-dns",
     "A policy has rules by name and admits DNS that is encrypted, whose answers the filter cannot learn from."},
    {"equal-priority",
     "Two cluster policies of one tier and priority decide differently about some of the same connections."},
    {"named-port-missing", "No pod that the port is looked up on has a port of that name."},
    {"names-without-dns",
     "A policy has rules by name, and denies DNS to its subjects or nobody's answers are trusted, so that no name is "
     "ever learnt."},
    {"namespace-unknown",
     "A selector asks for labels of namespaces, and no Namespace object tells those of a namespace that has pods."},
    {"node-local-dns",
     "A policy has rules by name, and a cache on each node answers its pods, where a filter at the node's uplink does "
     "not see it."},
    {"or-meant-as-and",
     "A namespaceSelector and a podSelector are two peers, where one peer with both was likely meant."},
    {"peer-matches-nothing", "A peer selects no pod."},
    {"port-of-no-container", "All pods that the policy selects declare their ports, and none declares this one."},
    {"redundant-rule", "Another rule of the policy admits all that this one does."},
    {"rule-never-decides",
     "An earlier rule of the tier, or for a NetworkPolicy one of the Admin tier, matches all that a rule matches."},
    {"rules-not-in-force", "The policy has rules in a direction that its policyTypes leave out."},
    {"selects-nothing", "A policy selects no pod."},
}};

// Each namespace has kubernetes.io/metadata.name, whether there is an object for it or not (NP-33).
bool AsksLabels(const LabelSelector& namespaces) {
  return std::any_of(namespaces.requirements.begin(), namespaces.requirements.end(),
                     [](const LabelRequirement& term) { return term.key != "kubernetes.io/metadata.name"; });
}

}  // namespace

std::span<const LintRule> LintRules() { return kRules; }

LintGround::LintGround(const Manifests& manifests, LintScope scope)
    : manifests_(manifests), all_(scope == LintScope::kAll), state_([](const std::string&) {}), selections_(&state_) {
  const Cluster& cluster = manifests.cluster;
  for (const Namespace& space : cluster.namespaces) state_.UpsertNamespace(space);
  for (const Pod& pod : cluster.pods) {
    const std::uint32_t number = state_.AddPod(pod);
    const auto place = manifests.places.find("Pod " + pod.namespace_name + '/' + pod.name);
    if (place != manifests.places.end()) container_ports_[number] = &place->second.lines->container_ports;
    if (!state_.pod(number).IsEndpoint()) continue;
    for (const IpAddress& address : pod.addresses) addresses_.push_back({address, &pod, number});
  }
  std::sort(addresses_.begin(), addresses_.end(),
            [](const AddressOfPod& a, const AddressOfPod& b) { return a.address < b.address; });
  std::set<std::string> spaces;
  for (const Pod& pod : cluster.pods) spaces.insert(pod.namespace_name);
  for (const std::string& space : spaces) {
    if (!manifests.places.contains("Namespace " + space)) unknown_spaces_.push_back(space);
  }
}

const std::set<std::pair<std::uint8_t, std::uint16_t>>* LintGround::ContainerPorts(std::uint32_t pod) const {
  const auto known = container_ports_.find(pod);
  return known == container_ports_.end() ? nullptr : known->second;
}

bool LintGround::TurnTo(std::string title, bool refused) {
  const auto place = manifests_.places.find(title);
  if (refused || place == manifests_.places.end()) return false;
  place_ = &place->second;
  object_ = place_->object.empty() ? std::move(title) : place_->object;
  return true;
}

bool LintGround::TurnTo(const NetworkPolicy& policy) {
  return TurnTo("NetworkPolicy " + policy.namespace_name + '/' + policy.name, policy.refused);
}

bool LintGround::TurnTo(const ClusterPolicy& policy) {
  return TurnTo(std::string(Name(policy.kind)) + ' ' + policy.name, policy.refused);
}

void LintGround::Find(LintRuleNumber rule, const std::string& field, std::string message) {
  const std::uint32_t line = place_->lines->LineOf(field);
  findings_.push_back(
      {&kRules[rule], place_->file, line == 0 ? place_->line : line, object_, field, std::move(message)});
}

std::vector<LintFinding> LintGround::TakeFindings() {
  std::sort(findings_.begin(), findings_.end(), [](const LintFinding& a, const LintFinding& b) {
    return std::tie(a.file, a.line, a.object, a.field, a.rule->name) <
           std::tie(b.file, b.line, b.object, b.field, b.rule->name);
  });
  return std::move(findings_);
}

PodSet LintGround::PodsOf(const PodSelection& selection) {
  return selections_.PodsOf(*selections_.Pods(selection.namespaces, selection.pods));
}

bool LintGround::SelectsNoNamespace(const LabelSelector& namespaces) {
  PodSet spaces = state_.all_namespaces();
  const IndexedSelector selector = state_.namespace_labels().Index(namespaces);
  state_.namespace_labels().Restrict(selector, &spaces);
  state_.namespace_labels().Release(selector);
  return spaces.isEmpty();
}

void LintGround::LookForUnknownSpaces(const LabelSelector& namespaces, const std::string& path) {
  if (unknown_spaces_.empty() || !AsksLabels(namespaces)) return;
  const std::size_t more = unknown_spaces_.size() - 1;
  Find(kNamespaceUnknown, path,
       "asks for labels of namespaces, and no Namespace object tells those of '" + unknown_spaces_[0] + '\'' +
           (more == 0 ? "" : " and " + std::to_string(more) + " more") +
           ", where there are pods; add the Namespaces, as by kubectl get namespaces -o yaml");
}

void LintGround::LookAtBlock(const IpBlock& block, const std::string& path, std::string_view advice) {
  std::vector<Prefix> excepts = block.excepts;
  std::sort(excepts.begin(), excepts.end());
  const auto after = [this](const IpAddress& address) {
    return std::upper_bound(addresses_.begin(), addresses_.end(), address,
                            [](const IpAddress& one, const AddressOfPod& other) { return one < other.address; });
  };
  const auto from = [this](const IpAddress& address) {
    return std::lower_bound(addresses_.begin(), addresses_.end(), address,
                            [](const AddressOfPod& one, const IpAddress& other) { return one.address < other; });
  };
  std::ptrdiff_t count = 0;
  const Pod* example = nullptr;
  auto at = from(block.cidr.First());
  const auto take_until = [&](auto end) {
    if (end <= at) return;
    if (count == 0) example = at->pod;
    count += end - at;
  };
  for (const Prefix& except : excepts) {
    take_until(from(except.First()));
    at = std::max(at, after(except.Last()));
  }
  take_until(after(block.cidr.Last()));
  if (count == 0) return;
  Find(kBlockCoversPods, path,
       block.cidr.ToString() + " also holds " + std::to_string(count) + (count == 1 ? " address" : " addresses") +
           " of pods, such as " + example->namespace_name + '/' + example->name + "'s; " + std::string(advice));
}

bool LintGround::HasNamedPort(const PodSet& pods, std::uint8_t protocol, const std::string& name) const {
  const PortIndex::Resolutions* known = state_.ports().Find(protocol, name);
  return known != nullptr &&
         std::any_of(known->begin(), known->end(), [&](const auto& entry) { return entry.second.intersect(pods); });
}

std::string LintGround::PodsText(const PodSet& pods) const {
  const PodEntry& first = state_.pod(pods.minimum());
  const std::string name = state_.space(first.space).name + '/' + first.name;
  const std::uint64_t more = pods.cardinality() - 1;
  return more == 0 ? "pod " + name : "pod " + name + " and " + std::to_string(more) + " more";
}

}  // namespace sluice
