// From protocol and destination port to a port class: the interned set of port sets that hold it.
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

// Immutable; copies share the array.
class PortMap {
 public:
  // 0 for protocols without ports, and where no port set holds the port.
  IdSetId Lookup(std::uint8_t protocol, std::uint16_t port) const {
    const int row = Row(protocol);
    return row < 0 || classes_ == nullptr ? kEmptyIdSet : (*classes_)[static_cast<std::size_t>(row) * 65536 + port];
  }

  // `sets`: each port set's id with its ranges. Interns the classes in `pool`.
  static PortMap Build(std::span<const std::pair<std::uint32_t, const std::vector<PortRange>*>> sets, IdSetPool& pool);

  std::uint64_t MemoryBytes() const { return classes_ == nullptr ? 0 : sizeof(*classes_); }

 private:
  static constexpr std::array<std::uint8_t, 3> kProtocols = {kProtoTcp, kProtoUdp, kProtoSctp};
  static constexpr int Row(std::uint8_t protocol) {
    return protocol == kProtoTcp ? 0 : protocol == kProtoUdp ? 1 : protocol == kProtoSctp ? 2 : -1;
  }

  std::shared_ptr<const std::array<IdSetId, 3 * 65536>> classes_;  // a row a protocol
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_PORT_MAP_H_
