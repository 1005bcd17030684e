// What becomes of a packet that opens a connection, apart from policy: for tools that
// have no packet. Pure functions for any thread. Tests compare it with the pipeline.
#ifndef SLUICE_DATAPLANE_CORE_FIRST_PACKET_H_
#define SLUICE_DATAPLANE_CORE_FIRST_PACKET_H_

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "core/pipeline_config.h"
#include "core/tunnel.h"
#include "sluice/address.h"
#include "sluice/drop_reason.h"

namespace sluice {

// No host may send from a multicast address (RFC 1122 3.2.1.3, RFC 4291 2.7), nor from the limited broadcast address.
constexpr bool MaySend(Family family, std::uint64_t hi, std::uint64_t lo) {
  constexpr std::uint64_t kLimitedBroadcast = 0xffffffff;
  return family == Family::kIpv4 ? lo >> 28 != 0xe && lo != kLimitedBroadcast : hi >> 56 != 0xff;
}

// Packets that a node's hooks drop at a pod's interface (node/hook), as sluice-node counts them. No worker sees them.
inline constexpr std::string_view kSpoofedSource = "spoofed_source";
inline constexpr std::string_view kSpoofedTunnel = "spoofed_tunnel";

// A packet that is whole and well formed.
struct FirstPacket {
  IpAddress source;
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;  // zero for protocols without ports
  // As in Classification.
  bool unknown_endpoint = false;
  bool between_nodes = false;
  // For a node's hooks that take the packet at a pod's interface. False if there are no hooks.
  bool is_foreign = false;  // its source is not an address of that pod
  bool is_to_node = false;  // that pod sends it to a node's address
};

// Why the filter drops the packet apart from policy: the name of a drop reason, or of a counter of the hooks. Empty:
// policy decides. Checks in the order of hooks and pipeline. `has_policy`: as in Table.
inline std::string_view ReasonBesidePolicy(const PipelineConfig& config, bool has_policy, const FirstPacket& packet) {
  if (packet.is_foreign) return kSpoofedSource;
  if (packet.is_to_node && IsTunnelToNode(packet.protocol, packet.destination_port)) return kSpoofedTunnel;
  const IpAddress& source = packet.source;
  if (!MaySend(source.family, source.hi, source.lo)) return Name(DropReason::kBadIpAddress);
  if (config.fail_closed && !has_policy) return Name(DropReason::kNoPolicy);
  if (config.drop_unknown_endpoint && packet.unknown_endpoint) return Name(DropReason::kUnknownEndpoint);
  const bool refuses = config.encapsulation == Encapsulation::kRefuse;
  if (refuses && packet.between_nodes && IsTunnel(packet.protocol, packet.destination_port)) {
    return Name(DropReason::kEncapsulated);
  }
  return "";
}

// The meaning of such a reason, as a sentence. Empty if this version does not have the reason.
inline std::string_view ReasonText(std::string_view reason) {
  if (reason == kSpoofedSource) return "the hook at the pod's interface lets out the pod's own addresses only";
  if (reason == kSpoofedTunnel) return "the hook at the pod's interface lets out no tunnel to a node's address";
  const auto* known = std::find(std::begin(kDropReasonNames), std::end(kDropReasonNames), reason);
  return known == std::end(kDropReasonNames) ? "" : kDropReasonTexts[known - kDropReasonNames];
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FIRST_PACKET_H_
