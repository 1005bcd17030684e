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

namespace {

// Adds frames to a lane, beginning with `first`, as long as they are plain frames of its family. Returns
// where it stopped. Each family has a function of its own, so that its loop keeps what it needs in registers.
template <typename Plain, typename Key>
[[gnu::noinline]] std::uint32_t AddPlain(std::span<const Frame> frames, std::size_t first, const FlowTable<Key>& flows,
                                         Lane<Key>& lane) {
  const FlowIndex index = flows.index();  // a copy: as far as the compiler knows, stores could change the original
  const FlowEntry<Key>* const entries = flows.entries();
  LaneSlot<Key>* slot = &lane.slots[lane.count];
  const LaneSlot<Key>* const first_ahead = &lane.slots[Lane<Key>::kAhead];
  std::size_t i = first;
  for (; i < frames.size(); ++i, ++slot) {
    const Frame& frame = frames[i];
    Plain plain;
    if (frame.length < kShortestPlain || !Plain::Read(frame, plain)) break;
    const bool greater = MakeKey(plain, slot->key);
    Lane<Key>::SetPlace(*slot, index.PlaceOf(flows.hasher()(slot->key)), index);
    Lane<Key>::Describe(*slot, static_cast<std::uint32_t>(i), frame, greater, plain.event);
    if (slot >= first_ahead) lane.FetchEntry(slot - Lane<Key>::kAhead, index, entries);
  }
  lane.count += static_cast<std::uint32_t>(i - first);
  return static_cast<std::uint32_t>(i);
}

}  // namespace

bool ReadStage::ReadPlain(std::span<const Frame> frames, const FlowKeeper& keeper, bool tells, Burst& burst) {
  const auto count = static_cast<std::uint32_t>(frames.size());
  if (keeper.closed()) return false;
  burst.Begin(frames.data(), parsed_.data(), count, tells);
  burst.unread = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < count;) {
    const std::uint32_t begin = i;
    i = AddPlain<PlainIpv4>(frames, i, keeper.flows<Ipv4FlowKey>(), burst.ipv4);
    if (i == count) break;
    i = AddPlain<PlainIpv6>(frames, i, keeper.flows<Ipv6FlowKey>(), burst.ipv6);
    if (i == begin && !ReadOther(i++, keeper, burst)) return false;
  }
  return true;
}

// Reads a frame that is not plain. Returns false if it is a fragment.
bool ReadStage::ReadOther(std::uint32_t index, const FlowKeeper& keeper, Burst& burst) {
  Parse(burst.frames[index], parse_, parsed_[index]);
  burst.unread &= ~(std::uint64_t{1} << index);
  if (parsed_[index].Is(ParsedPacket::kFragment)) return false;
  Sort(index, keeper, burst);
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

// Fragments that a fragment released come right after it; those that time released come before
// all others. Admit overwrites what is released, so it is called only when all of that was taken.
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

// Separates the packets that go through the flow table from those whose fate is known, or that no flow decides.
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
