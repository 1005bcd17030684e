// Which pod holds an address that several pods may claim (NP-83).
#ifndef SLUICE_CONTROL_RESOLVE_ADDRESS_CLAIMS_H_
#define SLUICE_CONTROL_RESOLVE_ADDRESS_CLAIMS_H_

#include <cstdint>
#include <set>
#include <unordered_map>
#include <vector>

#include "sluice/address.h"

namespace sluice {

class AddressClaims {
 public:
  void Add(const IpAddress& address, std::uint32_t pod);
  // Requires that the pod claims it.
  void Remove(const IpAddress& address, std::uint32_t pod);

  bool IsClaimed(const IpAddress& address) const { return claims_.contains(address); }
  std::vector<std::uint32_t> Claimants(const IpAddress& address) const;
  // Addresses that more than one pod claims, ascending.
  const std::set<IpAddress>& contested() const { return contested_; }

 private:
  std::unordered_multimap<IpAddress, std::uint32_t> claims_;
  std::set<IpAddress> contested_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_ADDRESS_CLAIMS_H_
