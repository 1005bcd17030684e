#include "store/policy_index.h"

#include <string_view>
#include <unordered_set>
#include <vector>

namespace sluice {
namespace {

template <typename Sections>
std::size_t CountPolicies(const Sections& sections) {
  std::unordered_set<std::string_view> names;
  for (const Section& section : sections) names.insert(section.policy);
  return names.size();
}

}  // namespace

PolicyIndex::PolicyIndex(const ResolvedPolicy& policy) : policy_count_(CountPolicies(policy.sections)) {
  owners_.reserve(policy.endpoints.size());
  for (EndpointId id = 0; id < policy.endpoints.size(); ++id) {
    const Endpoint& endpoint = policy.endpoints[id];
    if (!endpoint.name.empty()) ++endpoint_count_;
    for (const IpAddress& address : endpoint.addresses) owners_[address] = id;
  }
}

void PolicyIndex::Follow(const ResolvedPolicy& policy, const PolicyChange& change) {
  for (const auto& [id, endpoint] : change.endpoints_left) {
    if (!endpoint.name.empty()) --endpoint_count_;
    for (const IpAddress& address : endpoint.addresses) owners_.erase(address);
  }
  for (const EndpointId id : change.endpoints_came) {
    ++endpoint_count_;
    for (const IpAddress& address : policy.endpoints[id].addresses) owners_[address] = id;
  }
  policy_count_ += CountPolicies(change.sections_came);
  policy_count_ -= CountPolicies(change.sections_left);
}

std::optional<EndpointId> PolicyIndex::OwnerOf(const IpAddress& address) const {
  const auto owner = owners_.find(address);
  return owner == owners_.end() ? std::nullopt : std::optional(owner->second);
}

}  // namespace sluice
