// A packet's ends and protocol, to show them in lists and to tell flows apart.
#ifndef SLUICE_PROGRAMS_SLUICECTL_PACKET_ENDS_H_
#define SLUICE_PROGRAMS_SLUICECTL_PACKET_ENDS_H_

#include <compare>
#include <cstdint>
#include <optional>

#include "core/parse.h"
#include "sluice/address.h"
#include "sluicectl/capture.h"

namespace sluice {

struct PacketEnds {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;  // for ICMP queries: the identifier, in both
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;

  // Returns the same value for both directions.
  PacketEnds Canonical() const;

  friend auto operator<=>(const PacketEnds&, const PacketEnds&) = default;
};

// Returns nothing if the frame is no IP packet, or cannot be read so far.
std::optional<PacketEnds> EndsOf(CapturedFrame& frame, const ParseConfig& config);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_PACKET_ENDS_H_
