// Queries that were sent and have no answer yet: an answer counts only for one of these (FQ-03).
//
// The number is bounded, in total and for each client. All memory is allocated at construction. Used by one thread.
#ifndef SLUICE_DATAPLANE_DNS_OPEN_QUERIES_H_
#define SLUICE_DATAPLANE_DNS_OPEN_QUERIES_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/flow_key.h"
#include "dns/message.h"

namespace sluice {

struct DnsEnds {
  FlowEnd client;
  FlowEnd resolver;
  std::uint8_t protocol = 0;

  friend bool operator==(const DnsEnds&, const DnsEnds&) = default;
};
std::uint64_t HashOf(const DnsEnds& ends);

class OpenQueries {
 public:
  struct Limits {
    std::uint32_t all = 16384;
    std::uint32_t of_client = 1024;
    std::uint64_t timeout_ns = 30'000'000'000;
  };

  explicit OpenQueries(Limits limits);

  // Adds a query that was sent. If there is no room, the oldest query makes room: the oldest of the same client, if
  // that client has too many. A query that was sent again may be answered again.
  void Add(const DnsEnds& ends, const DnsQuestion& question, std::uint64_t now_ns);
  // Whether the message answers an open query. If so, that query counts as answered.
  bool Take(const DnsEnds& ends, const DnsQuestion& question, std::uint64_t now_ns);

  std::uint32_t size() const { return size_; }
  std::uint64_t displaced() const { return displaced_; }  // unanswered queries that made room

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Links {
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;
  };
  struct List {
    std::uint32_t oldest = kNone;
    std::uint32_t newest = kNone;
  };
  struct Query {
    DnsEnds ends;
    DnsQuestion question;
    std::uint64_t sent_ns = 0;
    std::uint32_t times = 0;     // times sent, less times answered; 0: the place is free
    std::uint32_t next = kNone;  // in the same bucket, or in the list of free places
    Links in_all;
    Links in_client;
  };
  struct Client {
    List queries;
    std::uint32_t count = 0;
  };

  std::uint32_t BucketOf(const DnsEnds& ends, const DnsQuestion& question) const;
  std::uint32_t Find(std::uint32_t bucket, const DnsEnds& ends, const DnsQuestion& question) const;
  void Append(List& list, Links Query::*links, std::uint32_t place);
  void Unlink(List& list, Links Query::*links, std::uint32_t place);
  void Erase(std::uint32_t place);
  void Expire(std::uint64_t now_ns);

  const Limits limits_;
  std::vector<Query> queries_;
  std::vector<std::uint32_t> buckets_;  // a power of two
  std::uint64_t seed_;
  List all_;  // ordered by the time of sending
  std::unordered_map<IpAddress, Client> clients_;
  std::uint32_t free_ = kNone;
  std::uint32_t size_ = 0;
  std::uint64_t displaced_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_DNS_OPEN_QUERIES_H_
