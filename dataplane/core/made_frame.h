// A frame that the filter made itself: a TCP reset or an ICMP error.
#ifndef SLUICE_DATAPLANE_CORE_MADE_FRAME_H_
#define SLUICE_DATAPLANE_CORE_MADE_FRAME_H_

#include <cstdint>

namespace sluice {

struct MadeFrame {
  std::uint16_t out_port = 0;  // the port that it must leave by
  std::uint16_t length = 0;
  std::uint8_t bytes[190];
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_MADE_FRAME_H_
