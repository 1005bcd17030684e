// What became of DNS that crossed the filter, in all its workers, since the start.
#ifndef SLUICE_DATAPLANE_CORE_DNS_TOTALS_H_
#define SLUICE_DATAPLANE_CORE_DNS_TOTALS_H_

#include <cstdint>

namespace sluice {

// An answer is in one of learnt, unlearnt, untrusted, spoofed, malformed and truncated; or in none, where it was not
// read.
struct DnsTotals {
  std::uint64_t queries = 0;    // for addresses, to resolvers that are trusted
  std::uint64_t learnt = 0;     // answers of which something is kept
  std::uint64_t unlearnt = 0;   // ... without addresses, or of names that no rule asks for
  std::uint64_t untrusted = 0;  // ... of resolvers that are not trusted
  std::uint64_t spoofed = 0;    // ... that nobody asked for
  std::uint64_t malformed = 0;  // messages, queries too, that are no DNS
  std::uint64_t truncated = 0;  // answers whose whole comes by TCP
  std::uint64_t held = 0;       // packets that waited until what they say was in force
  std::uint64_t ran_out = 0;    // ... and went on before, as they had waited long enough
  std::uint64_t no_room = 0;    // ... and went on before, or did not wait, for want of room
  std::uint64_t waiting = 0;    // now
  // What could not be read.
  std::uint64_t fragmented = 0;    // packets in fragments
  std::uint64_t lost_queries = 0;  // of which no copy could be made: their answers do not count
  std::uint64_t displaced = 0;     // queries that made way for others: likewise
  std::uint64_t lost_streams = 0;  // TCP connections that could not be followed
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DNS_TOTALS_H_
