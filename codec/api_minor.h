// What was added to sluice.v1, and since which version. Each end says its own number (Hello, Status). A sender looks at
// the receiver's number before it sends what an older receiver would not know.
#ifndef SLUICE_CODEC_API_MINOR_H_
#define SLUICE_CODEC_API_MINOR_H_

#include <cstdint>

namespace sluice {

inline constexpr std::uint32_t kApiMinor = 10;  // our number; policy.proto says how the API may grow

inline constexpr std::uint32_t kPartsSinceApiMinor = 4;

}  // namespace sluice

#endif  // SLUICE_CODEC_API_MINOR_H_
