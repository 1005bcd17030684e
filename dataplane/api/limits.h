// Limits on what clients may ask of the dataplane: a request beyond them is refused, before it can use up memory.
#ifndef SLUICE_DATAPLANE_API_LIMITS_H_
#define SLUICE_DATAPLANE_API_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "codec/limits.h"

namespace sluice {

inline constexpr std::size_t kMaxAskedBytes = std::size_t{64} << 10;     // a request that reads, and Begin
inline constexpr std::size_t kChunkBytes = std::size_t{256} << 10;       // a chunk of a full state that we cut
inline constexpr std::size_t kMaxFullStateBytes = std::size_t{1} << 30;  // all chunks of one full state
inline constexpr std::size_t kMaxWaitingSenders = 16;                    // streams that have not sent Begin
inline constexpr std::size_t kMaxConnections = 128;                      // for Unix sockets, and for TCP
inline constexpr int kMaxStreamsPerConnection = 32;
inline constexpr std::size_t kMaxReaderThreads = 24;  // calls that read, at the same time
inline constexpr std::size_t kMaxPolicyReaders = 2;   // calls of GetPolicy: each holds a copy of the policy
inline constexpr std::size_t kMaxDropWatchers = 8;    // calls that watch drops or flows
inline constexpr std::size_t kMaxReadsWaiting = 128;  // calls that wait for another to end
inline constexpr std::uint64_t kMaxFlowsListed = 10'000'000;
inline constexpr std::uint32_t kMaxDropsPerSecond = 10'000;      // shown to one watcher
inline constexpr std::size_t kMaxDropsWaiting = 4096;            // kept for one slow watcher
inline constexpr std::chrono::milliseconds kDropInterval(20);    // between two looks into the rings
inline constexpr int kMaxFlowConditions = 256;                   // of one call that watches flows
inline constexpr std::chrono::milliseconds kFlowInterval(1000);  // between two looks for ended flows
inline constexpr std::chrono::seconds kKeepalive(20);            // a silent peer is asked if it is alive
inline constexpr std::chrono::seconds kKeepaliveTimeout(10);     // ... and cut off if it does not answer
inline constexpr std::chrono::seconds kMinPingInterval(5);       // a peer that pings us more often is cut off

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_LIMITS_H_
