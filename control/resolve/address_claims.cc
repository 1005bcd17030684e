#include "resolve/address_claims.h"

#include <bit>
#include <utility>

namespace sluice {

std::size_t AddressClaims::Locate(const IpAddress& address) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<IpAddress>()(address) & mask;
  while (slots_[slot].pod != kFree && slots_[slot].address != address) slot = (slot + 1) & mask;
  return slot;
}

void AddressClaims::Resize(std::size_t slots) {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  for (const Slot& slot : old) {
    if (slot.pod != kFree) slots_[Locate(slot.address)] = slot;
  }
}

void AddressClaims::Reserve(std::size_t addresses) {
  const std::size_t slots = std::bit_ceil(2 * (used_ + addresses));
  if (slots > slots_.size()) Resize(slots);
}

void AddressClaims::Add(const IpAddress& address, std::uint32_t pod) {
  Reserve(1);
  Slot& slot = slots_[Locate(address)];
  if (slot.pod == kFree) {
    slot = {address, pod};
    ++used_;
    return;
  }
  std::vector<std::uint32_t>& pods = contested_[address];
  if (pods.empty()) pods.push_back(slot.pod);
  pods.push_back(pod);
}

void AddressClaims::Remove(const IpAddress& address, std::uint32_t pod) {
  std::size_t hole = Locate(address);
  if (const auto rivals = contested_.find(address); rivals != contested_.end()) {
    std::erase(rivals->second, pod);
    slots_[hole].pod = rivals->second.front();
    if (rivals->second.size() == 1) contested_.erase(rivals);
    return;
  }
  // Entries that a probe would no longer reach across the hole move into the hole.
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t next = (hole + 1) & mask; slots_[next].pod != kFree; next = (next + 1) & mask) {
    const std::size_t home = std::hash<IpAddress>()(slots_[next].address) & mask;
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = {};
  --used_;
}

std::span<const std::uint32_t> AddressClaims::Claimants(const IpAddress& address) const {
  if (slots_.empty()) return {};
  if (const auto rivals = contested_.find(address); rivals != contested_.end()) return rivals->second;
  const Slot& slot = slots_[Locate(address)];
  if (slot.pod == kFree) return {};
  return {&slot.pod, 1};
}

}  // namespace sluice
