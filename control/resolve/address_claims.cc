#include "resolve/address_claims.h"

#include <algorithm>

namespace sluice {

void AddressClaims::Add(const IpAddress& address, std::uint32_t pod) {
  if (IsClaimed(address)) contested_.insert(address);
  claims_.emplace(address, pod);
}

void AddressClaims::Remove(const IpAddress& address, std::uint32_t pod) {
  const auto [first, last] = claims_.equal_range(address);
  claims_.erase(std::find_if(first, last, [pod](const auto& claim) { return claim.second == pod; }));
  if (!contested_.empty() && claims_.count(address) < 2) contested_.erase(address);
}

std::vector<std::uint32_t> AddressClaims::Claimants(const IpAddress& address) const {
  const auto [first, last] = claims_.equal_range(address);
  std::vector<std::uint32_t> pods;
  for (auto claim = first; claim != last; ++claim) pods.push_back(claim->second);
  return pods;
}

}  // namespace sluice
