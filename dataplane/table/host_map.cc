#include <algorithm>
#include <bit>
#include <utility>

#include "table/address_map.h"

namespace sluice {

template <typename Key>
HostMap<Key>::HostMap() : pages_(1) {}

template <typename Key>
auto HostMap<Key>::FindIn(const Page& page, const Key& key, std::uint64_t hash, std::size_t* slot) -> Line* {
  if (page.lines == nullptr) return nullptr;
  for (std::uint32_t at = static_cast<std::uint32_t>(hash) & page.mask;; at = (at + 1) & page.mask) {
    Line& line = page.lines[at];
    if (const std::uint32_t match = line.Match(key); match != 0) {
      *slot = static_cast<std::size_t>(std::countr_zero(match));
      return &line;
    }
    if ((line.used & kOverflow) == 0) return nullptr;
  }
}

template <typename Key>
const AddressEntry* HostMap<Key>::Find(const Key& key, std::uint64_t hash) const {
  std::size_t slot = 0;
  const Line* line = FindIn(PageOf(hash), key, hash, &slot);
  return line == nullptr ? nullptr : &line->entries[slot];
}

template <typename Key>
bool HostMap<Key>::Insert(const Page& page, const Key& key, AddressEntry entry) {
  std::uint32_t at = static_cast<std::uint32_t>(HashAddress(key)) & page.mask;
  for (std::uint32_t step = 0; step <= page.mask; ++step, at = (at + 1) & page.mask) {
    Line& line = page.lines[at];
    const auto slot = static_cast<std::size_t>(std::countr_one(line.used & ~kOverflow));
    if (slot < kSlots) {
      line.keys[slot] = key;
      line.entries[slot] = entry;
      line.used |= std::uint32_t{1} << slot;
      return true;
    }
    line.used |= kOverflow;
  }
  return false;
}

// At most 60% of the slots are used: then nine lookups in ten end in their first line.
template <typename Key>
std::size_t HostMap<Key>::MostHosts(const Page& page) {
  return (std::size_t{page.mask} + 1) * 6 * kSlots / 10;
}

template <typename Key>
auto HostMap<Key>::MakePage(std::span<const std::pair<Key, AddressEntry>> hosts) -> Page {
  if (hosts.empty()) return {};
  const auto lines = static_cast<std::uint32_t>(std::bit_ceil(hosts.size() * 10 / (6 * kSlots) + 1));
  Page page;
  page.lines = std::shared_ptr<Line[]>(new Line[lines]());
  page.mask = lines - 1;
  page.count = static_cast<std::uint32_t>(hosts.size());
  for (const auto& [key, entry] : hosts) Insert(page, key, entry);
  return page;
}

template <typename Key>
std::vector<std::pair<Key, AddressEntry>> HostMap<Key>::Hosts(const Page& page) {
  std::vector<std::pair<Key, AddressEntry>> hosts;
  if (page.lines == nullptr) return hosts;
  hosts.reserve(page.count + 1);
  for (std::uint32_t at = 0; at <= page.mask; ++at) {
    const Line& line = page.lines[at];
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      if (line.used >> slot & 1) hosts.emplace_back(line.keys[slot], line.entries[slot]);
    }
  }
  return hosts;
}

template <typename Key>
void HostMap<Key>::Rebuild(std::size_t index, std::span<const std::pair<Key, AddressEntry>> hosts) {
  pages_[index] = MakePage(hosts);
  own_.Add(index);
}

template <typename Key>
void HostMap<Key>::Set(const Key& key, AddressEntry entry) {
  const std::uint64_t hash = HashAddress(key);
  const std::size_t index = (hash >> 32) >> page_shift_;
  Page& page = pages_[index];
  std::size_t slot = 0;
  if (Line* line = FindIn(page, key, hash, &slot)) {
    if (line->entries[slot] == entry) return;
    if (!IsOwn(index)) {
      const std::ptrdiff_t at = line - page.lines.get();
      const std::size_t count = std::size_t{page.mask} + 1;
      std::shared_ptr<Line[]> copy(new Line[count]);
      std::copy_n(page.lines.get(), count, copy.get());
      page.lines = std::move(copy);
      own_.Add(index);
      line = &page.lines[at];
    }
    line->entries[slot] = entry;
    return;
  }
  ++size_;
  if (IsOwn(index) && std::size_t{page.count} + 1 <= MostHosts(page) && Insert(page, key, entry)) {
    ++page.count;
  } else {
    auto hosts = Hosts(page);
    hosts.emplace_back(key, entry);
    Rebuild(index, hosts);
  }
  if (size_ > pages_.size() * kPageHosts) Split();
}

template <typename Key>
void HostMap<Key>::Erase(const Key& key) {
  const std::uint64_t hash = HashAddress(key);
  const std::size_t index = (hash >> 32) >> page_shift_;
  std::size_t slot = 0;
  if (FindIn(pages_[index], key, hash, &slot) == nullptr) return;
  auto hosts = Hosts(pages_[index]);
  std::erase_if(hosts, [&](const auto& host) { return host.first == key; });
  --size_;
  Rebuild(index, hosts);
}

template <typename Key>
void HostMap<Key>::SetAll(std::span<const std::pair<Key, AddressEntry>> hosts) {
  page_shift_ = 32;
  std::size_t page_count = 1;
  for (; page_count * kPageHosts < hosts.size(); page_count *= 2) --page_shift_;
  std::vector<std::vector<std::pair<Key, AddressEntry>>> by_page(page_count);
  for (const auto& host : hosts) by_page[(HashAddress(host.first) >> 32) >> page_shift_].push_back(host);
  pages_.clear();
  for (const auto& page_hosts : by_page) pages_.push_back(MakePage(page_hosts));
  size_ = hosts.size();
}

template <typename Key>
void HostMap<Key>::Split() {
  std::vector<std::pair<Key, AddressEntry>> all;
  all.reserve(size_);
  ForEach([&](const Key& key, const AddressEntry& entry) { all.emplace_back(key, entry); });
  SetAll(all);
}

template <typename Key>
std::uint64_t HostMap<Key>::MemoryBytes() const {
  std::uint64_t bytes = pages_.capacity() * sizeof(Page);
  for (const Page& page : pages_) {
    if (page.lines != nullptr) bytes += (std::uint64_t{page.mask} + 1) * sizeof(Line);
  }
  return bytes;
}

template class HostMap<std::uint32_t>;
template class HostMap<Ipv6Key>;

}  // namespace sluice
