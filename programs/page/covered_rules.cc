#include "page/covered_rules.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr std::size_t kMostRules = 300;  // of a policy's direction: each is compared with each

// One rule of a section, and whether the section is for all whom the policy selects.
struct Part {
  const Rule* rule;
  const Section* section;
};
using Parts = std::map<std::int32_t, std::vector<Part>>;  // by the rule's index

bool ArePortsWithin(const Rule& rule, const Rule& other) {
  if (other.any_port) return true;
  if (rule.any_port) return false;
  return std::all_of(rule.ports.begin(), rule.ports.end(), [&](const PortRange& range) {
    return std::any_of(other.ports.begin(), other.ports.end(), [&](const PortRange& wide) {
      return wide.protocol == range.protocol && wide.first <= range.first && range.last <= wide.last;
    });
  });
}

bool IsBlockWithin(const CidrBlock& block, const CidrBlock& other) {
  return block == other || (other.excepts.empty() && other.cidr.Contains(block.cidr));
}

class Finder {
 public:
  explicit Finder(const ResolvedPolicy& policy) : policy_(policy), has_pods_(policy.groups.size()) {
    std::set<IdSetId> seen;
    for (const Endpoint& endpoint : policy.endpoints) {
      if (!seen.insert(endpoint.members).second) continue;
      for (const std::uint32_t group : policy.member_sets.ToVector(endpoint.members)) has_pods_[group] = true;
    }
  }

  bool IsCovered(const std::vector<Part>& rule, const std::vector<Part>& by) const {
    return std::all_of(rule.begin(), rule.end(), [&](const Part& part) {
      return std::any_of(by.begin(), by.end(), [&](const Part& other) {
        const bool is_for_all = other.section->isolates && other.section->subjects == part.section->subjects;
        return (other.section == part.section || is_for_all) && ArePortsWithin(*part.rule, *other.rule) &&
               ArePeersWithin(part.rule->peers, other.rule->peers);
      });
    });
  }

 private:
  // Pods come and go: that a group has others' pods alone says nothing. But a group of blocks has no pods of its own.
  bool ArePeersWithin(GroupId peers, GroupId other) const {
    if (other == kAnyPeer || peers == other) return true;
    if (peers == kAnyPeer || has_pods_[peers]) return false;
    const std::vector<CidrBlock>& blocks = policy_.groups[peers].blocks;
    return !blocks.empty() && std::all_of(blocks.begin(), blocks.end(), [&](const CidrBlock& block) {
      const std::vector<CidrBlock>& wide = policy_.groups[other].blocks;
      return std::any_of(wide.begin(), wide.end(), [&](const CidrBlock& one) { return IsBlockWithin(block, one); });
    });
  }

  const ResolvedPolicy& policy_;
  std::vector<bool> has_pods_;  // by group
};

}  // namespace

std::map<RulePlace, std::int32_t> CoveredRules(const ResolvedPolicy& policy) {
  std::map<std::tuple<std::string, Direction, Tier>, Parts> parts;
  for (const Section& section : policy.sections) {
    Parts& own = parts[{section.policy, section.direction, section.tier}];
    for (const Rule& rule : section.rules) own[rule.index].push_back({&rule, &section});
  }
  const Finder finder(policy);
  std::map<RulePlace, std::int32_t> covered;
  for (const auto& [key, rules] : parts) {
    const auto& [name, direction, tier] = key;
    if (rules.size() > kMostRules) continue;
    for (const auto& [index, rule] : rules) {
      for (const auto& [other, by] : rules) {
        const bool is_later = other > index;
        if (other == index || (is_later && tier != Tier::kNetworkPolicy) || !finder.IsCovered(rule, by)) continue;
        if (is_later && finder.IsCovered(by, rule)) continue;  // they say the same: the other one is covered
        covered[{name, direction, index}] = other;
        break;
      }
    }
  }
  return covered;
}

}  // namespace sluice
