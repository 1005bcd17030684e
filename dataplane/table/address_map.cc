#include "table/address_map.h"

#include <algorithm>
#include <array>

namespace sluice {

std::uint32_t AddressMap::LookupCell(const IpAddress& address) const {
  const CidrTrie* cells = address.is_v4() ? v4_cells_.get() : v6_cells_.get();
  return cells == nullptr ? 0 : cells->Lookup(address);
}

AddressEntry AddressMap::Lookup(const IpAddress& address) const {
  const Ipv6Key key{address.hi, address.lo};
  const AddressEntry* host =
      address.is_v4() ? v4_.Find(address.v4(), HashAddress(address.v4())) : v6_.Find(key, HashAddress(key));
  return host != nullptr ? *host : AddressEntry{LookupCell(address), kNoNode};
}

void AddressMap::LookupBurst(std::span<const IpAddress* const> addresses, AddressEntry* out) const {
  std::array<std::uint64_t, kMaxBurst> hashes;
  std::array<const void*, kMaxBurst> lines;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const IpAddress& address = *addresses[i];
    if (address.is_v4()) {
      hashes[i] = HashAddress(address.v4());
      lines[i] = v4_.LineOf(hashes[i]);
    } else {
      hashes[i] = HashAddress(Ipv6Key{address.hi, address.lo});
      lines[i] = v6_.LineOf(hashes[i]);
    }
    __builtin_prefetch(lines[i]);
  }
  std::array<std::uint8_t, kMaxBurst> missed;
  std::size_t missed_count = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const IpAddress& address = *addresses[i];
    const AddressEntry* host =
        address.is_v4()
            ? v4_.FindFrom(static_cast<const HostMap<std::uint32_t>::Line*>(lines[i]), address.v4(), hashes[i])
            : v6_.FindFrom(static_cast<const HostMap<Ipv6Key>::Line*>(lines[i]), {address.hi, address.lo}, hashes[i]);
    if (host != nullptr) {
      out[i] = *host;
      continue;
    }
    missed[missed_count++] = static_cast<std::uint8_t>(i);
    const CidrTrie* cells = address.is_v4() ? v4_cells_.get() : v6_cells_.get();
    if (cells != nullptr) cells->Prefetch(address);
  }
  for (std::size_t i = 0; i < missed_count; ++i) out[missed[i]] = {LookupCell(*addresses[missed[i]]), kNoNode};
}

void AddressMap::Set(const IpAddress& address, AddressEntry entry) {
  if (address.is_v4()) {
    v4_.Set(address.v4(), entry);
  } else {
    v6_.Set({address.hi, address.lo}, entry);
  }
}

void AddressMap::Erase(const IpAddress& address) {
  if (address.is_v4()) {
    v4_.Erase(address.v4());
  } else {
    v6_.Erase({address.hi, address.lo});
  }
}

void AddressMap::SetAll(std::span<const std::pair<IpAddress, AddressEntry>> hosts) {
  std::vector<std::pair<std::uint32_t, AddressEntry>> v4;
  std::vector<std::pair<Ipv6Key, AddressEntry>> v6;
  for (const auto& [address, entry] : hosts) {
    if (address.is_v4()) {
      v4.emplace_back(address.v4(), entry);
    } else {
      v6.emplace_back(Ipv6Key{address.hi, address.lo}, entry);
    }
  }
  v4_.SetAll(v4);
  v6_.SetAll(v6);
}

void AddressMap::SetCells(std::vector<CidrCell> cells) {
  const auto v6_begin = std::find_if(cells.begin(), cells.end(), [](const CidrCell& c) { return !c.first.is_v4(); });
  const auto v4_count = static_cast<std::size_t>(v6_begin - cells.begin());
  v4_cells_ = CidrTrie::Build(std::span(cells).first(v4_count));
  v6_cells_ = CidrTrie::Build(std::span(cells).subspan(v4_count));
  cells_ = std::make_shared<const std::vector<CidrCell>>(std::move(cells));
}

const std::vector<CidrCell>& AddressMap::cells() const {
  static const std::vector<CidrCell> kNone;
  return cells_ == nullptr ? kNone : *cells_;
}

std::uint64_t AddressMap::MemoryBytes() const {
  std::uint64_t bytes = v4_.MemoryBytes() + v6_.MemoryBytes();
  if (v4_cells_ != nullptr) bytes += v4_cells_->MemoryBytes();
  if (v6_cells_ != nullptr) bytes += v6_cells_->MemoryBytes();
  if (cells_ != nullptr) bytes += cells_->capacity() * sizeof(CidrCell);
  return bytes;
}

}  // namespace sluice
