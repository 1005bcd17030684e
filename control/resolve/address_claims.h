// Which pod holds an address that several pods may claim (NP-83).
#ifndef SLUICE_CONTROL_RESOLVE_ADDRESS_CLAIMS_H_
#define SLUICE_CONTROL_RESOLVE_ADDRESS_CLAIMS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "sluice/address.h"

namespace sluice {

class AddressClaims {
 public:
  // Makes room for this many more addresses.
  void Reserve(std::size_t addresses);

  void Add(const IpAddress& address, std::uint32_t pod);
  // Requires that the pod claims it.
  void Remove(const IpAddress& address, std::uint32_t pod);

  bool IsClaimed(const IpAddress& address) const { return !Claimants(address).empty(); }
  // The pods that claim the address, in no order. Valid until the next change.
  std::span<const std::uint32_t> Claimants(const IpAddress& address) const;
  // Addresses that more than one pod claims, with these pods.
  const std::map<IpAddress, std::vector<std::uint32_t>>& contested() const { return contested_; }

 private:
  static constexpr std::uint32_t kFree = 0xffffffff;
  struct Slot {
    IpAddress address;
    std::uint32_t pod = kFree;  // if the address is contested: any of its pods
  };

  // Finds the slot where the address is, or where it would go. Requires a free slot.
  std::size_t Locate(const IpAddress& address) const;
  void Resize(std::size_t slots);

  // Open addressing with linear probing, at most half full: an address needs no allocation of its own.
  std::vector<Slot> slots_;  // a power of two, or none
  std::size_t used_ = 0;
  std::map<IpAddress, std::vector<std::uint32_t>> contested_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_ADDRESS_CLAIMS_H_
