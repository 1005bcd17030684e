#include "hook/address_book.h"

#include <algorithm>

#include "hook/layout.h"

namespace sluice {
namespace {

// RFC 4291 2.5.6, RFC 3927
bool IsLinkLocal(const IpAddress& address) {
  return address.is_v4() ? address.v4() >> 16 == 0xa9fe : address.hi >> 54 == 0xfe80 >> 6;
}

std::uint8_t AwaitedKindOf(const IpAddress& address) {
  if (address.is_v4()) return SLUICE_AWAITS_IPV4;
  return IsLinkLocal(address) ? SLUICE_AWAITS_LINK_LOCAL : SLUICE_AWAITS_IPV6;
}

}  // namespace

void AddressBook::Restore(std::uint32_t index, const IpAddress& address) {
  Entry& entry = entries_[index];
  entry.own.insert(address);
  if (!IsLinkLocal(address)) {
    entry.closes = Time::min();
    owners_.emplace(address, index);
  }
}

bool AddressBook::IsOpen(std::uint32_t index, Time now) const {
  const auto found = entries_.find(index);
  return found == entries_.end() || !found->second.closes || now < *found->second.closes;
}

std::uint8_t AddressBook::AwaitedOf(std::uint32_t index, Time now) const {
  if (!IsOpen(index, now)) return 0;
  std::uint8_t kinds = SLUICE_AWAITS_IPV4 | SLUICE_AWAITS_IPV6 | SLUICE_AWAITS_LINK_LOCAL;
  const auto found = entries_.find(index);
  if (found == entries_.end()) return kinds;
  for (const IpAddress& address : found->second.own) kinds &= static_cast<std::uint8_t>(~AwaitedKindOf(address));
  return kinds;
}

AddressBook::Change AddressBook::Observe(std::uint32_t index, const std::vector<IpAddress>& addresses, Time now) {
  Change change;
  if (!IsOpen(index, now)) return change;
  Entry& entry = entries_[index];
  if (!entry.opened) entry.opened = now;
  for (const IpAddress& address : addresses) {
    if (entry.own.contains(address)) continue;
    const auto owner = owners_.find(address);
    const bool is_taken = !IsLinkLocal(address) && owner != owners_.end() && owner->second != index;
    if (is_taken || node_.contains(address)) {
      if (entry.refused.insert(address).second) {
        change.refused.push_back(address.ToString() + (is_taken ? " is another pod's" : " is the node's own") +
                                 "; what it sends from there is dropped");
      }
      continue;
    }
    entry.own.insert(address);
    change.added.push_back(address);
    if (IsLinkLocal(address)) continue;
    owners_.emplace(address, index);
    if (!entry.closes) entry.closes = now + kSetUp;
  }
  return change;
}

std::vector<IpAddress> AddressBook::Forget(std::uint32_t index) {
  const auto found = entries_.find(index);
  if (found == entries_.end()) return {};
  std::vector<IpAddress> addresses(found->second.own.begin(), found->second.own.end());
  for (const IpAddress& address : addresses) {
    const auto owner = owners_.find(address);
    if (owner != owners_.end() && owner->second == index) owners_.erase(owner);
  }
  entries_.erase(found);
  return addresses;
}

bool AddressBook::Awaits(Time now) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.closes ? now < *entry.closes : entry.opened && now < *entry.opened + kPatience;
  });
}

std::vector<std::uint32_t> AddressBook::Interfaces() const {
  std::vector<std::uint32_t> interfaces;
  for (const auto& [index, entry] : entries_) interfaces.push_back(index);
  return interfaces;
}

}  // namespace sluice
