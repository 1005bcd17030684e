#include "table/interner.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace sluice {
namespace {

std::uint64_t NextEpoch() {
  static std::atomic<std::uint64_t> epoch{0};
  return ++epoch;
}

template <typename... Values>
void AppendBytes(std::string& bytes, const Values&... values) {
  (bytes.append(reinterpret_cast<const char*>(&values), sizeof(values)), ...);
}

void SortAndMerge(std::vector<PortRange>& ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (kept > 0 && ranges[i].protocol == ranges[kept - 1].protocol && ranges[i].first <= ranges[kept - 1].last + 1) {
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, ranges[i].last);
    } else {
      ranges[kept++] = ranges[i];
    }
  }
  ranges.resize(kept);
}

}  // namespace

std::size_t Interner::IdentityHash::operator()(const Identity& identity) const {
  std::uint64_t hash = (std::uint64_t{identity.egress} << 32 | identity.ingress) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 29) ^ (std::uint64_t{identity.peer_class} << 8 | identity.flags)) * 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 32);
}

Interner::Interner() : shared_(std::make_shared<InternedPolicy>()) {
  shared_->epoch = NextEpoch();
  shared_->identities.push_back({});
  shared_->rules.push_back({});
  identity_ids_.emplace(Identity{}, 0);
}

std::uint32_t Interner::PeerBit(const std::string& group_key, std::uint64_t generation) {
  const auto [place, added] = peer_bits_.try_emplace(group_key, BitCount());
  if (added) bit_born_.push_back(generation);
  return place->second;
}

std::uint32_t Interner::PortSet(std::vector<PortRange> ranges) {
  SortAndMerge(ranges);
  const auto next = static_cast<std::uint32_t>(port_sets_.size());
  const auto [place, added] = port_set_ids_.try_emplace(std::move(ranges), next);
  if (added) port_sets_.push_back(&place->first);
  return place->second;
}

RuleId Interner::Rule(const TableRule& rule, std::uint32_t peer_bit, std::uint32_t port_set) {
  std::string key;
  AppendBytes(key, rule.tier, rule.direction, rule.action, rule.priority, rule.index, peer_bit, port_set);
  key += rule.policy;
  const auto [place, added] = rule_ids_.try_emplace(std::move(key), shared_->rules.size());
  if (added) {
    if (rule.policy.size() >= sizeof(std::string) / 2) heap_bytes_ += rule.policy.size() + 1;
    shared_->rules.push_back(rule);
  }
  return place->second;
}

SectionId Interner::Section(const std::vector<RuleMatch>& rules, RuleId default_deny) {
  std::string key;
  AppendBytes(key, default_deny);
  for (const RuleMatch& match : rules) AppendBytes(key, match.peer_bit, match.port_set, match.rule);
  const auto [place, added] = section_ids_.try_emplace(std::move(key), shared_->sections.size());
  if (!added) return place->second;
  if (rules.size() > free_match_count_) {
    free_match_count_ = std::max<std::size_t>(rules.size(), shared_->matches.empty() ? 64 : 4096);
    shared_->matches.push_back(std::make_unique<RuleMatch[]>(free_match_count_));
    free_matches_ = shared_->matches.back().get();
    heap_bytes_ += free_match_count_ * sizeof(RuleMatch);
  }
  std::copy(rules.begin(), rules.end(), free_matches_);
  shared_->sections.push_back({free_matches_, static_cast<std::uint32_t>(rules.size()), default_deny});
  free_matches_ += rules.size();
  free_match_count_ -= rules.size();
  return place->second;
}

IdentityId Interner::IdentityOf(const Identity& identity) {
  const auto [place, added] = identity_ids_.try_emplace(identity, shared_->identities.size());
  if (added) shared_->identities.push_back(identity);
  return place->second;
}

NodeId Interner::NodeOf(const std::string& name) {
  const auto [place, added] = node_ids_.try_emplace(name, static_cast<NodeId>(node_names_.size()));
  if (added) node_names_.push_back(name);
  return place->second;
}

std::shared_ptr<const std::vector<std::string>> Interner::NodeNames() {
  if (shared_node_names_ == nullptr || shared_node_names_->size() != node_names_.size()) {
    shared_node_names_ = std::make_shared<const std::vector<std::string>>(node_names_);
  }
  return shared_node_names_;
}

std::uint64_t Interner::MemoryBytes() const {
  return shared_->section_sets.MemoryBytes() + shared_->peer_classes.MemoryBytes() +
         shared_->port_classes.MemoryBytes() + shared_->identities.MemoryBytes() + shared_->rules.MemoryBytes() +
         shared_->sections.MemoryBytes() + heap_bytes_;
}

std::uint64_t Interner::Memberships() const {
  return shared_->section_sets.MembershipCount() + shared_->peer_classes.MembershipCount() +
         shared_->port_classes.MembershipCount();
}

}  // namespace sluice
