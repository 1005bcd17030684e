#include "core/stage_find.h"

#include <bit>

namespace sluice {
namespace {

template <typename Key>
void Defer(Burst& burst, std::uint32_t slot, Side side) {
  const Lane<Key>& lane = burst.lane<Key>();
  burst.AddMiss({lane.slots[slot].packet, slot, Key::kFamily, side}, lane.Query(slot, side));
}

template <typename Key>
void DeferWithoutFlow(Burst& burst, std::uint32_t slot) {
  Defer<Key>(burst, slot, burst.SideWithoutFlow<Key>(slot));
}

// For a packet that changes its flow's state, or whose flow is over or may have to be judged again.
template <typename Key>
void HitSlowly(FlowKeeper& keeper, Burst& burst, std::uint32_t slot, std::uint32_t flow) {
  FlowEntry<Key>& entry = keeper.flows<Key>().entry(flow);
  if (!entry.live()) return DeferWithoutFlow<Key>(burst, slot);  // the candidate is a free entry
  if (entry.generation == keeper.judged_now() && !keeper.IsExpired(entry) &&
      AdvanceFlow<Key>(keeper, burst, slot, flow)) {
    return;
  }
  // Later packets of this burst must not overtake this packet's judgement. If an earlier generation
  // judged the flow, the flow keeps that generation: it tells which epoch the flow's rules belong to.
  keeper.Fold<Key>(flow);
  if (entry.generation == keeper.judged_now()) Publish(entry.generation, FlowKeeper::kJudgeAgain);
  Defer<Key>(burst, slot, burst.lane<Key>().SideOf(slot, entry));
}

// For packets of flows that an earlier table judged. It gets all packets of such a flow in this burst, in their order.
template <typename Key>
[[gnu::noinline]] void MeetStale(FlowKeeper& keeper, Burst& burst, std::uint64_t slots) {
  const Lane<Key>& lane = burst.lane<Key>();
  for (std::uint64_t rest = slots; rest != 0; rest &= rest - 1) {
    keeper.account().PrefetchFold(keeper.flows<Key>(), lane.slots[std::countr_zero(rest)].flow);
  }
  for (std::uint64_t rest = slots; rest != 0; rest &= rest - 1) {
    const auto slot = static_cast<std::uint32_t>(std::countr_zero(rest));
    HitSlowly<Key>(keeper, burst, slot, lane.slots[slot].flow);
  }
}

// Handles a packet that FindInLane's loop cannot. Returns true if an earlier table judged its flow, and the table
// in force may judge it differently. A function of its own, so that the loop keeps what it needs in registers.
template <typename Key>
[[gnu::noinline]] bool MeetOther(FlowKeeper& keeper, Burst& burst, std::uint32_t slot, std::uint32_t fresh_ms) {
  Lane<Key>& lane = burst.lane<Key>();
  LaneSlot<Key>& own = lane.slots[slot];
  FlowTable<Key>& flows = keeper.flows<Key>();
  if (!flows.entry(own.flow).Is(own.key)) {
    own.flow = flows.Find(own.key, own.place);
    if (own.flow == kNoFlow) {
      DeferWithoutFlow<Key>(burst, slot);
      return false;
    }
  }
  FlowEntry<Key>& entry = flows.entry(own.flow);
  if (entry.generation != keeper.judged_now()) {
    if (!keeper.IsStillJudged(entry)) {
      flows.PrefetchRecord(own.flow);
      return true;
    }
    Publish(entry.generation, keeper.judged_now());
  }
  if (lane.IsSteady(slot, entry) && keeper.now_ms() - entry.last_seen_ms < fresh_ms) {
    keeper.Count<Key>(own.flow, own.length, lane.WayOfSteady(slot));
  } else {
    HitSlowly<Key>(keeper, burst, slot, own.flow);
  }
  return false;
}

// A function of its own, since it is due only once in a few hundred packets.
template <typename Key>
[[gnu::noinline]] void FoldDue(FlowKeeper& keeper, std::uint32_t flow) {
  keeper.Fold<Key>(flow);
}

// For the common packet: its flow is there, this generation judged the flow, and the packet leaves its state as it is.
template <typename Key>
[[gnu::noinline]] void FindInLane(FlowKeeper& keeper, Burst& burst) {
  using Entry = FlowEntry<Key>;
  Lane<Key>& lane = burst.lane<Key>();
  FlowTable<Key>& flows = keeper.flows<Key>();
  const std::uint32_t count = lane.count;
  lane.FetchLastEntries(flows);
  const std::uint32_t now_ms = keeper.now_ms();
  const std::uint32_t generation = keeper.judged_now();
  // If outcomes are wanted, every packet takes the long way.
  const std::uint32_t fresh_ms = burst.tells ? 0 : keeper.shortest_timeout_ms();
  std::uint64_t stale = 0;
  Entry* const entries = flows.entries();
  const LaneSlot<Key>* own = lane.slots.data();
  for (std::uint32_t slot = 0; slot < count; ++slot, ++own) {
    Entry& entry = entries[own->flow];
    if (entry.Is(own->key) && entry.generation == generation && lane.IsSteady(slot, entry) &&
        now_ms - entry.last_seen_ms < fresh_ms) [[likely]] {
      if (entry.CountPacket(own->length, now_ms, lane.WayOfSteady(slot))) [[unlikely]]
        FoldDue<Key>(keeper, own->flow);
      continue;
    }
    if (MeetOther<Key>(keeper, burst, slot, fresh_ms)) stale |= std::uint64_t{1} << slot;
  }
  if (stale != 0) [[unlikely]]
    MeetStale<Key>(keeper, burst, stale);
}

}  // namespace

void FindFlows(FlowKeeper& keeper, Burst& burst) {
  if (burst.ipv4.count != 0) FindInLane<Ipv4FlowKey>(keeper, burst);
  if (burst.ipv6.count != 0) FindInLane<Ipv6FlowKey>(keeper, burst);
}

template <typename Key>
bool AdvanceFlow(FlowKeeper& keeper, Burst& burst, std::uint32_t slot, std::uint32_t flow) {
  using Entry = FlowEntry<Key>;
  const Lane<Key>& lane = burst.lane<Key>();
  FlowTable<Key>& flows = keeper.flows<Key>();
  Entry& entry = flows.entry(flow);
  const Side side = lane.SideOf(slot, entry);
  const FlowState next = NextState(entry.state(), side, lane.EventAt(slot));
  if (next == FlowState::kReopen) return false;
  if (next != entry.state()) {
    const bool closes = next == FlowState::kTcpCloseReply || next == FlowState::kSctpClosed;
    const bool other_spoke = (side == Side::kReply) != entry.Has(Entry::kReplyFirst);
    const bool replied = entry.Has(Entry::kReplied) || (other_spoke && !closes);
    entry.SetState(next, static_cast<std::uint8_t>(entry.flags() | (replied ? Entry::kReplied : 0)));
    if (replied && IsAssured(next)) flows.Keep(flow);
  }
  keeper.Count<Key>(flow, lane.slots[slot].length, lane.WayAt(slot));
  if (entry.IsWatched()) burst.Watch(lane.slots[slot].packet);
  Outcome& outcome = burst.outcomes[lane.slots[slot].packet];
  outcome.state = side == Side::kReply         ? PacketState::kReply
                  : entry.Has(Entry::kReplied) ? PacketState::kEstablished
                                               : PacketState::kNew;
  outcome.decided = true;
  outcome.egress = {flows.rules(flow).egress, true};
  outcome.ingress = {flows.rules(flow).ingress, true};
  return true;
}

template bool AdvanceFlow<Ipv4FlowKey>(FlowKeeper&, Burst&, std::uint32_t, std::uint32_t);
template bool AdvanceFlow<Ipv6FlowKey>(FlowKeeper&, Burst&, std::uint32_t, std::uint32_t);

}  // namespace sluice
