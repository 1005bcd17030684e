// The owners of addresses: which source addresses a pod's interface may use. Used by one thread; pure.
//
// An interface owns the addresses that its end in the pod has while the network plugin sets it up: until two seconds
// after the first address that is not link-local. It does not own what a pod adds later, nor an address of the node or
// of another pod's interface.
#ifndef SLUICE_NODE_HOOK_ADDRESS_BOOK_H_
#define SLUICE_NODE_HOOK_ADDRESS_BOOK_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sluice/address.h"

namespace sluice {

class AddressBook {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::seconds kSetUp{2};
  static constexpr std::chrono::seconds kPatience{30};  // with an interface without address

  void SetNodeAddresses(std::set<IpAddress> addresses) { node_ = std::move(addresses); }

  // Adds an address from before this process. All addresses of its interface are known.
  void Restore(std::uint32_t index, const IpAddress& address);

  // Whether addresses of that interface are still to be observed.
  bool IsOpen(std::uint32_t index, Time now) const;

  // The kinds of addresses that the interface still lacks, as SLUICE_AWAITS_ (hook/layout.h).
  std::uint8_t AwaitedOf(std::uint32_t index, Time now) const;

  // Tells the addresses that an interface has now. Returns those that it newly owns, and a sentence for each refusal,
  // once.
  struct Change {
    std::vector<IpAddress> added;
    std::vector<std::string> refused;
  };
  Change Observe(std::uint32_t index, const std::vector<IpAddress>& addresses, Time now);

  // Forgets an interface that is gone. Returns its addresses.
  std::vector<IpAddress> Forget(std::uint32_t index);

  // Interfaces that own addresses, or were observed.
  std::vector<std::uint32_t> Interfaces() const;

  // Whether addresses may come at any moment. Then interfaces should be looked at often.
  bool Awaits(Time now) const;

 private:
  struct Entry {
    std::set<IpAddress> own;
    std::set<IpAddress> refused;
    std::optional<Time> opened;
    std::optional<Time> closes;  // nothing: only link-local addresses so far
  };

  std::set<IpAddress> node_;
  std::map<std::uint32_t, Entry> entries_;
  std::map<IpAddress, std::uint32_t> owners_;  // without link-local addresses: each link has its own
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_ADDRESS_BOOK_H_
