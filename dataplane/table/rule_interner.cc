#include "table/rule_interner.h"

#include <algorithm>
#include <atomic>

#include "sluice/port_ranges.h"

namespace sluice {
namespace {

std::uint64_t NextEpoch() {
  static std::atomic<std::uint64_t> epoch{0};
  return ++epoch;
}

// A flow that no table judged for so many epochs was idle through as many changes of hundreds of thousands of rules.
constexpr std::size_t kMostFormerEpochs = 8;

std::shared_ptr<const FormerNames> NamesIn(std::uint64_t first_generation, const StableVector<TableRule>& rules) {
  auto names = std::make_shared<FormerNames>();
  names->first_generation = first_generation;
  for (RuleId rule = 0; rule < rules.size(); ++rule) {
    if (!rules[rule].domain_names.empty()) names->by_rule.emplace(rule, rules[rule].domain_names);
  }
  return names;
}

template <typename... Values>
void AppendBytes(std::string& bytes, const Values&... values) {
  (bytes.append(reinterpret_cast<const char*>(&values), sizeof(values)), ...);
}

// What a node of a map takes beside its key's own memory: links, key, id, a share of the buckets.
constexpr std::uint64_t kNodeBytes = 80;

std::uint64_t BytesOf(const std::string& key) { return kNodeBytes + key.capacity(); }
std::uint64_t BytesOf(const std::vector<PortRange>& key) { return kNodeBytes + key.capacity() * sizeof(PortRange); }

// Of what does not fit in the string itself.
std::uint64_t HeapBytes(const std::string& text) { return text.size() < sizeof(std::string) / 2 ? 0 : text.size() + 1; }

std::uint64_t NameBytes(const TableRule& rule) {
  const std::string& name = rule.name.text();
  return HeapBytes(rule.policy) + (name.empty() ? 0 : sizeof(std::string) + HeapBytes(name));
}

}  // namespace

RuleInterner::RuleInterner(const RuleInterner* before, std::uint64_t first_generation)
    : epoch_(NextEpoch()), first_generation_(first_generation), rules_(std::make_shared<StableVector<TableRule>>()) {
  rules_->push_back({});
  if (before == nullptr) return;
  former_names_ = before->former_names_;
  former_names_.insert(former_names_.begin(), NamesIn(before->first_generation_, *before->rules_));
  if (former_names_.size() > kMostFormerEpochs) former_names_.pop_back();
}

std::uint32_t RuleInterner::Peer(const std::string& group_key) {
  const auto [place, added] = peers_.Find(std::string(group_key));
  if (added) {
    key_bytes_ += BytesOf(place->first);
    place->second = next_peer_++;
  }
  return place->second;
}

std::uint32_t RuleInterner::PortSet(std::vector<PortRange> ranges) {
  SortAndMerge(ranges);
  const auto [place, added] = port_set_ids_.Find(std::move(ranges));
  if (added) {
    key_bytes_ += BytesOf(place->first);
    place->second = PortSetCount();
    port_sets_.push_back(&place->first);
  }
  return place->second;
}

RuleId RuleInterner::Rule(const TableRule& rule, std::uint32_t peer, std::uint32_t port_set) {
  const auto [policy, is_new] = policies_.Find(std::string(rule.policy));
  if (is_new) {
    key_bytes_ += BytesOf(policy->first);
    policy->second = next_policy_++;
  }
  std::string key;
  AppendBytes(key, rule.tier, rule.direction, rule.action, rule.priority, rule.index, peer, port_set, policy->second);
  if (!rule.name.empty()) key += rule.name.text();
  const auto [place, added] = rule_ids_.Find(std::move(key));
  if (added) {
    key_bytes_ += BytesOf(place->first);
    place->second = rules_->push_back(rule);
    name_bytes_ += NameBytes(rule);
  }
  return place->second;
}

void RuleInterner::Retire(const std::string& policy) {
  const auto found = policies_.known.find(policy);
  if (found == policies_.known.end()) return;
  key_bytes_ -= BytesOf(found->first);
  policies_.known.erase(found);
}

void RuleInterner::RetireAllBut(const SectionList& sections) {
  std::erase_if(policies_.known, [&](const auto& entry) {
    if (!sections.Find(entry.first).empty()) return false;
    key_bytes_ -= BytesOf(entry.first);
    return true;
  });
}

void RuleInterner::RollBack(const Mark& mark) {
  const auto erase_from = [this](auto& ids, std::uint32_t first) {
    std::erase_if(ids.known, [&](const auto& entry) {
      if (entry.second < first) return false;
      key_bytes_ -= BytesOf(entry.first);
      return true;
    });
  };
  if (RuleCount() != mark.rules) erase_from(rule_ids_, mark.rules);
  if (next_policy_ != mark.policies) erase_from(policies_, mark.policies);
  if (next_peer_ != mark.peers) erase_from(peers_, mark.peers);
  if (PortSetCount() != mark.port_sets) erase_from(port_set_ids_, mark.port_sets);
  for (RuleId rule = mark.rules; rule < RuleCount(); ++rule) name_bytes_ -= NameBytes((*rules_)[rule]);
  rules_->Truncate(mark.rules);
  next_policy_ = mark.policies;
  next_peer_ = mark.peers;
  port_sets_.resize(mark.port_sets);
}

void RuleInterner::BeginSweep() {
  const auto begin = [](auto& ids) { std::swap(ids.known, ids.old); };
  begin(rule_ids_);
  begin(policies_);
  begin(peers_);
  begin(port_set_ids_);
}

void RuleInterner::EndSweep() {
  for (const auto& [ranges, id] : port_set_ids_.old) port_sets_[id] = nullptr;
  const auto end = [this](auto& ids) {
    for (const auto& [key, id] : ids.old) key_bytes_ -= BytesOf(key);
    ids.old = {};
  };
  end(rule_ids_);
  end(policies_);
  end(peers_);
  end(port_set_ids_);
}

}  // namespace sluice
