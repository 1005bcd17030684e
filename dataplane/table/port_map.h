// From protocol and destination port to a port class: the set of port sets that hold
// them. There is one map for the rules of sections, and another for the rules of bundles.
#ifndef SLUICE_DATAPLANE_TABLE_PORT_MAP_H_
#define SLUICE_DATAPLANE_TABLE_PORT_MAP_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sluice/id_set.h"
#include "sluice/protocol.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Each port set's id with its ranges.
using PortSets = std::span<const std::pair<std::uint32_t, std::span<const PortRange>>>;

// One row for each protocol with ports; -1: the protocol has no ports.
constexpr int PortRow(std::uint8_t protocol) {
  return protocol == kProtoTcp ? 0 : protocol == kProtoUdp ? 1 : protocol == kProtoSctp ? 2 : -1;
}
inline constexpr std::size_t kPortRows = 3;

// Immutable; copies share the array.
class PortMap {
 public:
  // 0 for protocols without ports, and if no port set holds the port.
  IdSetId Lookup(std::uint8_t protocol, std::uint16_t port) const {
    const int row = PortRow(protocol);
    return row < 0 || classes_ == nullptr ? kEmptyIdSet : (*classes_)[static_cast<std::size_t>(row) * 65536 + port];
  }

  // Interns the classes in `pool`.
  static PortMap Build(PortSets sets, IdSetPool& pool);

  std::uint64_t MemoryBytes() const { return classes_ == nullptr ? 0 : sizeof(*classes_); }

 private:
  std::shared_ptr<const std::array<IdSetId, kPortRows * 65536>> classes_;
};

// The port sets of bundles' rules that hold a port: none, one, or an interned set of several. If it is one,
// the class itself names it. Cluster policies name many single ports, so nearly every class is of one.
using TierPortClass = std::uint32_t;
inline constexpr TierPortClass kNoTierPort = 0;
inline constexpr TierPortClass kOnePortSet = 1u << 30;  // with the port set's id
constexpr bool IsOfSeveral(TierPortClass port_class) { return port_class != 0 && (port_class & kOnePortSet) == 0; }

// Immutable; copies share the pages. If 256 ports are all in one class, they have no page.
class TierPortMap {
 public:
  TierPortClass Lookup(std::uint8_t protocol, std::uint16_t port) const {
    const int row = PortRow(protocol);
    if (row < 0 || pages_ == nullptr) return kNoTierPort;
    const std::uint32_t entry = pages_->directory[static_cast<std::size_t>(row) * 256 + (port >> 8)];
    return (entry & kPage) == 0 ? entry : pages_->pages[entry & ~kPage][port & 255];
  }

  // Interns classes of several port sets in `pool`.
  static TierPortMap Build(PortSets sets, IdSetPool& pool);

  std::uint64_t MemoryBytes() const {
    return pages_ == nullptr ? 0 : sizeof(*pages_) + pages_->pages.capacity() * sizeof(pages_->pages[0]);
  }

 private:
  static constexpr std::uint32_t kPage = 1u << 31;
  struct Pages {
    std::array<std::uint32_t, kPortRows * 256> directory{};  // a class, or kPage and which page
    std::vector<std::array<TierPortClass, 256>> pages;
  };

  std::shared_ptr<const Pages> pages_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_PORT_MAP_H_
