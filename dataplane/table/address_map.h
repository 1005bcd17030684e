// From an address to its identity: exact hosts first, then the CIDR cell that holds it.
//
// Hosts (pods, node addresses, /32 and /128 blocks) are in a hash of cache-line buckets, divided
// into pages. CIDR cells are in a trie of 16 bits and then 8 bits a level, or of 8 bits from the
// root on if there are few. A map is immutable. The next generation's map is a changed copy,
// which shares every page that it does not touch. So one pod costs one page of a few kilobytes.
#ifndef SLUICE_DATAPLANE_TABLE_ADDRESS_MAP_H_
#define SLUICE_DATAPLANE_TABLE_ADDRESS_MAP_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sluice/address.h"
#include "sluice/resolved_policy.h"
#include "table/simd.h"

namespace sluice {

// In an AddressEntry: several nodes have the address. It is no node's own (NP-70), and no unknown endpoint's either.
inline constexpr NodeId kSeveralNodes = kNoNode - 1;

struct AddressEntry {
  std::uint32_t identity = 0;  // IdentityId; 0: no policy concerns it
  // The node where the pod runs, or whose address it is; below kSeveralNodes, numbered as in Table::node_names.
  NodeId node = kNoNode;

  friend bool operator==(const AddressEntry&, const AddressEntry&) = default;
};

struct Ipv6Key {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  friend bool operator==(const Ipv6Key&, const Ipv6Key&) = default;
};

// The upper half chooses the page, the lower half the line.
inline std::uint64_t HashAddress(std::uint32_t key) {
  const std::uint64_t hash = (key + std::uint64_t{0x9e3779b9}) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}
inline std::uint64_t HashAddress(const Ipv6Key& key) {
  std::uint64_t hash = (key.hi ^ 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
  hash = (hash ^ (hash >> 32) ^ key.lo) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

// A hash from addresses of one family to entries. Copies share pages. Set and Erase replace
// a shared page that they change by a page of the map's own, and then change that one.
template <typename Key>
class HostMap {
 public:
  HostMap();

  // Nothing if the address is not a host. Nearly always probes only one line.
  const AddressEntry* Find(const Key& key, std::uint64_t hash) const;

  // The same in two steps: the line where the lookup begins, to be prefetched, and the entry found there.
  struct Line;
  const Line* LineOf(std::uint64_t hash) const;
  const AddressEntry* FindFrom(const Line* line, const Key& key, std::uint64_t hash) const;

  void Set(const Key& key, AddressEntry entry);
  void Erase(const Key& key);
  // Replaces all hosts. Keys are unique.
  void SetAll(std::span<const std::pair<Key, AddressEntry>> hosts);

  std::size_t size() const { return size_; }
  std::uint64_t MemoryBytes() const;
  template <typename Visit>  // visit(const Key&, const AddressEntry&), in no order
  void ForEach(Visit visit) const;

 private:
  static constexpr std::size_t kSlots = sizeof(Key) == 4 ? 5 : 2;
  static constexpr std::uint32_t kOverflow = std::uint32_t{1} << 31;
  static const Line kEmptyLine;

  struct Page {
    std::shared_ptr<Line[]> lines;
    std::uint32_t mask = 0;  // lines - 1
    std::uint32_t count = 0;
  };
  static constexpr std::size_t kPageHosts = 160;  // pages split in two beyond this

  // The pages that this map made. A copy of a map has made none.
  class OwnPages {
   public:
    OwnPages() = default;
    OwnPages(const OwnPages&) {}
    OwnPages& operator=(const OwnPages& other) {
      if (this != &other) own_.clear();
      return *this;
    }
    bool Has(std::size_t page) const { return page < own_.size() && own_[page]; }
    void Add(std::size_t page) {
      if (page >= own_.size()) own_.resize(page + 1);
      own_[page] = true;
    }

   private:
    std::vector<bool> own_;
  };

  const Page& PageOf(std::uint64_t hash) const { return pages_[(hash >> 32) >> page_shift_]; }
  bool IsOwn(std::size_t index) const { return own_.Has(index) && pages_[index].lines.use_count() == 1; }
  // The line that holds the host, or null; `slot`: the place in that line.
  static Line* FindIn(const Page& page, const Key& key, std::uint64_t hash, std::size_t* slot);
  void Rebuild(std::size_t index, std::span<const std::pair<Key, AddressEntry>> hosts);
  static std::size_t MostHosts(const Page& page);
  static Page MakePage(std::span<const std::pair<Key, AddressEntry>> hosts);
  static bool Insert(const Page& page, const Key& key, AddressEntry entry);
  static std::vector<std::pair<Key, AddressEntry>> Hosts(const Page& page);
  void Split();

  std::vector<Page> pages_;  // a power of two; the hash's upper half chooses one
  OwnPages own_;
  std::uint32_t page_shift_ = 32;
  std::size_t size_ = 0;
};

template <typename Key>
struct alignas(64) HostMap<Key>::Line {
  Key keys[kSlots];
  AddressEntry entries[kSlots];
  std::uint32_t used = 0;  // bit i: slot i holds a host; bit 31: some host went on to the next line

  // Bit i: slot i has this key.
  std::uint32_t Match(const Key& key) const {
    std::uint32_t equal = 0;
#if SLUICE_SIMD
    if constexpr (sizeof(Key) == 4) {  // the three words behind the keys are compared too, and masked out
      return simd::EqualOf8(keys, key) & used & ((1u << kSlots) - 1);
    }
#endif
    for (std::size_t slot = 0; slot < kSlots; ++slot) equal |= std::uint32_t{keys[slot] == key} << slot;
    return equal & used;
  }
};

template <typename Key>
const typename HostMap<Key>::Line HostMap<Key>::kEmptyLine{};

template <typename Key>
const typename HostMap<Key>::Line* HostMap<Key>::LineOf(std::uint64_t hash) const {
  const Page& page = PageOf(hash);
  return page.lines == nullptr ? &kEmptyLine : &page.lines[static_cast<std::uint32_t>(hash) & page.mask];
}

template <typename Key>
const AddressEntry* HostMap<Key>::FindFrom(const Line* line, const Key& key, std::uint64_t hash) const {
  if (const std::uint32_t match = line->Match(key); match != 0) return &line->entries[std::countr_zero(match)];
  return (line->used & kOverflow) == 0 ? nullptr : Find(key, hash);
}

// A run of addresses, including both ends, that have the same identity as external addresses.
struct CidrCell {
  IpAddress first;
  IpAddress last;
  std::uint32_t identity = 0;
};

// The CIDR cells of one family. Immutable.
class CidrTrie {
 public:
  // `cells`: ascending, disjoint, of one family; addresses between them have identity 0.
  static std::shared_ptr<const CidrTrie> Build(std::span<const CidrCell> cells);

  std::uint32_t Lookup(const IpAddress& address) const;
  void Prefetch(const IpAddress& address) const { __builtin_prefetch(&slots_[Top(address)]); }
  std::uint64_t MemoryBytes() const { return slots_.capacity() * sizeof(slots_[0]); }

 private:
  static constexpr std::uint32_t kChild = std::uint32_t{1} << 31;  // bit; without it, the slot is an identity
  // With so few cells, a trie without the large root fits the caches better, though it is one level deeper.
  static constexpr std::size_t kFewCells = 64;

  std::size_t Top(const IpAddress& address) const {
    return address.is_v4() ? address.v4() >> (32 - root_bits_) : address.hi >> (64 - root_bits_);
  }
  std::size_t ChildOf(std::uint32_t value) const {
    return (std::size_t{1} << root_bits_) + std::size_t{value & ~kChild} * 256;
  }
  void Fill(std::size_t node, int bits_below, unsigned __int128 base, unsigned __int128 first, unsigned __int128 last,
            std::uint32_t identity);

  int root_bits_ = 16;                // or 8
  std::vector<std::uint32_t> slots_;  // the root's slots, then 256 for each inner node
};

class AddressMap {
 public:
  static constexpr std::size_t kMaxBurst = 128;

  AddressEntry Lookup(const IpAddress& address) const;
  // Fills out[i] from *addresses[i]. It works stage by stage, so that one address's
  // cache miss hides behind the work on others. At most kMaxBurst addresses.
  void LookupBurst(std::span<const IpAddress* const> addresses, AddressEntry* out) const;
  // The identity of the address's cell, even if the address is a host.
  std::uint32_t LookupCell(const IpAddress& address) const;

  // For changing a map that no reader has seen yet.
  void Set(const IpAddress& address, AddressEntry entry);
  void Erase(const IpAddress& address);
  // Replaces all hosts. Addresses are unique.
  void SetAll(std::span<const std::pair<IpAddress, AddressEntry>> hosts);
  // Replaces all cells: ascending by address, disjoint. A single address must be given as a host instead.
  void SetCells(std::vector<CidrCell> cells);

  std::size_t host_count() const { return v4_.size() + v6_.size(); }
  const std::vector<CidrCell>& cells() const;
  std::uint64_t MemoryBytes() const;
  template <typename Visit>  // visit(const IpAddress&, const AddressEntry&), in no order
  void ForEachHost(Visit visit) const;

 private:
  HostMap<std::uint32_t> v4_;
  HostMap<Ipv6Key> v6_;
  std::shared_ptr<const CidrTrie> v4_cells_;
  std::shared_ptr<const CidrTrie> v6_cells_;
  std::shared_ptr<const std::vector<CidrCell>> cells_;
};

template <typename Key>
template <typename Visit>
void HostMap<Key>::ForEach(Visit visit) const {
  for (const Page& page : pages_) {
    if (page.lines == nullptr) continue;
    for (std::uint32_t line = 0; line <= page.mask; ++line) {
      for (std::size_t slot = 0; slot < kSlots; ++slot) {
        if (page.lines[line].used >> slot & 1) visit(page.lines[line].keys[slot], page.lines[line].entries[slot]);
      }
    }
  }
}

template <typename Visit>
void AddressMap::ForEachHost(Visit visit) const {
  v4_.ForEach([&](std::uint32_t key, const AddressEntry& entry) { visit(IpAddress::V4(key), entry); });
  v6_.ForEach([&](const Ipv6Key& key, const AddressEntry& entry) { visit(IpAddress::V6(key.hi, key.lo), entry); });
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_ADDRESS_MAP_H_
