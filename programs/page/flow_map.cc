#include "page/flow_map.h"

#include <algorithm>
#include <numeric>

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

void FlowMap::BeginSample(std::uint64_t now_ns) {
  for (auto& [key, pair] : pairs_) pair.live = {};
  sample_.clear();
  not_told_ = 0;
  seconds_ = sampled_ns_ == 0 ? 0 : static_cast<double>(now_ns - sampled_ns_) / kSecond;
  sampled_ns_ = now_ns;
}

void FlowMap::Add(const MapEnd& source, const MapEnd& destination, const Flow& flow) {
  Pair* pair = PairOf(source, destination);
  if (pair == nullptr) {
    ++not_told_;
    return;
  }
  ++pair->live.connections;
  sample_.emplace_back(flow, pair);
}

void FlowMap::EndSample() {
  const auto by_key = [](const auto& a, const auto& b) { return a.first.key < b.first.key; };
  std::sort(sample_.begin(), sample_.end(), by_key);
  auto old = before_.begin();
  for (const auto& [flow, pair] : sample_) {
    if (seconds_ <= 0) break;
    while (old != before_.end() && old->key < flow.key) ++old;
    const bool is_known = old != before_.end() && old->key == flow.key && old->packets <= flow.packets;
    // A flow that is new, or begins again, had all of its packets since.
    const Flow grown = {0, flow.packets - (is_known ? old->packets : 0), flow.bytes - (is_known ? old->bytes : 0)};
    pair->live.packets_per_second += static_cast<double>(grown.packets) / seconds_;
    pair->live.bytes_per_second += static_cast<double>(grown.bytes) / seconds_;
  }
  before_.clear();
  for (const auto& [flow, pair] : sample_) before_.push_back(flow);
  sample_ = {};
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
