// A burst on its way through the stages: its frames, and what each stage found out for the next.
//
//   read        stage_read.h     frames           -> packets, keys; fates of what is malformed
//   find flows  stage_find.h     keys             -> flows; the packets of flows that are judged are done
//   judge       stage_judge.h    misses           -> flows that are opened or judged again; fates
//   dns         stage_dns.h  watched packets  -> copies for who listens to DNS; answers that wait
//   account     stage_account.h  flows            -> rules' counters (flows count their packets as they are met)
//   emit        stage_emit.h     frames and fates -> what leaves, what is dropped, counters
//
// Plain data with the few functions that read it. One Burst a worker, used again and again; not shared between threads.
#ifndef SLUICE_DATAPLANE_CORE_BURST_H_
#define SLUICE_DATAPLANE_CORE_BURST_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "core/flow_state.h"
#include "core/flow_table.h"
#include "core/outcome.h"
#include "core/packet.h"
#include "core/parse.h"
#include "sluice/drop_reason.h"
#include "table/classify.h"

namespace sluice {

// A bit a packet, in `Burst::unread` and `Lane::in_secondary`.
static_assert(kMaxBurst <= 64);
static_assert(kMaxBurst <= Classifier::kMaxBurst);

// A packet that needs a classification: it has no flow, or one that must be judged again.
struct Miss {
  static constexpr std::uint32_t kNoSlot = kMaxBurst;

  std::uint32_t packet;
  std::uint32_t slot;  // in its family's lane; kNoSlot: an ICMP error
  Family family;
  Side side = Side::kOriginal;  // whose packet it was taken for: of kReply's, the query has the ends exchanged
};

// One packet of a lane. What each needs lies side by side, so that one address leads to all of it.
template <typename Key>
struct alignas(Key::kWords == 2 ? 16 : 64) LaneSlot {
  Key key;
  FlowIndex::Place place;
  std::uint32_t packet;  // in the burst
  std::uint32_t flow;    // candidate
  std::uint32_t length;  // of the whole frame
  std::uint16_t turn;    // the packet's event, and whose it is: of Lane::kTurns
};
static_assert(sizeof(LaneSlot<Ipv4FlowKey>) == 48);
static_assert(sizeof(LaneSlot<Ipv6FlowKey>) == 64);

// One address family's share of a burst. A packet's place in it is its slot.
template <typename Key>
struct Lane {
  using Slot = LaneSlot<Key>;

  std::uint32_t count = 0;
  std::uint64_t in_secondary = 0;  // bit i: slot i's candidate is still to be found there
  std::array<Slot, kMaxBurst> slots;

  static constexpr std::uint16_t kFromGreater = static_cast<std::uint16_t>(FlowWay::kFromGreater);
  static_assert(kFromGreater >= kFlowEvents && kDataEvent == 0);
  static constexpr std::uint16_t kSteady = FlowEntry<Key>::kSteadyFromLesser | FlowEntry<Key>::kSteadyFromGreater;
  // A packet's turn, by its event and whether its source is the greater end. The flag of kSteady that it has, if any,
  // is the one that an entry has where such a packet leaves the flow's state as it is.
  static constexpr std::array<std::array<std::uint16_t, 2>, kFlowEvents> kTurns = [] {
    std::array<std::array<std::uint16_t, 2>, kFlowEvents> turns{};
    for (std::uint16_t event = 0; event < kFlowEvents; ++event) {
      turns[event] = {event, static_cast<std::uint16_t>(event | kFromGreater)};
    }
    turns[kDataEvent][0] |= FlowEntry<Key>::kSteadyFromLesser;
    turns[kDataEvent][1] |= FlowEntry<Key>::kSteadyFromGreater;
    return turns;
  }();

