// What becomes of a packet that opens a connection, whatever policy says of it: for tools that have no packet. Pure;
// any thread. Tests hold it against the pipeline.
#ifndef SLUICE_DATAPLANE_CORE_FIRST_PACKET_H_
#define SLUICE_DATAPLANE_CORE_FIRST_PACKET_H_

#include <cstdint>

#include "core/pipeline_config.h"
#include "sluice/address.h"
#include "sluice/drop_reason.h"

namespace sluice {

// No host may send from a multicast address (RFC 1122 3.2.1.3, RFC 4291 2.7), nor from the limited broadcast address.
constexpr bool MaySend(Family family, std::uint64_t hi, std::uint64_t lo) {
  constexpr std::uint64_t kLimitedBroadcast = 0xffffffff;
  return family == Family::kIpv4 ? lo >> 28 != 0xe && lo != kLimitedBroadcast : hi >> 56 != 0xff;
}

// Why the filter drops it beside policy; kNone: policy decides. In the order in which the pipeline asks. The packet is
// whole and well formed otherwise. `unknown_endpoint`: as Classification has it. `has_policy`: as Table has it.
inline DropReason ReasonBesidePolicy(const PipelineConfig& config, bool has_policy, const IpAddress& source,
                                     bool unknown_endpoint) {
  if (!MaySend(source.family, source.hi, source.lo)) return DropReason::kBadIpAddress;
  if (config.fail_closed && !has_policy) return DropReason::kNoPolicy;
  if (config.drop_unknown_endpoint && unknown_endpoint) return DropReason::kUnknownEndpoint;
  return DropReason::kNone;
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FIRST_PACKET_H_
