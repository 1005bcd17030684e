// Reads queries and answers as they cross the filter, and learns from the answers (FQ-02 to FQ-04).
//
// An answer counts only if its query was seen: the same id, question and both ends. Everything else is counted and
// teaches nothing. Memory is bounded, whatever is sent. Used by one thread; any thread may read the counters.
#ifndef SLUICE_DATAPLANE_DNS_ANSWER_WATCHER_H_
#define SLUICE_DATAPLANE_DNS_ANSWER_WATCHER_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>

#include "core/counters.h"
#include "core/dns_tap.h"
#include "dns/message.h"
#include "dns/open_queries.h"
#include "dns/stream.h"

namespace sluice {

// Keeps what answers say.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  // When it returns, the addresses are in force. `clock_ns`: when the answer came, on the workers' clock. Returns how
  // many pairs of a name and an address it keeps of the answer: none if no rule asks for the names.
  virtual std::size_t Learn(const DnsAnswer& answer, const IpAddress& resolver, std::uint64_t clock_ns) = 0;
};

struct DnsCounters {
  Counter queries;       // that asked for addresses
  Counter answers;       // to these queries
  Counter learnt;        // ... of which something was kept
  Counter spoofed;       // answers without a query
  Counter malformed;     // messages that could not be read
  Counter truncated;     // answers that come complete by TCP
  Counter lost_streams;  // TCP connections that could not be followed
  Counter displaced;     // unanswered queries that made room for others
};

class AnswerWatcher {
 public:
  struct Limits {
    OpenQueries::Limits queries;
    std::size_t streams = 1024;                        // TCP connections
    std::size_t stream_bytes = std::size_t{16} << 20;  // in all of these connections
    std::uint64_t stream_timeout_ns = 120'000'000'000;
  };

  explicit AnswerWatcher(AnswerSink& sink) : AnswerWatcher(sink, Limits()) {}
  AnswerWatcher(AnswerSink& sink, Limits limits) : sink_(sink), limits_(limits), open_(limits.queries) {}

  void Meet(const DnsPacket& packet, std::span<const std::uint8_t> bytes);

  std::uint32_t open_queries() const { return open_.size(); }
  std::size_t connections() const { return connections_.size(); }
  std::size_t stream_bytes() const { return stream_bytes_; }

  // Any thread.
  const DnsCounters& counters() const { return counters_; }

 private:
  struct Connection {
    DnsEnds ends;
    DnsStream from_client;
    DnsStream from_resolver;
    std::uint64_t seen_ns = 0;
    bool told_lost = false;

    std::size_t MemoryBytes() const { return from_client.MemoryBytes() + from_resolver.MemoryBytes(); }
  };
  using Connections = std::list<Connection>;  // longest silent first
  struct Hash {
    std::size_t operator()(const DnsEnds& ends) const { return HashOf(ends); }
  };

  void MeetMessage(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes);
  void MeetQuery(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes);
  void MeetAnswer(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes);
  void MeetSegment(const DnsPacket& packet, const DnsEnds& ends, std::span<const std::uint8_t> bytes);
  void EndConnection(Connections::iterator connection);

  AnswerSink& sink_;
  const Limits limits_;
  OpenQueries open_;
  DnsReader reader_;
  Connections connections_;
  std::unordered_map<DnsEnds, Connections::iterator, Hash> by_ends_;
  std::size_t stream_bytes_ = 0;
  DnsCounters counters_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_ANSWER_WATCHER_H_
