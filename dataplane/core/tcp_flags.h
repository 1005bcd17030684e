// The control bits of TCP (RFC 9293 3.1) that the filter reads and sets: the byte at offset 13 of the header.
#ifndef SLUICE_DATAPLANE_CORE_TCP_FLAGS_H_
#define SLUICE_DATAPLANE_CORE_TCP_FLAGS_H_

#include <cstdint>

namespace sluice {

inline constexpr std::uint8_t kFlagFin = 1;
inline constexpr std::uint8_t kFlagSyn = 2;
inline constexpr std::uint8_t kFlagRst = 4;
inline constexpr std::uint8_t kFlagAck = 16;

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_TCP_FLAGS_H_
