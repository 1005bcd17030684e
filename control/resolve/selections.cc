#include "resolve/selections.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "model/selector_text.h"
#include "resolve/members.h"
#include "resolve/selection_text.h"

namespace sluice {
namespace {

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";
const LabelSelector kEverything;

void SortUnique(std::vector<CidrBlock>* blocks) {
  if (!std::is_sorted(blocks->begin(), blocks->end())) std::sort(blocks->begin(), blocks->end());
  blocks->erase(std::unique(blocks->begin(), blocks->end()), blocks->end());
}

CidrBlock ToBlock(const IpBlock& source) {
  CidrBlock block{source.cidr, source.excepts};
  std::sort(block.excepts.begin(), block.excepts.end());
  block.excepts.erase(std::unique(block.excepts.begin(), block.excepts.end()), block.excepts.end());
  return block;
}

bool Holds(const CidrBlock& block, const IpAddress& address) {
  return block.cidr.Contains(address) && std::none_of(block.excepts.begin(), block.excepts.end(),
                                                      [&](const Prefix& except) { return except.Contains(address); });
}

// Places of the claims that a block holds, ascending and unique.
std::vector<std::uint32_t> ClaimsInBlocks(const std::vector<PodTable::Claim>& claims,
                                          const std::vector<CidrBlock>& blocks) {
  std::vector<std::uint32_t> places;
  for (const CidrBlock& block : blocks) {
    const IpAddress last = block.cidr.Last();
    auto claim = std::lower_bound(claims.begin(), claims.end(), block.cidr.First(),
                                  [](const PodTable::Claim& a, const IpAddress& b) { return a.address < b; });
    for (; claim != claims.end() && claim->address <= last; ++claim) {
      if (Holds(block, claim->address)) places.push_back(static_cast<std::uint32_t>(claim - claims.begin()));
    }
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

void AddSelectors(const std::vector<NetworkPolicyRule>& rules, LabelIndex* pods, LabelIndex* namespaces) {
  for (const NetworkPolicyRule& rule : rules) {
    for (const NetworkPolicyPeer& peer : rule.peers) {
      if (peer.pod_selector) pods->AddSelector(*peer.pod_selector);
      if (peer.namespace_selector) namespaces->AddSelector(*peer.namespace_selector);
    }
  }
}

}  // namespace

Selections::Selections(const Cluster& cluster, const PodTable& pods) : pods_(pods), ports_(pods) {
  for (const NetworkPolicy& policy : cluster.policies) {
    pod_labels_.AddSelector(policy.pod_selector);
    AddSelectors(policy.ingress, &pod_labels_, &namespace_labels_);
    AddSelectors(policy.egress, &pod_labels_, &namespace_labels_);
  }
  for (std::uint32_t number = 0; number < pods.size(); ++number) pod_labels_.AddLabels(number, pods.pod(number).labels);

  std::map<std::string_view, const Labels*> namespaces;
  for (const Namespace& space : cluster.namespaces) namespaces.emplace(space.name, &space.labels);
  for (std::uint32_t number = 0; number < pods.size(); number = pods.InNamespace(pods.pod(number).namespace_name).end) {
    namespaces.emplace(pods.pod(number).namespace_name, nullptr);
  }
  for (const auto& [name, labels] : namespaces) {
    const auto number = static_cast<std::uint32_t>(namespaces_.size());
    // A namespace that only its pods name has at least the label that every namespace has (NP-33).
    namespace_labels_.AddLabels(number,
                                labels != nullptr ? *labels : Labels{{std::string(kNameLabel), std::string(name)}});
    namespaces_.push_back(pods.InNamespace(name));
  }
  Intern("every address", [] { return Selection{}; });
}

template <typename Make>
Selections::Id Selections::Intern(std::string text, Make make) {
  const auto [entry, added] = ids_.try_emplace(std::move(text), static_cast<Id>(selections_.size()));
  if (added) {
    selections_.push_back(make());
    selections_.back().text = &entry->first;
  }
  return entry->second;
}

Selections::Id Selections::Pods(const std::string& namespace_name, const LabelSelector& selector) {
  return Intern(PodsText(namespace_name, selector), [&] {
    PodSet set = ToSet(pods_.InNamespace(namespace_name));
    pod_labels_.Restrict(selector, &set);
    return Selection{.pods = std::move(set)};
  });
}

Selections::Id Selections::PodsIn(const LabelSelector& namespaces, const LabelSelector& selector) {
  return Intern(PodsText(namespaces, selector), [&] {
    PodSet set = InNamespaces(namespaces);
    pod_labels_.Restrict(selector, &set);
    return Selection{.pods = std::move(set)};
  });
}

const PodSet& Selections::InNamespaces(const LabelSelector& selector) {
  const auto [entry, added] = in_namespaces_.try_emplace(SelectorText(selector));
  if (added) {
    PodSet selected = ToSet({0, static_cast<std::uint32_t>(namespaces_.size())});
    namespace_labels_.Restrict(selector, &selected);
    for (const std::uint32_t number : ToVector(selected)) {
      if (!namespaces_[number].empty()) entry->second.addRange(namespaces_[number].first, namespaces_[number].end);
    }
  }
  return entry->second;
}

PodSet Selections::Union(const std::vector<Id>& selections) const {
  if (selections.empty()) return {};
  std::vector<const PodSet*> sets;
  for (const Id id : selections) sets.push_back(&selections_[id].pods);
  return PodSet::fastunion(sets.size(), sets.data());
}

Selections::Id Selections::Peers(const std::string& namespace_name, const std::vector<NetworkPolicyPeer>& peers) {
  if (peers.empty()) return kEveryone;
  std::vector<Id> selectors;
  std::vector<CidrBlock> blocks;
  for (const NetworkPolicyPeer& peer : peers) {
    if (peer.ip_block) {
      blocks.push_back(ToBlock(*peer.ip_block));
    } else if (peer.namespace_selector) {
      selectors.push_back(PodsIn(*peer.namespace_selector, peer.pod_selector ? *peer.pod_selector : kEverything));
    } else if (peer.pod_selector) {
      selectors.push_back(Pods(namespace_name, *peer.pod_selector));
    }
  }
  SortUnique(&blocks);
  std::sort(selectors.begin(), selectors.end(),
            [this](Id a, Id b) { return *selections_[a].text < *selections_[b].text; });
  selectors.erase(std::unique(selectors.begin(), selectors.end()), selectors.end());
  if (selectors.size() == 1 && blocks.empty()) return selectors.front();

  std::string text;
  for (const Id id : selectors) {
    if (!text.empty()) text += " or ";
    text += *selections_[id].text;
  }
  if (!blocks.empty()) {
    if (!text.empty()) text += " or ";
    text += BlocksText(blocks);
  }
  return Intern(std::move(text), [&] { return Selection{.pods = Union(selectors), .blocks = std::move(blocks)}; });
}

const std::vector<Selections::Narrowed>& Selections::WithNamedPort(Id selection, std::uint8_t protocol,
                                                                   const std::string& name) {
  const auto [entry, added] = narrowed_.try_emplace({selection, protocol, name});
  if (added) entry->second = Narrow(selection, protocol, name);
  return entry->second;
}

std::vector<Selections::Narrowed> Selections::Narrow(Id selection, std::uint8_t protocol, const std::string& name) {
  PodSet whole = selection == kEveryone ? ToSet({0, pods_.size()}) : selections_[selection].pods;

  // A pod of which the blocks hold every address is a member like any other; of a pod that they hold in part (one
  // family of two, say) just those addresses count.
  std::map<std::uint32_t, std::vector<CidrBlock>> held;
  for (const std::uint32_t place : ClaimsInBlocks(pods_.claims(), selections_[selection].blocks)) {
    const auto& [address, pod] = pods_.claims()[place];
    const auto bits = static_cast<std::uint8_t>(AddressBits(address.family));
    held[pod].push_back({Prefix::Make(address, bits), {}});
  }
  std::map<std::vector<std::uint16_t>, std::vector<CidrBlock>> single;
  for (const auto& [pod, addresses] : held) {
    if (whole.contains(pod)) continue;
    if (addresses.size() == pods_.AddressCount(pod)) {
      whole.add(pod);
    } else if (const auto* numbers = ports_.Numbers(pod, protocol, name)) {
      std::vector<CidrBlock>& blocks = single[*numbers];
      blocks.insert(blocks.end(), addresses.begin(), addresses.end());
    }
  }

  std::map<std::vector<std::uint16_t>, PodSet> members;
  for (PortResolution& part : ports_.Split(whole, protocol, name)) members[part.numbers] = std::move(part.pods);
  for (const auto& [numbers, blocks] : single) members[numbers];

  std::vector<Narrowed> parts;
  for (auto& [numbers, part] : members) {
    std::string text = '(' + *selections_[selection].text + ") with " + NamedPortText(protocol, name, numbers);
    std::vector<CidrBlock> blocks = std::move(single[numbers]);
    SortUnique(&blocks);
    if (!blocks.empty()) text += " or of those " + BlocksText(blocks);
    parts.push_back({numbers, Intern(std::move(text),
                                     [&] { return Selection{.pods = std::move(part), .blocks = std::move(blocks)}; })});
  }
  return parts;
}

GroupId Selections::Group(Id selection) {
  if (selection == kEveryone) return kAnyPeer;
  Selection& chosen = selections_[selection];
  if (chosen.group == kAnyPeer) {
    chosen.group = static_cast<GroupId>(groups_.size());
    groups_.push_back(selection);
  }
  return chosen.group;
}

void Selections::Finish(ResolvedPolicy* policy) {
  std::vector<const PodSet*> members;
  members.reserve(groups_.size());
  policy->groups.reserve(groups_.size());
  for (const Id id : groups_) {
    members.push_back(&selections_[id].pods);
    policy->groups.push_back({*selections_[id].text, std::move(selections_[id].blocks)});
  }
  const std::vector<IdSetId> sets = InternMembers(pods_.size(), members, &policy->member_sets);
  for (std::uint32_t number = 0; number < pods_.size(); ++number) policy->endpoints[number].members = sets[number];
}

}  // namespace sluice
