#include "page/flow_map.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace sluice {

void MapEdge::Add(const MapEdge& other) {
  connections += other.connections;
  packets_per_second += other.packets_per_second;
  bytes_per_second += other.bytes_per_second;
  denied += other.denied;
  would_deny += other.would_deny;
  would_allow += other.would_allow;
}

FlowMap::Pair* FlowMap::PairOf(const MapEnd& source, const MapEnd& destination) {
  const PairKey key(source, destination);
  const auto known = pairs_.find(key);
  if (known != pairs_.end()) return &known->second;
  return pairs_.size() < kMaxPairs ? &pairs_[key] : nullptr;
}

// Millions of flows have some thousands of pairs, so each pair is looked up once by its ends.
void FlowMap::Sample(std::uint64_t now_ns, const std::vector<MapEnd>& ends, std::vector<Flow> flows) {
  for (auto& [key, pair] : pairs_) pair.live = {};
  not_told_ = 0;
  const double seconds = sampled_ns_ == 0 ? 0 : static_cast<double>(now_ns - sampled_ns_) / kSecond;
  sampled_ns_ = now_ns;
  std::sort(flows.begin(), flows.end(), [](const Flow& a, const Flow& b) { return a.key < b.key; });
  std::unordered_map<std::uint64_t, Pair*> pairs;
  auto old = before_.begin();
  for (const Flow& flow : flows) {
    const auto [known, is_new] = pairs.try_emplace(std::uint64_t{flow.source} << 32 | flow.destination);
    if (is_new) known->second = PairOf(ends[flow.source], ends[flow.destination]);
    Pair* pair = known->second;
    if (pair == nullptr) {
      ++not_told_;
      continue;
    }
    ++pair->live.connections;
    if (seconds <= 0) continue;
    while (old != before_.end() && old->key < flow.key) ++old;
    const bool is_known = old != before_.end() && old->key == flow.key && old->packets <= flow.packets;
    // A flow that is new, or counts from zero again, had all of its packets since then.
    const std::uint64_t packets = flow.packets - (is_known ? old->packets : 0);
    const std::uint64_t bytes = flow.bytes - (is_known ? old->bytes : 0);
    pair->live.packets_per_second += static_cast<double>(packets) / seconds;
    pair->live.bytes_per_second += static_cast<double>(bytes) / seconds;
  }
  before_ = std::move(flows);
}

// Empties the buckets between the newest and this one.
void FlowMap::Turn(Pair& pair, std::uint64_t bucket) {
  if (bucket <= pair.denied_bucket) return;
  const std::uint64_t steps = std::min<std::uint64_t>(bucket - pair.denied_bucket, kBuckets);
  for (std::uint64_t i = 0; i < steps; ++i) pair.denied[(bucket - i) % kBuckets] = 0;
  pair.denied_bucket = bucket;
}

void FlowMap::AddDenied(const MapEnd& source, const MapEnd& destination, std::uint64_t packets, std::uint64_t time_ns) {
  Pair* pair = PairOf(source, destination);
  if (pair == nullptr) {
    not_told_ += packets;
    return;
  }
  const std::uint64_t bucket = BucketOf(time_ns);
  Turn(*pair, bucket);
  if (bucket + kBuckets > pair->denied_bucket) pair->denied[bucket % kBuckets] += packets;
}

FlowMap::Edges FlowMap::Read(std::uint64_t now_ns) {
  Edges edges;
  for (auto pair = pairs_.begin(); pair != pairs_.end();) {
    Turn(pair->second, BucketOf(now_ns));
    MapEdge edge = pair->second.live;
    edge.denied = std::accumulate(pair->second.denied.begin(), pair->second.denied.end(), std::uint64_t{0});
    if (edge.connections == 0 && edge.denied == 0) {
      pair = pairs_.erase(pair);
      continue;
    }
    edges.emplace(pair->first, edge);
    ++pair;
  }
  return edges;
}

}  // namespace sluice
