// What a client may ask of the dataplane at most: a broken or hostile one is refused, not served until memory is gone.
#ifndef SLUICE_DATAPLANE_API_LIMITS_H_
#define SLUICE_DATAPLANE_API_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "codec/limits.h"

namespace sluice {

inline constexpr std::size_t kMaxAskedBytes = std::size_t{64} << 10;     // of a request to read, and of Begin
inline constexpr std::size_t kChunkBytes = std::size_t{256} << 10;       // of a full state that we cut ourselves
inline constexpr std::size_t kMaxFullStateBytes = std::size_t{1} << 30;  // all chunks of one full state
inline constexpr std::size_t kMaxWaitingSenders = 16;                    // streams that have not said Begin
inline constexpr std::size_t kMaxConnections = 128;                      // by Unix sockets, and by TCP
inline constexpr int kMaxStreamsPerConnection = 32;
inline constexpr std::size_t kMaxReaderThreads = 24;  // calls that read, at once
inline constexpr std::size_t kMaxPolicyReaders = 2;   // of GetPolicy: each holds a copy of the policy
inline constexpr std::size_t kMaxDropWatchers = 8;    // calls that watch, drops or flows
inline constexpr std::size_t kMaxReadsWaiting = 128;  // for one of these to end
inline constexpr std::uint64_t kMaxFlowsListed = 10'000'000;
inline constexpr std::uint32_t kMaxDropsPerSecond = 10'000;      // shown to one watcher
inline constexpr std::size_t kMaxDropsWaiting = 4096;            // for one watcher that is slow
inline constexpr std::chrono::milliseconds kDropInterval(20);    // between two looks into the rings
inline constexpr int kMaxFlowConditions = 256;                   // of one that watches flows
inline constexpr std::chrono::milliseconds kFlowInterval(1000);  // between two looks for flows that ended
inline constexpr std::chrono::seconds kKeepalive(20);            // a silent peer is asked whether it lives
inline constexpr std::chrono::seconds kKeepaliveTimeout(10);     // ... and cut off when it does not answer
inline constexpr std::chrono::seconds kMinPingInterval(5);       // a peer that asks us more often is cut off

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_LIMITS_H_
