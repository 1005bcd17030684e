// Every reason for which a packet is dropped: one list, one name and one counter each.
//
// To add one: a line here, a scenario under tests/scenarios, a row in docs/drop-reasons.md (a test compares them).
#ifndef SLUICE_DROP_REASON_H_
#define SLUICE_DROP_REASON_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace sluice {

// X(enumerator, name, what it means)
#define SLUICE_DROP_REASONS(X)                                                                                       \
  X(kNone, "", "not dropped")                                                                                        \
  X(kTruncated, "truncated", "the frame ends before a header that it announces")                                     \
  X(kUnknownEthertype, "unknown_ethertype", "neither ARP, IPv4 nor IPv6, and not listed in the configuration")       \
  X(kVlanTooDeep, "vlan_too_deep", "more than two VLAN tags")                                                        \
  X(kBadIpVersion, "bad_ip_version", "the IP version does not fit the EtherType")                                    \
  X(kBadIpLength, "bad_ip_length", "an IP header or total length that cannot be")                                    \
  X(kBadIpOptions, "bad_ip_options", "IP options that cannot be, or an IPv4 source route")                           \
  X(kBadIpChecksum, "bad_ip_checksum", "the NIC found the IPv4 header checksum wrong")                               \
  X(kBadIpAddress, "bad_ip_address", "a source that no host may send from (multicast, broadcast)")                   \
  X(kIpv6ExtensionDepth, "ipv6_extension_depth", "more IPv6 extension headers than are walked")                      \
  X(kIpv6ExtensionOrder, "ipv6_extension_order", "an IPv6 extension header where none may stand")                    \
  X(kIpv6RoutingType0, "ipv6_routing_type0", "a routing header of type 0 (RFC 5095)")                                \
  X(kBadL4Length, "bad_l4_length", "a transport header or length that cannot be")                                    \
  X(kTcpBadFlags, "tcp_bad_flags", "a combination of TCP flags that no stack sends")                                 \
  X(kTcpNoSyn, "tcp_no_syn", "TCP without a flow and without SYN, and tcp_strict is set")                            \
  X(kSctpBadChunk, "sctp_bad_chunk", "SCTP chunks that cannot be (INIT not alone, none), or port zero")              \
  X(kIcmpMalformed, "icmp_malformed", "ICMP shorter than its type requires, or an error in fragments")               \
  X(kNdInvalid, "nd_invalid", "IPv6 neighbour discovery or MLD not in the form of its RFC")                          \
  X(kFragmentOrphan, "fragment_orphan", "a fragment whose first fragment did not come in time")                      \
  X(kFragmentOverlap, "fragment_overlap", "fragments of one datagram overlap")                                       \
  X(kFragmentTooShort, "fragment_too_short",                                                                         \
    "a first fragment too short for its transport header, or one made to rewrite it")                                \
  X(kFragmentBadLength, "fragment_bad_length", "a fragment's length or end that cannot be")                          \
  X(kFragmentLimit, "fragment_limit", "more fragments held than the configuration allows")                           \
  X(kFragmentDenied, "fragment_denied", "the first fragment of this datagram was dropped")                           \
  X(kNoPolicy, "no_policy", "no policy has been received since start, and fail_closed is set")                       \
  X(kPolicyDenied, "policy_denied", "a rule, or the default deny of isolation, denies it")                           \
  X(kFlowCut, "flow_cut", "its flow was allowed and is not any more; both ends are cut off until one opens it anew") \
  X(kUnknownEndpoint, "unknown_endpoint", "an address inside the pod CIDRs that no endpoint and no node has")        \
  X(kEncapsulated, "encapsulated", "a tunnel between nodes, whose content is not read, and encapsulation is refuse") \
  X(kHandoverFull, "handover_full", "the ring to the worker that owns the flow is full")                             \
  X(kTxFull, "tx_full", "the device did not take the packet")                                                        \
  X(kPortDown, "port_down", "the other port of the wire is gone or its link is down")                                \
  X(kNoMemory, "no_memory", "no packet buffer was left")

enum class DropReason : std::uint8_t {
#define SLUICE_X(id, name, text) id,
  SLUICE_DROP_REASONS(SLUICE_X)
#undef SLUICE_X
};

inline constexpr std::string_view kDropReasonNames[] = {
#define SLUICE_X(id, name, text) name,
    SLUICE_DROP_REASONS(SLUICE_X)
#undef SLUICE_X
};
inline constexpr std::string_view kDropReasonTexts[] = {
#define SLUICE_X(id, name, text) text,
    SLUICE_DROP_REASONS(SLUICE_X)
#undef SLUICE_X
};
inline constexpr std::size_t kDropReasonCount = std::size(kDropReasonNames);

constexpr std::string_view Name(DropReason reason) { return kDropReasonNames[static_cast<std::size_t>(reason)]; }

// What happens to a packet.
enum class Verdict : std::uint8_t { kForward = 0, kDrop = 1, kReject = 2 };

constexpr std::string_view Name(Verdict verdict) {
  constexpr std::string_view kNames[] = {"forward", "drop", "reject"};
  return kNames[static_cast<int>(verdict)];
}

}  // namespace sluice

#endif  // SLUICE_DROP_REASON_H_
