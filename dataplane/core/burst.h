// A burst on its way through the stages: its frames, and what each stage found out for the next stage.
//
//   read        stage_read.h     frames           -> packets, keys; fates of malformed frames
//   find flows  stage_find.h     keys             -> flows; packets of judged flows are done
//   judge       stage_judge.h    misses           -> flows that are opened or judged again; fates
//   dns         stage_dns.h  watched packets  -> copies for the thread that listens to DNS; answers that wait
//   account     stage_account.h  flows            -> rules' counters (a flow counts a packet when the packet meets it)
//   emit        stage_emit.h     frames and fates -> what leaves, what is dropped, counters
//
// Plain data and the few functions that read it. Each worker has one Burst and reuses it; threads do not share it.
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

// One bit per packet, in `Burst::unread` and `Lane::in_secondary`.
static_assert(kMaxBurst <= 64);
static_assert(kMaxBurst <= Classifier::kMaxBurst);

// A packet that needs a classification: it has no flow, or one that must be judged again.
struct Miss {
  static constexpr std::uint32_t kNoSlot = kMaxBurst;

  std::uint32_t packet;
  std::uint32_t slot;  // in its family's lane; kNoSlot: an ICMP error
  Family family;
  Side side = Side::kOriginal;  // the side that the packet is taken to come from; kReply: the query exchanges the ends
};

// One packet of a lane. All fields of a packet lie side by side, so that one address leads to all of them.
template <typename Key>
struct alignas(Key::kWords == 2 ? 16 : 64) LaneSlot {
  Key key;
  FlowIndex::Place place;
  std::uint32_t packet;  // in the burst
  std::uint32_t flow;    // candidate
  std::uint32_t length;  // of the whole frame
  std::uint16_t turn;    // the packet's event and which end sent it: one of Lane::kTurns
};
static_assert(sizeof(LaneSlot<Ipv4FlowKey>) == 48);
static_assert(sizeof(LaneSlot<Ipv6FlowKey>) == 64);

// One address family's share of a burst. A packet's place in it is its slot.
template <typename Key>
struct Lane {
  using Slot = LaneSlot<Key>;

  std::uint32_t count = 0;
  std::uint64_t in_secondary = 0;  // bit i: slot i's candidate must still be found in its secondary bucket
  std::array<Slot, kMaxBurst> slots;

  static constexpr std::uint16_t kFromGreater = static_cast<std::uint16_t>(FlowWay::kFromGreater);
  static_assert(kFromGreater >= kFlowEvents && kDataEvent == 0);
  static constexpr std::uint16_t kSteady = FlowEntry<Key>::kSteadyFromLesser | FlowEntry<Key>::kSteadyFromGreater;
  // A packet's turn, by its event and by whether its source is the greater end. A turn may have one flag of kSteady. An
  // entry has the same flag if such a packet leaves the flow's state as it is.
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
  // How many slots are filled between fetching a slot's bucket and using it. Fewer are a little
  // quicker when all flows are in a near cache; more are much quicker when the flows are in memory.
  static constexpr std::uint32_t kAhead = 16;
  // Finds the candidate of a slot whose bucket was fetched, and fetches what the lookup reads next.
  void FetchEntry(Slot* slot, const FlowIndex& index, const FlowEntry<Key>* entries) {
    const std::uint32_t matches = index.MatchesInPrimary(slot->place);
    if (matches == 0) [[unlikely]]
      return LookElsewhere(slot, index);
    slot->flow = index.FirstOf(slot->place, matches);
    FlowTable<Key>::PrefetchEntry(entries, slot->flow);
  }
  // Does the same for the last slots. After it, every slot has its candidate.
  void FetchLastEntries(const FlowTable<Key>& table) {
    const FlowIndex index = table.index();  // a copy, which stays in registers
    const FlowEntry<Key>* const entries = table.entries();
    for (std::uint32_t slot = count - std::min(count, kAhead); slot < count; ++slot) {
      FetchEntry(&slots[slot], index, entries);
    }
    if (in_secondary != 0) FetchFromSecondary(table);
  }
  // What the packet asks of the table. If `side` is kReply, the ends are exchanged, so that the originator comes first.
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
  // The same for a steady packet: its event is 0, so the shift by the way needs no further instruction.
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
  // For slots whose candidate is in their secondary bucket, once that bucket has been fetched.
  [[gnu::noinline]] void FetchFromSecondary(const FlowTable<Key>& table) {
    for (; in_secondary != 0; in_secondary &= in_secondary - 1) {
      Slot& slot = slots[static_cast<std::size_t>(std::countr_zero(in_secondary))];
      const std::uint32_t candidate = table.index().SecondaryCandidate(slot.place);
      slot.flow = candidate == kNoFlow ? 0 : candidate;
      table.PrefetchEntry(slot.flow);
    }
  }
  // For a slot whose tag is not in its primary bucket. Its candidate becomes an entry that does not have its key.
  [[gnu::noinline]] void LookElsewhere(Slot* slot, const FlowIndex& index) {
    slot->flow = 0;
    if (!index.MayBeInSecondary(slot->place)) return;
    in_secondary |= std::uint64_t{1} << (slot - slots.data());
    index.PrefetchSecondary(slot->place);
  }
};

struct Burst {
  // Given by the caller.
  const Frame* frames = nullptr;
  std::uint32_t count = 0;
  bool tells = false;  // somebody wants outcomes

  // Filled by the read stage.
  ParsedPacket* packets = nullptr;
  std::uint64_t unread = 0;  // bit i: packets[i] must still be filled in
  Lane<Ipv4FlowKey> ipv4;
  Lane<Ipv6FlowKey> ipv6;

  // Filled by the find stage.
  std::uint32_t miss_count = 0;
  std::array<Miss, kMaxBurst> misses;
  std::array<ClassifyQuery, kMaxBurst> queries;  // of each miss

  // What becomes of each packet. Any stage may write it.
  std::uint32_t dropped = 0;
  std::array<DropReason, kMaxBurst> fates;  // kNone: forwarded
  std::array<Verdict, kMaxBurst> verdicts;  // of packets that are not forwarded
  std::array<Outcome, kMaxBurst> outcomes;

  // For the few packets that are DNS. It comes last, since no other packet touches it.
  std::uint64_t watched = 0;  // bit i: the packet belongs to a flow that DnsStage looks at
  std::uint64_t held = 0;     // bit i: the packet waits, and is no longer part of this burst

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

  // Whether the packet is plain TCP or UDP, and no ParsedPacket was made of it yet.
  bool IsPlain(std::uint32_t index) const { return (unread >> index & 1) != 0; }
  const ParsedPacket& PacketAt(std::uint32_t index) {
    if (IsPlain(index)) {
      Parse(frames[index], ParseConfig{}, packets[index]);  // the configuration does not matter for plain packets
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
  // Which side a packet without a flow is taken to come from. A later fragment says nothing about its connection, so it
  // is judged as it stands.
  template <typename Key>
  Side SideWithoutFlow(std::uint32_t slot) {
    const Lane<Key>& own = lane<Key>();
    return own.IsPickedUp(slot) && !IsLaterFragment(own.slots[slot].packet) ? own.Guess(slot) : Side::kOriginal;
  }
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_BURST_H_
