#include "core/stage_read.h"

#include <algorithm>
#include <utility>

#include "core/plain.h"

namespace sluice {

ReadStage::ReadStage(const PipelineConfig& config)
    : parse_(config.parse),
      fragments_({.trains = config.fragment_trains,
                  .held = config.fragments_held,
                  .held_each = config.fragments_held_each,
                  .timeout_ns = std::uint64_t{config.fragment_timeout_ms} * 1'000'000},
                 config.hash_seed) {}

bool ReadStage::ReadPlain(std::span<const Frame> frames, const FlowKeeper& keeper, bool tells, Burst& burst) {
  constexpr std::uint32_t kStride = 8;
  const auto count = static_cast<std::uint32_t>(frames.size());
  if (keeper.closed()) return false;
  burst.Begin(frames.data(), parsed_.data(), count, tells);
  burst.unread = ~std::uint64_t{0};
  const FlowTable<Ipv4FlowKey>& ipv4_flows = keeper.flows<Ipv4FlowKey>();
  const FlowTable<Ipv6FlowKey>& ipv6_flows = keeper.flows<Ipv6FlowKey>();
  // Copies, which stay in registers.
  const FlowHasher ipv4_hasher = ipv4_flows.hasher(), ipv6_hasher = ipv6_flows.hasher();
  const FlowIndex ipv4_index = ipv4_flows.index(), ipv6_index = ipv6_flows.index();
  Lane<Ipv4FlowKey>& ipv4 = burst.ipv4;
  Lane<Ipv6FlowKey>& ipv6 = burst.ipv6;
  std::uint32_t ipv4_before = 0, ipv6_before = 0;
  for (std::uint32_t i = 0, end = 0; i < count;) {
    // The buckets of those before the last stride have come by now.
    ipv4.FetchEntries(std::exchange(ipv4_before, ipv4.count), ipv4_flows);
    ipv6.FetchEntries(std::exchange(ipv6_before, ipv6.count), ipv6_flows);
    for (end = std::min(i + kStride, count); i < end; ++i) {
      const Frame& frame = frames[i];
      if (frame.length >= kShortestPlain) [[likely]] {
        if (PlainIpv4 plain; PlainIpv4::Read(frame, plain)) {
          ipv4.Add(i, frame, plain, ipv4_hasher, ipv4_index);
          continue;
        }
        if (PlainIpv6 plain; PlainIpv6::Read(frame, plain)) {
          ipv6.Add(i, frame, plain, ipv6_hasher, ipv6_index);
          continue;
        }
      }
      Parse(frame, parse_, parsed_[i]);
      burst.unread &= ~(std::uint64_t{1} << i);
      if (parsed_[i].Is(ParsedPacket::kFragment)) return false;
      Sort(i, keeper, burst);
    }
  }
  return true;
}

void ReadStage::BeginGathering(std::span<const Frame> frames, const FlowKeeper& keeper) {
  fragments_.Expire(keeper.now_ns());
  ParseBurst(frames, parse_, given_packets_.data());
  given_ = frames;
  next_given_ = next_released_ = 0;
}

void ReadStage::BeginClearing() {
  fragments_.Clear();
  given_ = {};
  next_given_ = next_released_ = 0;
}

// What a fragment released comes right after it, and what was released before (by time) before all others. Admit, which
// overwrites what is released, is called only when all of that was taken.
bool ReadStage::Gather(const FlowKeeper& keeper, bool tells, Burst& burst) {
  std::uint32_t count = 0;
  const auto gather = [&](const Frame& frame, const ParsedPacket& packet) {
    gathered_[count] = frame;
    parsed_[count++] = packet;
  };
  while (count < kMaxBurst) {
    const std::span<ReleasedFragment> released = fragments_.released();
    if (next_released_ < released.size()) {
      gather(released[next_released_].frame, released[next_released_].packet);
      ++next_released_;
      continue;
    }
    if (next_given_ == given_.size()) break;
    const Frame& frame = given_[next_given_];
    ParsedPacket& packet = given_packets_[next_given_++];
    if (packet.reason == DropReason::kNone && packet.Is(ParsedPacket::kFragment)) {
      next_released_ = 0;
      if (fragments_.Admit(frame, packet, keeper.now_ns()) == FragmentFate::kHeld) continue;
    }
    gather(frame, packet);
  }
  if (count == 0) return false;
  burst.Begin(gathered_.data(), parsed_.data(), count, tells);
  for (std::uint32_t i = 0; i < count; ++i) Sort(i, keeper, burst);
  return true;
}

// Tells the packets that go through the flow table from those whose fate is known, or is no flow's.
inline void ReadStage::Sort(std::uint32_t index, const FlowKeeper& keeper, Burst& burst) {
  constexpr std::uint16_t kSpecial = ParsedPacket::kPass | ParsedPacket::kAlwaysPass | ParsedPacket::kIcmpError;
  const ParsedPacket& packet = burst.packets[index];
  if (packet.reason == DropReason::kNone && !packet.Is(kSpecial) && !keeper.closed()) [[likely]] {
    if (packet.family == Family::kIpv4) {
      burst.ipv4.Add(index, burst.frames[index], packet, keeper.flows<Ipv4FlowKey>());
    } else {
      burst.ipv6.Add(index, burst.frames[index], packet, keeper.flows<Ipv6FlowKey>());
    }
    return;
  }
  if (packet.reason != DropReason::kNone) {
    burst.Drop(index, packet.reason);
  } else if (packet.Is(ParsedPacket::kPass | ParsedPacket::kAlwaysPass)) {
    return;
  } else if (keeper.closed()) {
    burst.Drop(index, DropReason::kNoPolicy);
  } else {
    burst.AddMiss({.packet = index, .slot = Miss::kNoSlot, .family = packet.family},
                  {packet.source(), packet.destination(), packet.protocol, packet.destination_port});
  }
}

}  // namespace sluice
