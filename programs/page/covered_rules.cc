#include "page/covered_rules.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/cover.h"

namespace sluice {
namespace {

constexpr std::size_t kMostRules = 300;  // in a policy's direction: each is compared with each

// One rule of a section, and whether the section is for all subjects of the policy.
struct Part {
  const Rule* rule;
  const Section* section;
};
using Parts = std::map<std::int32_t, std::vector<Part>>;  // by the rule's index

enum class Pods : std::uint8_t { kAny, kNow };

bool ArePortsWithin(const Rule& rule, const Rule& other) {
  if (other.any_port) return true;
  if (rule.any_port) return false;
  return std::all_of(rule.ports.begin(), rule.ports.end(), [&](const PortRange& range) {
    return std::any_of(other.ports.begin(), other.ports.end(), [&](const PortRange& wide) {
      return wide.protocol == range.protocol && wide.first <= range.first && range.last <= wide.last;
    });
  });
}

class Finder {
 public:
  explicit Finder(const ResolvedPolicy& policy) : policy_(policy), pods_(policy.groups.size()) {
    std::set<IdSetId> kinds;
    for (const Endpoint& endpoint : policy.endpoints) kinds.insert(endpoint.members);
    for (const IdSetId kind : kinds) {
      for (const std::uint32_t group : policy.member_sets.ToVector(kind)) pods_[group].push_back(kind);
    }
  }

  // Returns the rule of `rules` that covers the one at `index`, if there is one.
  std::optional<std::int32_t> FindCovering(std::int32_t index, const Parts& rules, Tier tier, Pods pods) const {
    const std::vector<Part>& rule = rules.at(index);
    for (const auto& [other, by] : rules) {
      const bool is_later = other > index;
      if (other == index || (is_later && tier != Tier::kNetworkPolicy) || !IsCovered(rule, by, pods)) continue;
      if (is_later && IsCovered(by, rule, pods)) continue;  // they say the same: the other one is covered
      return other;
    }
    return std::nullopt;
  }

 private:
  bool IsCovered(const std::vector<Part>& rule, const std::vector<Part>& by, Pods pods) const {
    return std::all_of(rule.begin(), rule.end(), [&](const Part& part) {
      return std::any_of(by.begin(), by.end(), [&](const Part& other) {
        const bool is_for_all = other.section->isolates && other.section->subjects == part.section->subjects;
        return (other.section == part.section || is_for_all) && ArePortsWithin(*part.rule, *other.rule) &&
               ArePeersWithin(*part.rule, *other.rule, pods);
      });
    });
  }

  bool ArePeersWithin(const Rule& rule, const Rule& other, Pods pods) const {
    if (!other.domain_names.empty()) {
      return !rule.domain_names.empty() && AreNamesCovered(rule.domain_names.list(), other.domain_names.list());
    }
    if (other.peers == kAnyPeer || rule.peers == other.peers) return true;
    if (rule.peers == kAnyPeer) return false;
    return ArePodsWithin(rule.peers, other.peers, pods) && AreBlocksWithin(rule.peers, other.peers);
  }

  // Pods come and go: if a group now has only pods that another one has, too, a new pod may still be in the first
  // alone. But a group of blocks has no pods of its own.
  bool ArePodsWithin(GroupId peers, GroupId other, Pods pods) const {
    const std::vector<IdSetId>& own = pods_[peers];
    if (pods == Pods::kAny || own.empty()) return own.empty() && !policy_.groups[peers].blocks.empty();
    return std::includes(pods_[other].begin(), pods_[other].end(), own.begin(), own.end());
  }

  bool AreBlocksWithin(GroupId peers, GroupId other) const {
    const std::vector<CidrBlock>& blocks = policy_.groups[peers].blocks;
    return std::all_of(blocks.begin(), blocks.end(), [&](const CidrBlock& block) {
      const std::vector<CidrBlock>& wide = policy_.groups[other].blocks;
      return std::any_of(wide.begin(), wide.end(), [&](const CidrBlock& one) { return IsBlockCovered(block, one); });
    });
  }

  const ResolvedPolicy& policy_;
  // By group: its pods' member sets, ascending. Pods with the same set are in the same groups.
  std::vector<std::vector<IdSetId>> pods_;
};

}  // namespace

std::map<RulePlace, CoveringRule> CoveredRules(const ResolvedPolicy& policy) {
  std::map<std::tuple<std::string, Direction, Tier>, Parts> parts;
  for (const Section& section : policy.sections) {
    Parts& own = parts[{section.policy, section.direction, section.tier}];
    for (const Rule& rule : section.rules) own[rule.index].push_back({&rule, &section});
  }
  const Finder finder(policy);
  std::map<RulePlace, CoveringRule> covered;
  for (const auto& [key, rules] : parts) {
    const auto& [name, direction, tier] = key;
    if (rules.size() > kMostRules) continue;
    for (const auto& [index, rule] : rules) {
      if (const auto other = finder.FindCovering(index, rules, tier, Pods::kAny)) {
        covered[{name, direction, index}] = {*other, false};
      } else if (const auto now = finder.FindCovering(index, rules, tier, Pods::kNow)) {
        covered[{name, direction, index}] = {*now, true};
      }
    }
  }
  return covered;
}

}  // namespace sluice
