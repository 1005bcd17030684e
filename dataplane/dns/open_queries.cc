#include "dns/open_queries.h"

#include <bit>
#include <functional>
#include <random>
#include <string_view>

#include "core/fold_hash.h"

namespace sluice {

std::uint64_t HashOf(const DnsEnds& ends) {
  const std::hash<IpAddress> hash;
  return FoldHash(hash(ends.client.address) ^ (std::uint64_t{ends.client.port} << 16 | ends.resolver.port),
                  hash(ends.resolver.address) ^ ends.protocol);
}

OpenQueries::OpenQueries(Limits limits) : limits_(limits), queries_(limits.all), buckets_(std::bit_ceil(limits.all)) {
  std::random_device device;
  seed_ = std::uint64_t{device()} << 32 | device();
  buckets_.assign(buckets_.size(), kNone);
  for (std::uint32_t place = limits.all; place-- > 0;) {
    queries_[place].next = free_;
    free_ = place;
  }
  clients_.reserve(limits.all);
}

std::uint32_t OpenQueries::BucketOf(const DnsEnds& ends, const DnsQuestion& question) const {
  const std::uint64_t name = std::hash<std::string_view>{}(std::string_view(question.name));
  const std::uint64_t hash = FoldHash(HashOf(ends) ^ seed_, name ^ (std::uint64_t{question.id} << 16 | question.type));
  return static_cast<std::uint32_t>(hash & (buckets_.size() - 1));
}

std::uint32_t OpenQueries::Find(std::uint32_t bucket, const DnsEnds& ends, const DnsQuestion& question) const {
  std::uint32_t place = buckets_[bucket];
  while (place != kNone && (queries_[place].ends != ends || queries_[place].question != question)) {
    place = queries_[place].next;
  }
  return place;
}

void OpenQueries::Append(List& list, Links Query::*links, std::uint32_t place) {
  queries_[place].*links = {list.newest, kNone};
  (list.newest == kNone ? list.oldest : (queries_[list.newest].*links).newer) = place;
  list.newest = place;
}

void OpenQueries::Unlink(List& list, Links Query::*links, std::uint32_t place) {
  const Links own = queries_[place].*links;
  (own.older == kNone ? list.oldest : (queries_[own.older].*links).newer) = own.newer;
  (own.newer == kNone ? list.newest : (queries_[own.newer].*links).older) = own.older;
}

void OpenQueries::Add(const DnsEnds& ends, const DnsQuestion& question, std::uint64_t now_ns) {
  Expire(now_ns);
  const std::uint32_t bucket = BucketOf(ends, question);
  std::uint32_t times = 1;
  if (const std::uint32_t known = Find(bucket, ends, question); known != kNone) {
    times += queries_[known].times;
    Erase(known);
  }
  const auto client = clients_.find(ends.client.address);
  if (client != clients_.end() && client->second.count == limits_.of_client) {
    ++displaced_;
    Erase(client->second.queries.oldest);
  } else if (free_ == kNone) {
    ++displaced_;
    Erase(all_.oldest);
  }
  const std::uint32_t place = free_;
  Query& query = queries_[place];
  free_ = query.next;
  query.ends = ends;
  query.question = question;
  query.sent_ns = now_ns;
  query.times = times;
  query.next = buckets_[bucket];
  buckets_[bucket] = place;
  Client& owner = clients_[ends.client.address];
  ++owner.count;
  Append(all_, &Query::in_all, place);
  Append(owner.queries, &Query::in_client, place);
  ++size_;
}

bool OpenQueries::Take(const DnsEnds& ends, const DnsQuestion& question, std::uint64_t now_ns) {
  Expire(now_ns);
  const std::uint32_t place = Find(BucketOf(ends, question), ends, question);
  if (place == kNone) return false;
  if (--queries_[place].times == 0) Erase(place);
  return true;
}

void OpenQueries::Erase(std::uint32_t place) {
  Query& query = queries_[place];
  std::uint32_t* link = &buckets_[BucketOf(query.ends, query.question)];
  while (*link != place) link = &queries_[*link].next;
  *link = query.next;
  Unlink(all_, &Query::in_all, place);
  const auto client = clients_.find(query.ends.client.address);
  Unlink(client->second.queries, &Query::in_client, place);
  if (--client->second.count == 0) clients_.erase(client);
  query.times = 0;
  query.next = free_;
  free_ = place;
  --size_;
}

// Workers' clocks differ by a moment, so the order is that of the calls of Add.
void OpenQueries::Expire(std::uint64_t now_ns) {
  while (all_.oldest != kNone && queries_[all_.oldest].sent_ns + limits_.timeout_ns < now_ns) Erase(all_.oldest);
}

}  // namespace sluice
