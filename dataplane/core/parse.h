// Parse: from bytes to a ParsedPacket or a DropReason, never a guess. Lengths are always checked before fields.
//
// Pure functions over bytes; safe from any thread.
#ifndef SLUICE_DATAPLANE_CORE_PARSE_H_
#define SLUICE_DATAPLANE_CORE_PARSE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/packet.h"

namespace sluice {

struct ParseConfig {
  std::vector<std::uint16_t> pass_ethertypes;  // forwarded unfiltered, besides ARP; sorted
  std::uint8_t max_ipv6_extension_headers = 8;
};

// Fills `out` from `frame`. On return, out.reason is kNone, or says why the frame must be dropped.
void Parse(const Frame& frame, const ParseConfig& config, ParsedPacket& out);

// Parse for each of `frames`, out[i] from frames[i].
void ParseBurst(std::span<const Frame> frames, const ParseConfig& config, ParsedPacket* out);

// Parses the packet that an ICMP error quotes. `bytes` starts at the quoted IP header and may
// be cut short after the transport's first 8 bytes (RFC 792), or anywhere (then out.reason
// says so). It checks less than Parse: the quoted total length may exceed what is quoted.
void ParseQuoted(std::span<const std::uint8_t> bytes, Family family, ParsedPacket& out);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PARSE_H_
