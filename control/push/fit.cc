#include "push/fit.h"

#include <string>
#include <utility>
#include <vector>

#include "codec/codec.h"

namespace sluice {
namespace {

// The pod's named ports are already resolved; they and its labels are only shown.
void ShortenEndpoints(ResolvedPolicy* policy, std::size_t most_bytes) {
  const std::size_t most_shown = most_bytes / 4;
  for (Endpoint& endpoint : policy->endpoints) {
    if (endpoint.labels.size() > most_shown) endpoint.labels = "(too many labels to show)";
    std::size_t ports = 0;
    for (const NamedPort& port : endpoint.ports) ports += port.name.size() + 32;
    if (ports > most_shown) endpoint.ports.clear();
  }
}

// Empties each unused group that gets shorter by it. False: there is no such group.
bool EmptyUnusedGroups(ResolvedPolicy* policy) {
  std::vector<bool> used(policy->groups.size());
  const auto note = [&used](const Section& section) {
    used[section.subjects] = true;
    for (const Rule& rule : section.rules) {
      if (rule.peers != kAnyPeer) used[rule.peers] = true;
    }
  };
  for (const Section& section : policy->sections) note(section);
  for (const auto& [name, sections] : policy->staged) {
    for (const Section& section : sections) note(section);
  }
  bool emptied = false;
  for (GroupId id = 0; id < used.size(); ++id) {
    Group& group = policy->groups[id];
    std::string key = "unused " + std::to_string(id);
    if (used[id] || group.key.empty() || (group.blocks.empty() && group.key.size() <= key.size())) continue;
    group = {std::move(key), {}};
    emptied = true;
  }
  return emptied;
}

}  // namespace

Fitting Fit(ResolvedPolicy* policy, HeldPolicies* held, std::size_t most_bytes) {
  Fitting fitting;
  held->ForgetAllBut(*policy);
  held->Strip(policy);
  ShortenEndpoints(policy, most_bytes);
  while (auto too_large = FindTooLarge(*policy, most_bytes)) {
    if (held->Hold(*too_large)) {
      held->Strip(policy);
      fitting.held.push_back(*std::move(too_large));
    } else if (EmptyUnusedGroups(policy)) {
      fitting.emptied = true;
    } else {
      fitting.refused = std::move(too_large);
      break;
    }
  }
  return fitting;
}

}  // namespace sluice
