// Whose address is whose: what a pod's interface may have as a source. One thread; pure.
//
// An interface's addresses are those that its end in the pod is seen to have while the network plugin sets it up: until
// two seconds after the first one that is not link-local. What a pod gives itself later is not its own, nor is an
// address of the node's or of another pod's interface.
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
  static constexpr std::chrono::seconds kPatience{30};  // with an interface that gets no address

  void SetNodeAddresses(std::set<IpAddress> addresses) { node_ = std::move(addresses); }

  // An address from before this process: its interface's are all known.
  void Restore(std::uint32_t index, const IpAddress& address);

  // Whether addresses of that interface are still to be observed.
  bool IsOpen(std::uint32_t index, Time now) const;

  // The kinds of addresses that the interface has none of yet, as SLUICE_AWAITS_ (hook/layout.h).
  std::uint8_t AwaitedOf(std::uint32_t index, Time now) const;

  // What an interface is seen to have. Those that are its own from now on, and were not before; what is refused, as a
  // sentence, once.
  struct Change {
    std::vector<IpAddress> added;
    std::vector<std::string> refused;
  };
  Change Observe(std::uint32_t index, const std::vector<IpAddress>& addresses, Time now);

  // The interface is gone; what it had.
  std::vector<IpAddress> Forget(std::uint32_t index);

  // Interfaces that have addresses, or were observed.
  std::vector<std::uint32_t> Interfaces() const;

  // Whether addresses may come any moment: interfaces should be looked at often.
  bool Awaits(Time now) const;

 private:
  struct Entry {
    std::set<IpAddress> own;
    std::set<IpAddress> refused;
    std::optional<Time> opened;
    std::optional<Time> closes;  // nothing: no address but link-local ones yet
  };

  std::set<IpAddress> node_;
  std::map<std::uint32_t, Entry> entries_;
  std::map<IpAddress, std::uint32_t> owners_;  // link-local ones are in none: each link has its own
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_ADDRESS_BOOK_H_
