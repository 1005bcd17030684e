// A frame on its way through the pipeline, and what each stage finds out about it.
//
// No DPDK here: a Frame is bytes and a handle that the owner of the buffers understands (an mbuf at the edge, an index
// in a test or in `sluicectl replay`).
#ifndef SLUICE_DATAPLANE_CORE_PACKET_H_
#define SLUICE_DATAPLANE_CORE_PACKET_H_

#include <cstdint>

#include "sluice/address.h"
#include "sluice/drop_reason.h"

namespace sluice {

inline constexpr std::uint32_t kMaxBurst = 64;  // frames that the pipeline takes at once

struct Frame {
  std::uint8_t* data = nullptr;    // the Ethernet header
  std::uint32_t length = 0;        // contiguous bytes at `data`
  std::uint32_t frame_length = 0;  // of the whole frame; > length if the rest lies in further segments, never <
  void* handle = nullptr;          // belongs to the buffers' owner
  std::uint16_t port = 0;          // where it came in: an index that the owner defines
  std::uint16_t out_port = 0;      // where it leaves if it is forwarded
  bool bad_ip_checksum = false;    // the NIC checked the IPv4 header checksum and found it wrong
};

// What Parse found. Numbers are in host order. Parse checked each field against the lengths before it read the field.
struct ParsedPacket {
  // Flags.
  static constexpr std::uint16_t kPass = 1;           // ARP or a listed EtherType: forwarded as it is
  static constexpr std::uint16_t kAlwaysPass = 2;     // IPv6 neighbour discovery or MLD in the form of its RFC (NP-61)
  static constexpr std::uint16_t kFragment = 4;       // part of a datagram; an atomic fragment (RFC 6946) is none
  static constexpr std::uint16_t kFirstFragment = 8;  // offset 0: has the transport header
  static constexpr std::uint16_t kMoreFragments = 16;
  static constexpr std::uint16_t kIcmpError = 32;  // quotes another packet, from `l4_offset + 8`
  static constexpr std::uint16_t kReplyType = 64;  // an ICMP echo (or timestamp, ...) reply: opens no flow
  static constexpr std::uint16_t kHasPorts = 128;  // TCP, UDP or SCTP whose ports are known

  // IPv4 addresses are the 32-bit value in *_lo, as in IpAddress.
  std::uint64_t source_hi = 0;
  std::uint64_t source_lo = 0;
  std::uint64_t destination_hi = 0;
  std::uint64_t destination_lo = 0;
  std::uint32_t fragment_id = 0;
  std::uint16_t fragment_offset = 0;  // bytes
  std::uint16_t fragment_length = 0;  // bytes of the datagram's payload in this fragment
  std::uint16_t l3_offset = 0;
  std::uint16_t l4_offset = 0;
  std::uint16_t l4_length = 0;    // from l4_offset to the end that IP announces; padding excluded
  std::uint16_t source_port = 0;  // ICMP queries: the identifier, in both
  std::uint16_t destination_port = 0;
  std::uint16_t flags = 0;
  Family family = Family::kIpv4;
  std::uint8_t protocol = 0;  // of the transport, after IPv6 extension headers
  std::uint8_t tcp_flags = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::uint8_t sctp_chunk = 0;  // type of the first SCTP chunk; 255: none
  DropReason reason = DropReason::kNone;

  bool Is(std::uint16_t flag) const { return (flags & flag) != 0; }
  IpAddress source() const { return {family, source_hi, source_lo}; }
  IpAddress destination() const { return {family, destination_hi, destination_lo}; }
};
static_assert(sizeof(ParsedPacket) <= 64);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PACKET_H_
