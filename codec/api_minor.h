// What was added to sluice.v1 and since when. Each end says its own number (Hello, Status); a sender looks at the
// receiver's before it sends what an older one would not know.
#ifndef SLUICE_CODEC_API_MINOR_H_
#define SLUICE_CODEC_API_MINOR_H_

#include <cstdint>

namespace sluice {

inline constexpr std::uint32_t kApiMinor = 10;  // ours; policy.proto says how the API may grow

inline constexpr std::uint32_t kPartsSinceApiMinor = 4;

}  // namespace sluice

#endif  // SLUICE_CODEC_API_MINOR_H_
