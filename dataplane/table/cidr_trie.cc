#include <algorithm>

#include "table/address_map.h"

namespace sluice {
namespace {

unsigned __int128 Value(const IpAddress& address) {
  return address.is_v4() ? address.v4() : static_cast<unsigned __int128>(address.hi) << 64 | address.lo;
}

}  // namespace

std::shared_ptr<const CidrTrie> CidrTrie::Build(std::span<const CidrCell> cells) {
  if (cells.empty()) return nullptr;
  auto trie = std::make_shared<CidrTrie>();
  if (cells.size() <= kFewCells) trie->root_bits_ = 8;
  trie->slots_.resize(std::size_t{1} << trie->root_bits_);
  const int bits_below_root = AddressBits(cells.front().first.family) - trie->root_bits_;
  for (const CidrCell& cell : cells) {
    trie->Fill(0, bits_below_root, 0, Value(cell.first), Value(cell.last), cell.identity);
  }
  trie->slots_.shrink_to_fit();
  return trie;
}

// Writes `identity` on [first, last] below `node`. Each of its slots stands for 2^bits_below addresses, from `base` on.
void CidrTrie::Fill(std::size_t node, int bits_below, unsigned __int128 base, unsigned __int128 first,
                    unsigned __int128 last, std::uint32_t identity) {
  const auto first_slot = static_cast<std::size_t>((first - base) >> bits_below);
  const auto last_slot = static_cast<std::size_t>((last - base) >> bits_below);
  const unsigned __int128 span_mask = (static_cast<unsigned __int128>(1) << bits_below) - 1;
  for (std::size_t slot = first_slot; slot <= last_slot; ++slot) {
    const unsigned __int128 slot_first = base + (static_cast<unsigned __int128>(slot) << bits_below);
    const unsigned __int128 slot_last = slot_first | span_mask;
    if (first <= slot_first && slot_last <= last) {
      slots_[node + slot] = identity;
      continue;
    }
    std::uint32_t value = slots_[node + slot];
    if ((value & kChild) == 0) {
      const std::uint32_t inherited = value;
      value = kChild | static_cast<std::uint32_t>((slots_.size() - (std::size_t{1} << root_bits_)) / 256);
      slots_[node + slot] = value;
      slots_.resize(slots_.size() + 256, inherited);
    }
    Fill(ChildOf(value), bits_below - 8, slot_first, std::max(first, slot_first), std::min(last, slot_last), identity);
  }
}

std::uint32_t CidrTrie::Lookup(const IpAddress& address) const {
  std::uint32_t value = slots_[Top(address)];
  if (address.is_v4()) {
    for (int shift = 24 - root_bits_; (value & kChild) != 0; shift -= 8) {
      value = slots_[ChildOf(value) + (address.v4() >> shift & 0xff)];
    }
    return value;
  }
  for (int bit = root_bits_; (value & kChild) != 0; bit += 8) {
    const std::uint64_t half = bit < 64 ? address.hi : address.lo;
    value = slots_[ChildOf(value) + (half >> (56 - bit % 64) & 0xff)];
  }
  return value;
}

}  // namespace sluice