  void Clear() {
    count = 0;
    in_secondary = 0;
  }
  void Add(std::uint32_t index, const Frame& frame, const ParsedPacket& parsed, const FlowTable<Key>& flows) {
    Slot& slot = slots[count];
    const bool greater = Key::Make(parsed, slot.key);
    const FlowIndex flow_index = flows.index();
    SetPlace(slot, flow_index.PlaceOf(flows.hasher()(slot.key)), flow_index);
    Describe(slot, index, frame, greater, EventOf(parsed));
    if (count >= kAhead) FetchEntry(&slot - kAhead, flow_index, flows.entries());
    ++count;
  }
  static void SetPlace(Slot& slot, const FlowIndex::Place& place, const FlowIndex& flow_index) {
    flow_index.Prefetch(place);
    slot.place = place;
  }
  static void Describe(Slot& slot, std::uint32_t index, const Frame& frame, bool source_is_greater, FlowEvent event) {
    slot.packet = index;
    slot.length = frame.frame_length;
    slot.turn = kTurns[event][source_is_greater ? 1 : 0];
  }
  // How many slots are filled between the fetching of a slot's bucket and its use. Fewer are quicker where all flows
  // are in a near cache, by a little; more where they are in memory, by a lot.
  static constexpr std::uint32_t kAhead = 16;
  // Finds the candidate of a slot whose bucket was fetched, and fetches what to look at next.
  void FetchEntry(Slot* slot, const FlowIndex& index, const FlowEntry<Key>* entries) {
    const std::uint32_t matches = index.MatchesInPrimary(slot->place);
    if (matches == 0) [[unlikely]]
      return LookElsewhere(slot, index);
    slot->flow = index.FirstOf(slot->place, matches);
    FlowTable<Key>::PrefetchEntry(entries, slot->flow);
  }
  // The same of the last ones, after which all have their candidate.
  void FetchLastEntries(const FlowTable<Key>& table) {
    const FlowIndex index = table.index();  // a copy, which stays in registers
    const FlowEntry<Key>* const entries = table.entries();
    for (std::uint32_t slot = count - std::min(count, kAhead); slot < count; ++slot) {
      FetchEntry(&slots[slot], index, entries);
    }
    if (in_secondary != 0) FetchFromSecondary(table);
  }
  // What the packet asks of the table: the other way round, where its flow's originator is not its source.
  ClassifyQuery Query(std::uint32_t slot, Side side) const {
    const FlowEnd lesser = Key::Lesser(slots[slot].key.words), greater = Key::Greater(slots[slot].key.words);
    const bool greater_first = SourceIsGreater(slot) != (side == Side::kReply);
    const FlowEnd& source = greater_first ? greater : lesser;
    const FlowEnd& destination = greater_first ? lesser : greater;
    return {source.address, destination.address, Protocol(slot), destination.port};
  }
  std::uint8_t Protocol(std::uint32_t slot) const { return Key::Protocol(slots[slot].key.words); }
  bool SourceIsGreater(std::uint32_t slot) const { return (slots[slot].turn & kFromGreater) != 0; }
  FlowEvent EventAt(std::uint32_t slot) const { return static_cast<FlowEvent>(slots[slot].turn & (kFlowEvents - 1)); }
  FlowWay WayAt(std::uint32_t slot) const { return static_cast<FlowWay>(slots[slot].turn & kFromGreater); }
  // The same of a steady packet, whose event is 0: the shift by it needs no further instruction.
  FlowWay WayOfSteady(std::uint32_t slot) const {
    return static_cast<FlowWay>(slots[slot].turn & (2 * kFromGreater - 1));
  }
  // Whether the packet leaves the flow's state as it is.
  bool IsSteady(std::uint32_t slot, const FlowEntry<Key>& entry) const {
    return (slots[slot].turn & entry.flags() & kSteady) != 0;
  }
  // Whether a packet without a flow belongs to a connection that began unseen.
  bool IsPickedUp(std::uint32_t slot) const {
    static_assert(kTcpSynEvent == static_cast<int>(kSctpInitEvent));
    return HasConnections(Protocol(slot)) && EventAt(slot) != kTcpSynEvent;
  }
  Side Guess(std::uint32_t slot) const {
    const std::uint16_t lesser = Key::Lesser(slots[slot].key.words).port,
                        greater = Key::Greater(slots[slot].key.words).port;
    return SourceIsGreater(slot) ? GuessSide(greater, lesser) : GuessSide(lesser, greater);
  }
  Side SideOf(std::uint32_t slot, const FlowEntry<Key>& entry) const {
    return SourceIsGreater(slot) == entry.Has(FlowEntry<Key>::kOriginatorIsGreater) ? Side::kOriginal : Side::kReply;
  }

