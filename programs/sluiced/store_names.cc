#include "sluiced/store_names.h"

#include <algorithm>
#include <cstddef>

namespace sluice {
namespace {

// The policy's writer waits while these are looked up.
constexpr std::size_t kNamedAtOnce = 256;

}  // namespace

std::vector<FlowLogOwner> StoreNames::OwnersOf(std::span<const IpAddress> addresses) const {
  std::vector<FlowLogOwner> owners(addresses.size());
  for (std::size_t begin = 0; begin < addresses.size(); begin += kNamedAtOnce) {
    const auto slice = addresses.subspan(begin, std::min(kNamedAtOnce, addresses.size() - begin));
    store_.VisitOwners(slice, [&](std::size_t i, const Endpoint& endpoint, std::string_view node) {
      FlowLogOwner& owner = owners[begin + i];
      owner.namespace_name = endpoint.namespace_name;
      owner.pod = endpoint.name;
      owner.node = node;
      owner.workload = endpoint.workload;
    });
  }
  return owners;
}

}  // namespace sluice
