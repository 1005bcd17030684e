#include "resolve/policy_view.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "resolve/members.h"

namespace sluice {
namespace {

// A receiver keeps some 150 bytes for a number that is gone. This many are worth a new full state.
constexpr std::uint64_t kSpareNumbers = 1 << 18;
// A node that is gone counts as this many: a receiver keeps its name, and looks at all names when a node changes.
constexpr std::uint64_t kNumbersANode = 16;

}  // namespace

PolicyView::PolicyView(ClusterResolver* resolver, std::string node) : resolver_(*resolver), node_(std::move(node)) {
  resolver_.views_.push_back(this);
}

PolicyView::~PolicyView() { std::erase(resolver_.views_, this); }

void PolicyView::OnPod(std::uint32_t pod) {
  if (!numbered_) return;
  ++heard_;
  changed_pods_.add(pod);
}

void PolicyView::OnPodGone(std::uint32_t pod) {
  if (!numbered_) return;
  changed_pods_.remove(pod);
  pods_in_cidrs_.remove(pod);
  if (!sent_pods_.contains(pod)) return;
  ++heard_;
  gone_endpoints_.push_back(endpoint_ids_[pod]);
  sent_pods_.remove(pod);
}

void PolicyView::OnPolicy(BoundPolicy* policy) {
  if (!numbered_) return;
  ++heard_;
  changed_policies_.insert(policy);
}

void PolicyView::OnPolicyGone(BoundPolicy* policy) {
  changed_policies_.erase(policy);
  const auto sent = policies_.find(policy);
  if (sent == policies_.end()) return;
  ++heard_;
  (policy->staged ? gone_staged_ : gone_policies_).push_back(policy->title);
  released_.insert(released_.end(), sent->second.begin(), sent->second.end());
  policies_.erase(sent);
}

void PolicyView::OnNode(const std::string& name) {
  if (!numbered_) return;
  const NodeEntry* node = resolver_.state_.nodes().Find(name);
  if ((node == nullptr || !node->exists()) && !sent_nodes_.contains(name)) {
    changed_nodes_.erase(name);  // it came and went before the receiver got it
    return;
  }
  ++heard_;
  changed_nodes_.insert(name);
}

bool PolicyView::FullDue() const {
  return !numbered_ || std::uint64_t{next_endpoint_} + next_group_ + kNumbersANode * gone_nodes_ >
                           2 * numbers_of_full_ + kSpareNumbers;
}

bool PolicyView::HasChanges() const {
  return !changed_pods_.isEmpty() || !changed_policies_.empty() || !changed_nodes_.empty() ||
         !gone_endpoints_.empty() || !gone_policies_.empty() || !gone_staged_.empty();
}

PodSet PolicyView::PodsOnNode() const {
  const NodeEntry* node = resolver_.state_.nodes().Find(node_);
  return node == nullptr ? PodSet() : node->endpoints;
}

std::unordered_set<const BoundPolicy*> PolicyView::PoliciesOnNode() const {
  std::unordered_set<const BoundPolicy*> policies;
  for (const std::uint32_t pod : ToVector(node_pods_)) {
    resolver_.selections_.ForEachHolding(pod, [&](const Selection& selection) {
      policies.insert(selection.policies.begin(), selection.policies.end());
    });
  }
  return policies;
}

// A staged deletion selects no pods.
bool PolicyView::Selects(const BoundPolicy& policy) const {
  if (policy.subjects == nullptr) return false;
  return !OfOneNode() || resolver_.selections_.PodsOf(*policy.subjects).intersect(node_pods_);
}

PodSet PolicyView::WantedPods() {
  if (!OfOneNode()) return resolver_.state_.endpoints();
  PodSet wanted = node_pods_ | pods_in_cidrs_;
  for (const auto& [key, group] : groups_) {
    if (!key.on_node) wanted |= PodsOf(key);
  }
  return wanted;
}

bool PolicyView::IsInPodCidrs(std::uint32_t pod) const {
  const std::vector<IpAddress>& addresses = resolver_.state_.pod(pod).addresses;
  return std::any_of(addresses.begin(), addresses.end(), [this](const IpAddress& address) {
    return std::any_of(pod_cidrs_.begin(), pod_cidrs_.end(),
                       [&](const Prefix& cidr) { return cidr.Contains(address); });
  });
}

// If the node got other pod CIDRs, this looks at every pod; otherwise only at pods that changed.
void PolicyView::FollowPodCidrs() {
  if (!OfOneNode()) return;
  const NodeEntry* node = resolver_.state_.nodes().Find(node_);
  const auto before = std::exchange(pod_cidrs_, node == nullptr ? std::vector<Prefix>() : node->pod_cidrs);
  for (const std::uint32_t pod : ToVector(before == pod_cidrs_ ? changed_pods_ : resolver_.state_.endpoints())) {
    const bool moved = IsInPodCidrs(pod) ? pods_in_cidrs_.addChecked(pod) : pods_in_cidrs_.removeChecked(pod);
    if (moved) changed_pods_.add(pod);
  }
}

GroupId PolicyView::UseGroup(const SelectionPtr& selection, Role role, std::vector<GroupKey>* used) {
  if (selection == resolver_.selections_.everyone()) return kAnyPeer;
  const GroupKey key{selection.get(), OfOneNode() && role == Role::kSubjects};
  const auto [entry, added] = groups_.try_emplace(key);
  GroupEntry& group = entry->second;
  if (added) {
    group.selection = selection;
    group.id = next_group_++;
    new_groups_.push_back(key);
  }
  ++group.uses;
  used->push_back(key);
  return group.id;
}

void PolicyView::UsePolicy(const BoundPolicy& policy, std::vector<Section>* sections) {
  std::vector<GroupKey>& used = policies_[&policy];
  used.reserve(2 * policy.directions.size());  // subjects and peers, mostly
  const auto group_of = [&](const SelectionPtr& selection, Role role) { return UseGroup(selection, role, &used); };
  AppendSections(policy, group_of, sections);
}

void PolicyView::UseStaged(const BoundPolicy& policy, std::vector<Section>* sections) {
  if (Selects(policy)) return UsePolicy(policy, sections);
  policies_[&policy];
}

PodSet PolicyView::PodsOf(const GroupKey& key) const {
  PodSet pods = resolver_.selections_.PodsOf(*key.selection);
  if (key.on_node) pods &= node_pods_;
  return pods;
}

Group PolicyView::MakeGroup(const GroupKey& key) const {
  Group group{key.selection->text, key.selection->blocks};
  if (key.on_node) group.key += " on node " + node_;
  return group;
}

std::vector<GroupId> PolicyView::GroupsOf(std::uint32_t pod) const {
  std::vector<GroupId> ids;
  const bool on_node = OfOneNode() && node_pods_.contains(pod);
  const auto add = [&](const GroupKey& key) {
    const auto group = groups_.find(key);
    if (group != groups_.end()) ids.push_back(group->second.id);
  };
  const auto visit = [&](const Selection& selection) {
    add({&selection, false});
    if (on_node) add({&selection, true});
  };
  resolver_.selections_.ForEachHolding(pod, visit);
  resolver_.splits_.ForEachHolding(pod, visit);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Endpoint PolicyView::MakeEndpoint(std::uint32_t pod) const {
  const ClusterState& state = resolver_.state_;
  const PodEntry& entry = state.pod(pod);
  Endpoint endpoint;
  endpoint.namespace_name = state.space(entry.space).name;
  endpoint.name = entry.name;
  endpoint.labels = state.pod_labels().Text(entry.labels);
  endpoint.workload = entry.workload;
  endpoint.ports.reserve(entry.ports.size());
  for (const ContainerPort& port : entry.ports) endpoint.ports.push_back({port.name, port.protocol, port.port});
  endpoint.addresses = state.HeldAddresses(pod);
  return endpoint;
}

// A view of one node does not name the nodes of pods elsewhere.
std::string PolicyView::NodeOf(std::uint32_t pod) const {
  const std::string& node = resolver_.state_.pod(pod).node;
  return OfOneNode() && node != node_ ? "" : node;
}

Node PolicyView::MakeNode(const NodeEntry& entry) const {
  Node node{entry.name, resolver_.state_.NodeAddresses(entry), entry.pod_cidrs};
  if (!OfOneNode() || entry.name == node_) return node;
  node.pod_cidrs.clear();
  const NodeEntry* own = resolver_.state_.nodes().Find(node_);
  std::erase_if(node.addresses, [&](const IpAddress& address) {
    return own == nullptr || !(resolver_.state_.nodes().Shares(address, *own) ||
                               std::any_of(own->pod_cidrs.begin(), own->pod_cidrs.end(),
                                           [&](const Prefix& cidr) { return cidr.Contains(address); }));
  });
  return node;
}

bool PolicyView::HoldsNode(const Node& node) const {
  return !OfOneNode() || node.name == node_ || !node.addresses.empty();
}

void PolicyView::Forget() {
  groups_.clear();
  policies_.clear();
  endpoint_ids_.clear();
  sent_pods_ = {};
  sent_nodes_.clear();
  gone_nodes_ = 0;
  next_group_ = 0;
  next_endpoint_ = 0;
  changed_pods_ = {};
  changed_policies_.clear();
  changed_nodes_.clear();
  pod_cidrs_.clear();
  pods_in_cidrs_ = {};
  other_nodes_.clear();
  gone_endpoints_.clear();
  gone_policies_.clear();
  gone_staged_.clear();
  released_.clear();
  new_groups_.clear();
}

ResolvedPolicy PolicyView::Full() {
  Forget();
  numbered_ = true;
  const ClusterState& state = resolver_.state_;
  ResolvedPolicy full;
  if (OfOneNode()) node_pods_ = PodsOnNode();
  FollowPodCidrs();
  changed_pods_ = {};

  for (const NodeEntry* node : state.nodes().ByName()) {
    Node made = MakeNode(*node);
    if (!HoldsNode(made)) continue;
    if (OfOneNode() && made.name != node_) other_nodes_.emplace(made.name, made);
    sent_nodes_.insert(sent_nodes_.end(), made.name);
    full.nodes.push_back(std::move(made));
  }
  std::unordered_map<std::string_view, NodeId> node_ids;
  for (const Node& node : full.nodes) node_ids.emplace(node.name, static_cast<NodeId>(node_ids.size()));

  std::vector<const BoundPolicy*> policies;
  if (OfOneNode()) {
    for (const BoundPolicy* policy : PoliciesOnNode()) {
      if (!policy->staged) policies.push_back(policy);
    }
    std::sort(policies.begin(), policies.end(), [](const auto* a, const auto* b) { return a->title < b->title; });
  } else {
    for (const auto& [title, policy] : resolver_.policies_) policies.push_back(&policy);
  }
  policies_.reserve(policies.size());
  std::vector<Section> of_policy;
  for (const BoundPolicy* policy : policies) {
    of_policy.clear();
    UsePolicy(*policy, &of_policy);
    for (Section& section : of_policy) full.sections.push_back(std::move(section));
  }
  for (const auto& [title, policy] : resolver_.staged_) UseStaged(policy, &full.staged[title]);

  std::vector<PodSet> worked_out;
  worked_out.reserve(groups_.size());
  std::vector<const PodSet*> members(groups_.size());
  full.groups.resize(groups_.size());
  for (auto& [key, group] : groups_) {
    group.sent = true;
    full.groups[group.id] = MakeGroup(key);
    const PodSet* stored = key.on_node ? nullptr : resolver_.selections_.StoredPodsOf(*key.selection);
    members[group.id] = stored != nullptr ? stored : &worked_out.emplace_back(PodsOf(key));
  }
  new_groups_.clear();

  sent_pods_ = WantedPods();
  std::vector<std::uint32_t> pods = ToVector(sent_pods_);
  const auto by_name = [&](std::uint32_t a, std::uint32_t b) {
    const PodEntry& one = state.pod(a);
    const PodEntry& other = state.pod(b);
    if (one.space != other.space) return state.space(one.space).name < state.space(other.space).name;
    return one.name < other.name;
  };
  if (!std::is_sorted(pods.begin(), pods.end(), by_name)) std::sort(pods.begin(), pods.end(), by_name);
  const std::vector<IdSetId> sets = InternMembers(state.pod_limit(), members, &full.member_sets);
  endpoint_ids_.resize(state.pod_limit());
  full.endpoints.reserve(pods.size());
  for (const std::uint32_t pod : pods) {
    endpoint_ids_[pod] = next_endpoint_++;
    Endpoint& endpoint = full.endpoints.emplace_back(MakeEndpoint(pod));
    const std::string node = NodeOf(pod);
    if (!node.empty()) endpoint.node = node_ids.at(node);
    endpoint.members = sets[pod];
  }
  numbers_of_full_ = std::uint64_t{next_endpoint_} + next_group_;
  return full;
}

// Policies come before groups: they say which groups are used. Groups come before endpoints: a view of one node holds
// the pods of its peer groups. Endpoints come before nodes, which they name. Groups that one policy drops and another
// takes up in the same batch are released after their new use, so that they keep their numbers.
PolicyUpdate PolicyView::TakeChanges() {
  PolicyUpdate update;
  update.removed_policies = std::exchange(gone_policies_, {});
  update.removed_staged = std::exchange(gone_staged_, {});
  update.removed_endpoints = std::exchange(gone_endpoints_, {});
  FollowNode();
  FollowPodCidrs();
  TakePolicies(&update);
  const bool groups_changed = TakeGroups(&update);
  TakeEndpoints(groups_changed, &update);
  TakeNodes(&update);
  return update;
}

// If pods came to the node, left it or changed on it, other policies may select its pods now.
void PolicyView::FollowNode() {
  if (!OfOneNode()) return;
  PodSet now = PodsOnNode();
  if (now == node_pods_ && !changed_pods_.intersect(now)) return;
  node_pods_ = std::move(now);
  const auto wanted = PoliciesOnNode();
  for (const BoundPolicy* policy : wanted) {
    if (!policies_.contains(policy)) changed_policies_.insert(policy);
  }
  for (const auto& [policy, groups] : policies_) {
    // A staged policy uses no group if it selects no pod of the node.
    const bool is_sent = !policy->staged || !groups.empty();
    if (wanted.contains(policy) != is_sent) changed_policies_.insert(policy);
  }
}

void PolicyView::TakePolicies(PolicyUpdate* update) {
  std::vector<const BoundPolicy*> policies(changed_policies_.begin(), changed_policies_.end());
  changed_policies_.clear();
  std::sort(policies.begin(), policies.end(), [](const auto* a, const auto* b) { return a->title < b->title; });
  for (const BoundPolicy* policy : policies) {
    const auto sent = policies_.extract(policy);
    if (policy->staged) {
      update->staged.push_back({policy->title, {}});
      UseStaged(*policy, &update->staged.back().sections);
    } else if (Selects(*policy)) {
      update->sections.push_back({policy->title, {}});
      UsePolicy(*policy, &update->sections.back().sections);
    } else if (sent) {
      update->removed_policies.push_back(policy->title);
    }
    if (sent) released_.insert(released_.end(), sent.mapped().begin(), sent.mapped().end());
  }
}

// True if groups came or went.
bool PolicyView::TakeGroups(PolicyUpdate* update) {
  for (const GroupKey& key : std::exchange(released_, {})) {
    const auto group = groups_.find(key);
    if (--group->second.uses > 0) continue;
    if (group->second.sent) update->removed_groups.push_back(group->second.id);
    groups_.erase(group);
  }
  for (const GroupKey& key : std::exchange(new_groups_, {})) {
    const auto group = groups_.find(key);
    if (group == groups_.end()) continue;
    group->second.sent = true;
    GroupUpdate added{group->second.id, MakeGroup(key), {}};
    for (const std::uint32_t pod : ToVector(PodsOf(key) & sent_pods_)) added.members.push_back(endpoint_ids_[pod]);
    std::sort(added.members.begin(), added.members.end());
    update->groups.push_back(std::move(added));
  }
  return !update->removed_groups.empty() || !update->groups.empty();
}

void PolicyView::TakeEndpoints(bool groups_changed, PolicyUpdate* update) {
  const auto remove = [&](std::uint32_t pod) {
    update->removed_endpoints.push_back(endpoint_ids_[pod]);
    sent_pods_.remove(pod);
  };
  if (OfOneNode() && groups_changed) {
    const PodSet wanted = WantedPods();
    for (const std::uint32_t pod : ToVector(sent_pods_ - wanted)) remove(pod);
    changed_pods_ |= wanted - sent_pods_;
  }
  if (endpoint_ids_.size() < resolver_.state_.pod_limit()) endpoint_ids_.resize(resolver_.state_.pod_limit());
  for (const std::uint32_t pod : ToVector(std::exchange(changed_pods_, {}))) {
    EndpointUpdate changed;
    changed.groups = GroupsOf(pod);
    if (OfOneNode() && changed.groups.empty() && !node_pods_.contains(pod) && !pods_in_cidrs_.contains(pod)) {
      if (sent_pods_.contains(pod)) remove(pod);
      continue;
    }
    if (sent_pods_.addChecked(pod)) endpoint_ids_[pod] = next_endpoint_++;
    changed.id = endpoint_ids_[pod];
    changed.endpoint = MakeEndpoint(pod);
    changed.node = NodeOf(pod);
    update->endpoints.push_back(std::move(changed));
  }
}

// In a view of one node, a change of that node may also change what the view holds of other nodes.
std::set<std::string> PolicyView::NodesToLookAt() {
  std::set<std::string> names = std::exchange(changed_nodes_, {});
  if (OfOneNode() && names.contains(node_)) {
    for (const NodeEntry* node : resolver_.state_.nodes().ByName()) names.insert(node->name);
    for (const auto& [name, node] : other_nodes_) names.insert(name);
  }
  return names;
}

void PolicyView::TakeNodes(PolicyUpdate* update) {
  for (const std::string& name : NodesToLookAt()) {
    const NodeEntry* entry = resolver_.state_.nodes().Find(name);
    const bool other = OfOneNode() && name != node_;
    const auto sent = other_nodes_.find(name);
    std::optional<Node> node;
    if (entry != nullptr) node = MakeNode(*entry);
    if (node && !HoldsNode(*node)) node.reset();
    if (other && (node ? sent != other_nodes_.end() && sent->second == *node : sent == other_nodes_.end())) continue;
    if (other && node) other_nodes_.insert_or_assign(name, *node);
    if (other && !node) other_nodes_.erase(sent);
    if (node) {
      update->nodes.push_back(std::move(*node));
      sent_nodes_.insert(name);
    } else if (sent_nodes_.erase(name) != 0) {
      update->removed_nodes.push_back(name);
      ++gone_nodes_;
    }
  }
}

bool IsEmpty(const PolicyUpdate& update) {
  return update.removed_policies.empty() && update.removed_groups.empty() && update.nodes.empty() &&
         update.removed_nodes.empty() && update.groups.empty() && update.removed_endpoints.empty() &&
         update.endpoints.empty() && update.sections.empty() && update.removed_staged.empty() && update.staged.empty();
}

}  // namespace sluice