 private:
  // Of slots that stand in their secondary bucket, which has come.
  [[gnu::noinline]] void FetchFromSecondary(const FlowTable<Key>& table) {
    for (; in_secondary != 0; in_secondary &= in_secondary - 1) {
      Slot& slot = slots[static_cast<std::size_t>(std::countr_zero(in_secondary))];
      const std::uint32_t candidate = table.index().SecondaryCandidate(slot.place);
      slot.flow = candidate == kNoFlow ? 0 : candidate;
      table.PrefetchEntry(slot.flow);
    }
  }
  // Of a slot of which its primary bucket knows nothing. Its candidate is an entry that is not it.
  [[gnu::noinline]] void LookElsewhere(Slot* slot, const FlowIndex& index) {
    slot->flow = 0;
    if (!index.MayBeInSecondary(slot->place)) return;
    in_secondary |= std::uint64_t{1} << (slot - slots.data());
    index.PrefetchSecondary(slot->place);
  }
};

struct Burst {
  // Given.
  const Frame* frames = nullptr;
  std::uint32_t count = 0;
  bool tells = false;  // somebody wants outcomes

  // Read.
  ParsedPacket* packets = nullptr;
  std::uint64_t unread = 0;  // bit i: packets[i] is still to be filled in
  Lane<Ipv4FlowKey> ipv4;
  Lane<Ipv6FlowKey> ipv6;

  // Find flows.
  std::uint32_t miss_count = 0;
  std::array<Miss, kMaxBurst> misses;
  std::array<ClassifyQuery, kMaxBurst> queries;  // of each miss

  // What becomes of each: any stage may say.
  std::uint32_t dropped = 0;
  std::array<DropReason, kMaxBurst> fates;  // kNone: forwarded
  std::array<Verdict, kMaxBurst> verdicts;  // of those that are not
  std::array<Outcome, kMaxBurst> outcomes;

  // Of the few that are DNS: what no other packet touches comes last.
  std::uint64_t watched = 0;  // bit i: the packet belongs to a flow that DnsStage looks at
  std::uint64_t held = 0;     // bit i: it waits, and is no part of this burst any more

  void Begin(const Frame* new_frames, ParsedPacket* new_packets, std::uint32_t new_count, bool new_tells) {
    frames = new_frames;
    packets = new_packets;
    count = new_count;
    tells = new_tells;
    unread = 0;
    watched = held = 0;
    dropped = miss_count = 0;
    ipv4.Clear();
    ipv6.Clear();
    fates.fill(DropReason::kNone);
    verdicts.fill(Verdict::kDrop);
    if (!tells) return;
    for (std::uint32_t i = 0; i < count; ++i) {
      outcomes[i] = {};
      outcomes[i].handle = frames[i].handle;
    }
  }

  template <typename Key>
  Lane<Key>& lane() {
    if constexpr (Key::kFamily == Family::kIpv4)
      return ipv4;
    else
      return ipv6;
  }

  // A TCP or UDP packet without anything special, of which no ParsedPacket was made yet.
  bool IsPlain(std::uint32_t index) const { return (unread >> index & 1) != 0; }
  const ParsedPacket& PacketAt(std::uint32_t index) {
    if (IsPlain(index)) {
      Parse(frames[index], ParseConfig{}, packets[index]);  // of plain packets, no configuration says anything
      unread &= ~(std::uint64_t{1} << index);
    }
    return packets[index];
  }
  bool IsLaterFragment(std::uint32_t index) const {
    return !IsPlain(index) && packets[index].Is(ParsedPacket::kFragment) &&
           !packets[index].Is(ParsedPacket::kFirstFragment);
  }

  void Drop(std::uint32_t index, DropReason reason) {
    fates[index] = reason;
    ++dropped;
  }
  void Watch(std::uint32_t index) { watched |= std::uint64_t{1} << index; }
  void AddMiss(const Miss& miss, const ClassifyQuery& query) {
    queries[miss_count] = query;
    misses[miss_count++] = miss;
  }
  // Whose packet it is taken for, where it has no flow. A later fragment says nothing of its connection, and is judged
  // as it stands.
  template <typename Key>
  Side SideWithoutFlow(std::uint32_t slot) {
    const Lane<Key>& own = lane<Key>();
    return own.IsPickedUp(slot) && !IsLaterFragment(own.slots[slot].packet) ? own.Guess(slot) : Side::kOriginal;
  }
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_BURST_H_
