#include "sluice/unanswered.h"

#include <algorithm>

namespace sluice {

GroupSizes::GroupSizes(const ResolvedPolicy& policy) : sizes_(policy.groups.size()) {
  std::vector<std::uint64_t> endpoints(policy.member_sets.SetCount());  // by member set, which many share
  for (const Endpoint& endpoint : policy.endpoints) {
    if (!endpoint.name.empty()) ++endpoints[endpoint.members];
  }
  for (IdSetId set = 0; set < endpoints.size(); ++set) {
    if (endpoints[set] == 0) continue;
    policy.member_sets.ForEach(set, [&](GroupId group) {
      if (group < sizes_.size()) sizes_[group] += endpoints[set];
    });
  }
}

std::vector<Unanswered> FindUnanswered(std::span<const Section> sections, const ResolvedPolicy& policy,
                                       const GroupSizes& sizes) {
  std::vector<Unanswered> found;
  const auto selects = [&](const Section& section) {
    return sizes.Of(section.subjects) > 0 || !policy.groups[section.subjects].blocks.empty();
  };
  if (std::none_of(sections.begin(), sections.end(), selects)) return {{"", "selects no pod"}};
  const auto add = [&](const Section& section, const Rule& rule, const char* text) {
    Unanswered one{std::string(Name(section.direction)) + '[' + std::to_string(rule.index) + ']', text};
    if (std::find(found.begin(), found.end(), one) == found.end()) found.push_back(std::move(one));
  };
  for (const Section& section : sections) {
    for (const Rule& rule : section.rules) {
      if (!rule.any_port && rule.ports.empty()) {
        add(section, rule, "names a port that none of the pods has on which it is looked up");
      } else if (rule.peers != kAnyPeer && sizes.Of(rule.peers) == 0 && policy.groups[rule.peers].blocks.empty()) {
        add(section, rule, "has peers that no pod is");
      }
    }
  }
  return found;
}

}  // namespace sluice
