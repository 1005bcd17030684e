#include "sluicectl/overlay.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "codec/codec.h"

namespace sluice {
namespace {

std::string NameOf(const Endpoint& endpoint) { return endpoint.namespace_name + '/' + endpoint.name; }

// Maps the groups of one policy to their numbers in another, and adds groups that the other lacks.
class GroupNumbers {
 public:
  GroupNumbers(const ResolvedPolicy& live, const ResolvedPolicy& added, PolicyUpdate* update)
      : added_(added), update_(*update), next_(static_cast<GroupId>(live.groups.size())) {
    for (GroupId id = 0; id < live.groups.size(); ++id) {
      if (!live.groups[id].key.empty()) known_.emplace(live.groups[id].key, id);
    }
    for (EndpointId id = 0; id < live.endpoints.size(); ++id) {
      if (!live.endpoints[id].name.empty()) endpoints_.emplace(NameOf(live.endpoints[id]), id);
    }
  }

  GroupId Of(GroupId group) {
    const Group& wanted = added_.groups[group];
    const auto [place, is_new] = known_.try_emplace(wanted.key, next_);
    if (!is_new) return place->second;
    GroupUpdate& update = update_.groups.emplace_back();
    update.id = next_++;
    update.group = wanted;
    for (const Endpoint& endpoint : added_.endpoints) {
      if (!added_.member_sets.Contains(endpoint.members, group)) continue;
      const auto found = endpoints_.find(NameOf(endpoint));
      if (found != endpoints_.end()) update.members.push_back(found->second);
    }
    std::sort(update.members.begin(), update.members.end());
    return update.id;
  }

 private:
  const ResolvedPolicy& added_;
  PolicyUpdate& update_;
  GroupId next_;
  std::unordered_map<std::string, GroupId> known_;
  std::unordered_map<std::string, EndpointId> endpoints_;
};

}  // namespace

PolicyUpdate OverlayOf(const ResolvedPolicy& live, const ResolvedPolicy& added) {
  PolicyUpdate update;
  GroupNumbers numbers(live, added, &update);
  for (Section section : added.sections) {
    section.subjects = numbers.Of(section.subjects);
    for (Rule& rule : section.rules) {
      if (rule.peers != kAnyPeer) rule.peers = numbers.Of(rule.peers);
    }
    if (update.sections.empty() || update.sections.back().policy != section.policy) {
      update.sections.push_back({section.policy, {}});
    }
    update.sections.back().sections.push_back(std::move(section));
  }
  return update;
}

ResolvedPolicy CopyOf(const ResolvedPolicy& policy) {
  constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  FullStateDecoder decoder;
  EncodeFullState(policy, 1, 1, kChunkBytes, [&](const v1::FullStateChunk& chunk) { return !decoder.Add(chunk); });
  return decoder.Take();
}

}  // namespace sluice
