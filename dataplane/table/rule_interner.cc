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

// A flow that no table judged for this many epochs was idle through as many changes of hundreds of thousands of rules.
constexpr std::size_t kMostFormerEpochs = 8;

std::shared_ptr<const FormerNames> NamesIn(std::uint64_t first_generation, const RuleList<TableRule>& rules) {
  auto names = std::make_shared<FormerNames>();
  names->first_generation = first_generation;
  for (RuleId rule = 0; rule < rules.size(); ++rule) {
    if (!rules[rule].domain_names.empty()) names->by_rule.emplace(rule, rules[rule].domain_names);
  }
  return names;
}

// What a node of a map takes besides its key's own memory: links, key, id, a share of the buckets.
constexpr std::uint64_t kNodeBytes = 80;

std::uint64_t BytesOf(const std::string& key) { return kNodeBytes + key.capacity(); }

std::uint64_t HashOf(std::span<const PortRange> ranges) {
  std::uint64_t hash = ranges.size();
  for (const PortRange& range : ranges) {
    hash = AddToHash(hash, std::uint64_t{range.protocol} << 32 | std::uint32_t{range.first} << 16 | range.last);
  }
  return hash;
}

// The bytes that the string keeps outside of itself.
std::uint64_t HeapBytes(const std::string& text) { return text.size() < sizeof(std::string) / 2 ? 0 : text.size() + 1; }

std::uint64_t NameBytes(const TableRule& rule) {
  const std::string& name = rule.name.text();
  return HeapBytes(rule.policy) + (name.empty() ? 0 : sizeof(std::string) + HeapBytes(name));
}

std::uint64_t HashOf(const TableRule& rule, const RuleInterner::Place& place) {
  const std::uint64_t kind = static_cast<std::uint64_t>(rule.tier) << 16 |
                             static_cast<std::uint64_t>(rule.direction) << 8 | static_cast<std::uint64_t>(rule.action);
  std::uint64_t hash = AddToHash(kind << 32 | rule.priority, static_cast<std::uint32_t>(rule.index));
  hash = AddToHash(hash, std::uint64_t{place.policy} << 32 | place.peer);
  hash = AddToHash(hash, place.port_set);
  return rule.name.empty() ? hash : AddToHash(hash, std::hash<std::string>{}(rule.name.text()));
}

bool AreAlike(const TableRule& a, const TableRule& b) {
  return a.tier == b.tier && a.direction == b.direction && a.action == b.action && a.priority == b.priority &&
         a.index == b.index && a.name == b.name;
}

}  // namespace

RuleInterner::RuleInterner(const RuleInterner* before, std::uint64_t first_generation)
    : epoch_(NextEpoch()), first_generation_(first_generation), rules_(std::make_shared<RuleList<TableRule>>()) {
  rules_->push_back({});
  places_.push_back({});
  if (before == nullptr) return;
  former_names_ = before->former_names_;
  former_names_.insert(former_names_.begin(), NamesIn(before->first_generation_, *before->rules_));
  if (former_names_.size() > kMostFormerEpochs) former_names_.pop_back();
}

std::uint32_t RuleInterner::Peer(const std::string& group_key) {
  const auto [place, added] = peers_.Find(group_key);
  if (added) {
    key_bytes_ += BytesOf(place->first);
    place->second = next_peer_++;
  }
  return place->second;
}

std::uint32_t RuleInterner::PortSet(const std::vector<PortRange>& ranges) {
  std::span<const PortRange> asked = ranges;
  if (ranges.size() > 1) {
    asked_ = ranges;
    SortAndMerge(asked_);
    asked = asked_;
  }
  const std::uint64_t hash = HashOf(asked);
  const auto is = [&](std::uint32_t id) { return std::ranges::equal(Ranges(id), asked); };
  if (const std::uint32_t known = port_set_ids_.Find(hash, is); known != IdIndex::kNone) return known;
  const std::uint32_t id = PortSetCount();
  port_set_ids_.known.Add(hash, id);
  port_sets_.push_back({static_cast<std::uint32_t>(ranges_.size()), static_cast<std::uint32_t>(asked.size())});
  ranges_.insert(ranges_.end(), asked.begin(), asked.end());
  return id;
}

std::uint32_t RuleInterner::Policy(const std::string& name) {
  const auto [place, added] = policies_.Find(name);
  if (added) {
    key_bytes_ += BytesOf(place->first);
    place->second = next_policy_++;
  }
  return place->second;
}

RuleId RuleInterner::Rule(const TableRule& rule, const Place& place) {
  const std::uint64_t hash = HashOf(rule, place);
  const auto is = [&](RuleId id) { return places_[id] == place && AreAlike((*rules_)[id], rule); };
  if (const RuleId known = rule_ids_.Find(hash, is); known != IdIndex::kNone) return known;
  const RuleId id = rules_->push_back(rule);
  rule_ids_.known.Add(hash, id);
  places_.push_back(place);
  name_bytes_ += NameBytes(rule);
  return id;
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
  const auto erase_from = [this](NamedIds& ids, std::uint32_t first) {
    std::erase_if(ids.known, [&](const auto& entry) {
      if (entry.second < first) return false;
      key_bytes_ -= BytesOf(entry.first);
      return true;
    });
  };
  if (RuleCount() != mark.rules) rule_ids_.known.EraseFrom(mark.rules);
  if (next_policy_ != mark.policies) erase_from(policies_, mark.policies);
  if (next_peer_ != mark.peers) erase_from(peers_, mark.peers);
  if (PortSetCount() != mark.port_sets) port_set_ids_.known.EraseFrom(mark.port_sets);
  for (RuleId rule = mark.rules; rule < RuleCount(); ++rule) name_bytes_ -= NameBytes((*rules_)[rule]);
  if (PortSetCount() != mark.port_sets) ranges_.resize(port_sets_[mark.port_sets].first);
  rules_->Truncate(mark.rules);
  places_.resize(mark.rules);
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
  std::vector<bool> is_known(port_sets_.size());
  port_set_ids_.known.ForEach([&](std::uint32_t id) { is_known[id] = true; });
  std::vector<PortRange> known;
  for (std::uint32_t id = 0; id < port_sets_.size(); ++id) {
    const std::span<const PortRange> ranges = is_known[id] ? Ranges(id) : std::span<const PortRange>();
    port_sets_[id] = {static_cast<std::uint32_t>(known.size()), static_cast<std::uint32_t>(ranges.size())};
    known.insert(known.end(), ranges.begin(), ranges.end());
  }
  ranges_ = std::move(known);
  port_set_ids_.old = {};
  rule_ids_.old = {};
  const auto end = [this](NamedIds& ids) {
    for (const auto& [key, id] : ids.old) key_bytes_ -= BytesOf(key);
    ids.old = {};
  };
  end(policies_);
  end(peers_);
}

}  // namespace sluice
