// Who talks to whom: flows and denials of one dataplane, added up by pairs of workloads.
//
// Flows come as samples of all live flows. A flow's rate is its growth since the last sample. Denials are added as they
// are counted, and stay for some minutes. One thread at a time.
#ifndef SLUICE_PROGRAMS_PAGE_FLOW_MAP_H_
#define SLUICE_PROGRAMS_PAGE_FLOW_MAP_H_

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

// One end of traffic, as the map shows it. If it is outside of all pods, both fields are empty.
struct MapEnd {
  std::string namespace_name;
  std::string workload;
  auto operator<=>(const MapEnd&) const = default;
};

struct MapEdge {
  std::uint64_t connections = 0;  // live connections
  double packets_per_second = 0;  // of these connections, since the last sample
  double bytes_per_second = 0;
  std::uint64_t denied = 0;  // packets that were denied in the last kMinutes
  // What staged policies would deny and allow, since they were staged: connections, and packets that are denied now.
  std::uint64_t would_deny = 0;
  std::uint64_t would_allow = 0;

  void Add(const MapEdge& other);
};

class FlowMap {
 public:
  static constexpr std::uint64_t kSecond = 1'000'000'000;
  static constexpr std::size_t kMinutes = 5;  // how long denials are shown
  static constexpr std::size_t kMaxPairs = 50'000;

  struct Flow {
    std::uint64_t key = 0;  // the same in every sample
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    // Numbers of ends: indexes into the list that came with the sample.
    std::uint32_t source = 0;
    std::uint32_t destination = 0;
  };

  // Takes a sample: all live flows.
  void Sample(std::uint64_t now_ns, const std::vector<MapEnd>& ends, std::vector<Flow> flows);

  void AddDenied(const MapEnd& source, const MapEnd& destination, std::uint64_t packets, std::uint64_t time_ns);

  using Edges = std::map<std::pair<MapEnd, MapEnd>, MapEdge>;
  // Returns the pairs with live connections, or with recent denials.
  Edges Read(std::uint64_t now_ns);
  // Flows and denied packets of pairs beyond kMaxPairs, which are only counted together.
  std::uint64_t not_told() const { return not_told_; }

 private:
  static constexpr std::size_t kBuckets = kMinutes * 6;  // of ten seconds each
  struct Pair {
    MapEdge live;
    std::array<std::uint64_t, kBuckets> denied{};
    std::uint64_t denied_bucket = 0;  // the newest bucket in `denied`
  };
  using PairKey = std::pair<MapEnd, MapEnd>;

  Pair* PairOf(const MapEnd& source, const MapEnd& destination);
  static void Turn(Pair& pair, std::uint64_t bucket);
  static std::uint64_t BucketOf(std::uint64_t time_ns) { return time_ns / (10 * kSecond); }

  std::map<PairKey, Pair> pairs_;
  std::vector<Flow> before_;  // the last sample, sorted by key
  std::uint64_t sampled_ns_ = 0;
  std::uint64_t not_told_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_FLOW_MAP_H_
