// What became of the DNS messages that crossed the filter, in all its workers, since the start.
#ifndef SLUICE_DATAPLANE_CORE_DNS_TOTALS_H_
#define SLUICE_DATAPLANE_CORE_DNS_TOTALS_H_

#include <cstdint>

namespace sluice {

// An answer counts in one of learnt, unlearnt, untrusted, spoofed, malformed and truncated, or in none if it was not
// read.
struct DnsTotals {
  std::uint64_t queries = 0;    // for addresses, to trusted resolvers
  std::uint64_t learnt = 0;     // answers from which something was kept
  std::uint64_t unlearnt = 0;   // ... without addresses, or for names that no rule asks for
  std::uint64_t untrusted = 0;  // ... from resolvers that are not trusted
  std::uint64_t spoofed = 0;    // ... that nobody asked for
  std::uint64_t malformed = 0;  // messages, including queries, that are not DNS
  std::uint64_t truncated = 0;  // answers that say that the whole answer comes by TCP
  std::uint64_t held = 0;       // packets that waited until their addresses were in force
  std::uint64_t ran_out = 0;    // ... and went on before that, because they had waited long enough
  std::uint64_t no_room = 0;    // ... and went on before that, or did not wait, for lack of room
  std::uint64_t waiting = 0;    // at this moment
  // Messages that could not be read.
  std::uint64_t fragmented = 0;    // packets in fragments
  std::uint64_t lost_queries = 0;  // queries that could not be copied: their answers do not count
  std::uint64_t displaced = 0;     // queries that made way for others: their answers do not count either
  std::uint64_t lost_streams = 0;  // TCP connections that could not be followed
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DNS_TOTALS_H_
