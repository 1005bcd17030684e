// How large a message of sluice.v1 may be. Both ends use these limits (docs/api.md tells other senders).
#ifndef SLUICE_CODEC_LIMITS_H_
#define SLUICE_CODEC_LIMITS_H_

#include <cstddef>

namespace sluice {

inline constexpr std::size_t kMaxMessageBytes = std::size_t{16} << 20;  // one message, either way
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{4} << 20;    // to a sender of policy

// A larger request or chunk travels in parts (v1.Part), if the other end knows them.
inline constexpr std::size_t kMaxGatheredBytes = std::size_t{64} << 20;  // all parts of one message
inline constexpr std::size_t kPartBytes = std::size_t{1} << 20;

// A parsed message may take this much memory. 16 MB of empty objects would take 1 GB; 64 MB in parts, four times that.
inline constexpr std::size_t kMaxUnpackedBytes = std::size_t{1} << 30;

}  // namespace sluice

#endif  // SLUICE_CODEC_LIMITS_H_
