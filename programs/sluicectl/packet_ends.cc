#include "sluicectl/packet_ends.h"

#include <tuple>

namespace sluice {

PacketEnds PacketEnds::Canonical() const {
  if (std::tie(source, source_port) <= std::tie(destination, destination_port)) return *this;
  return {destination, source, destination_port, source_port, protocol};
}

std::optional<PacketEnds> EndsOf(CapturedFrame& frame, const ParseConfig& config) {
  Frame view;
  view.data = frame.bytes.data();
  view.length = static_cast<std::uint32_t>(frame.bytes.size());
  view.frame_length = frame.frame_length;
  ParsedPacket packet;
  Parse(view, config, packet);
  const bool has_addresses = (packet.source_hi | packet.source_lo | packet.destination_hi | packet.destination_lo) != 0;
  if (packet.Is(ParsedPacket::kPass) || !has_addresses) return std::nullopt;
  return PacketEnds{packet.source(), packet.destination(), packet.source_port, packet.destination_port,
                    packet.protocol};
}

}  // namespace sluice
