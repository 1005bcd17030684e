// The pipeline of one worker: a packet's whole walk, stage at a time over a burst.
//
//   parse -> fragments -> flow lookup -> (miss: classify) -> state update -> verdict
//
// One Pipeline belongs to one thread. Per packet there is no lock, allocation, system call, log line, exception or
// virtual call. Every packet ends in exactly one counter. Time comes from the caller (the worker's clock, or a
// capture's stamps).
#ifndef SLUICE_DATAPLANE_CORE_PIPELINE_H_
#define SLUICE_DATAPLANE_CORE_PIPELINE_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "core/counters.h"
#include "core/drop_ring.h"
#include "core/flow_memory.h"
#include "core/flow_state.h"
#include "core/flow_table.h"
#include "core/fragments.h"
#include "core/packet.h"
#include "core/parse.h"
#include "core/rule_counters.h"
#include "sluice/diagnostic.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

// What a tool wants to know of one packet. Filled only where asked for.
enum class PacketState : std::uint8_t { kNone, kNew, kEstablished, kReply, kRelated };

struct Outcome {
  void* handle = nullptr;
  Verdict verdict = Verdict::kForward;
  DropReason reason = DropReason::kNone;
  PacketState state = PacketState::kNone;
  bool decided = false;  // a policy was asked; egress and ingress say what it said
  Exemption exemption = Exemption::kNone;
  Decision egress;
  Decision ingress;
};

// A frame that the pipeline made itself: a TCP reset or an ICMP error.
struct MadeFrame {
  std::uint16_t port = 0;  // the port it must leave by
  std::uint16_t length = 0;
  std::uint8_t bytes[190];
};

// What a call left to be done with buffers. The owner clears it between calls. Held fragments appear in none of the
// lists until a later call releases them.
struct PipelineOutput {
  std::vector<Frame> forward;                // transmit on port ^ 1, in this order
  std::vector<Frame> drop;                   // free
  std::vector<MadeFrame> made;               // copy and transmit
  std::vector<Outcome>* outcomes = nullptr;  // where set: one for each packet, when its fate is known

  void Clear();
};

enum class ActionOnDeny : std::uint8_t { kDrop, kReject };

struct PipelineConfig {
  ParseConfig parse;
  Timeouts timeouts;
  ActionOnDeny action_on_deny = ActionOnDeny::kDrop;
  std::uint32_t rejects_per_second = 1000;  // a worker; what is above is dropped silently
  bool tcp_strict = false;                  // TCP without a flow and without SYN: dropped as tcp_no_syn
  bool fail_closed = true;                  // before any policy: drop what could concern a pod (all IP)
  bool drop_unknown_endpoint = true;
  std::uint32_t flow_capacity_ipv4 = 1u << 20;  // flows a worker
  std::uint32_t flow_capacity_ipv6 = 1u << 18;
  std::uint32_t fragment_trains = 4096;    // datagrams under way at once
  std::uint32_t fragments_held = 1024;     // frames that wait for their first fragment, in all
  std::uint32_t fragments_held_each = 16;  // ... of one datagram
  std::uint32_t fragment_timeout_ms = 1000;
  std::uint64_t hash_seed = 0;  // 0: random
};

class Pipeline {
 public:
  // Or why there is no memory for its flows. Everything is allocated here (Reserve says what else).
  static std::variant<std::unique_ptr<Pipeline>, Diagnostic> Create(const PipelineConfig& config,
                                                                    const FlowMemory& memory = FlowMemory::Heap());
  ~Pipeline();

  // The worker's thread. `table` must stay valid during the call; its generation may only ascend from call to call,
  // also from epoch to epoch. `now_ns` may start anywhere; where it goes back, it is taken to stand still.

  // Takes the frames on. What becomes of them is appended to `out`.
  void Process(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out);
  // The same for up to kMaxBurst frames, but where all of them are to be forwarded, in this order, it returns true and
  // leaves them out of `out`, which may have others in it all the same.
  bool Pass(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out);

  // What is to be done from time to time, beside packets: expires flows, judges idle ones again after a swap, brings
  // the rules' counters up to date, ends fragments that wait in vain. Looks at up to `entries` flows; returns whether
  // it has now come round, having looked at all.
  bool Housekeep(const Table& table, std::uint64_t now_ns, std::uint32_t entries, PipelineOutput& out);
  // How many it looks at until it has come round.
  std::uint32_t flow_limit() const { return ipv4_.flows->used_limit() + ipv6_.flows->used_limit(); }
  // In between, while IsBehind: looks at up to `entries` flows, and judges again up to kMaxBurst of each family, after
  // a swap.
  void CatchUp(const Table& table, std::uint64_t now_ns, std::uint32_t entries, PipelineOutput& out);
  // Whether flows may be left that neither has met since the table changed.
  bool IsBehind() const { return ipv4_.behind + ipv6_.behind != 0; }

  // At the end of all: what waits for a first fragment is dropped, and every packet counted to its rules.
  void Finish(PipelineOutput& out);

  // Puts a frame that was lost outside of the pipeline into the drop ring, which must watch for the reason.
  void RecordLost(const Frame& frame, DropReason reason);

  // Any thread.
  const PipelineCounters& counters() const { return counters_; }
  // What was dropped, while somebody watches.
  DropRing& drop_ring() const { return *drop_ring_; }
  // Makes room for the counters of the table's rules. Call it before publishing the table, lest the worker has to.
  void Reserve(const Table& table);
  // Zero where `epoch` is neither the current one nor the one before.
  RuleCount CountOf(std::uint64_t epoch, RuleId rule) const;
  std::uint32_t flow_count() const { return ipv4_.flows->size() + ipv6_.flows->size(); }
  std::uint32_t flow_capacity() const { return ipv4_.flows->capacity() + ipv6_.flows->capacity(); }
  std::uint64_t MemoryBytes() const { return ipv4_.flows->MemoryBytes() + ipv6_.flows->MemoryBytes(); }
  // How long ago a flow's last packet came, as of the worker's last burst.
  std::uint64_t IdleMs(const FlowView& flow) const {
    return now_ms_.load(std::memory_order_relaxed) - flow.last_seen_ms;
  }
  // Calls visit(const FlowView&) for each flow, without stopping the worker. Rules of an epoch that is over are
  // kNoRule.
  template <typename Visit>
  void ForEachFlow(Visit visit) const {
    const auto show = [&](FlowView& flow) {
      const auto judged = static_cast<std::uint32_t>(flow.generation);
      // After the flow: who saw its generation sees the pipeline's.
      if (judged != kJudgeAgain) {
        flow.generation = WholeGeneration(generation_.load(std::memory_order_acquire), judged);
      }
      if (flow.generation < first_generation_.load(std::memory_order_relaxed)) flow.egress_rule = flow.ingress_rule = 0;
      visit(static_cast<const FlowView&>(flow));
    };
    ipv4_.flows->ForEach(show);
    ipv6_.flows->ForEach(show);
  }

 private:
  // A flow of this generation is judged by its next packet, whatever the table. No table that judges has it.
  static constexpr std::uint32_t kJudgeAgain = 0;

  // A packet that needs a classification: no flow, or one that must be judged again.
  static constexpr std::uint32_t kNoSlot = kMaxBurst;
  struct Deferred {
    std::uint32_t packet;
    std::uint32_t slot;  // in its family's lane; kNoSlot: an ICMP error
    Family family;
    Side side = Side::kOriginal;  // whose packet it was taken for: of kReply's, the query has the ends exchanged
  };

  // One address family's share of a burst, and its flows.
  template <typename Key>
  struct Lane {
    std::unique_ptr<FlowTable<Key>> flows;
    std::uint32_t count = 0;
    std::array<std::uint32_t, kMaxBurst> packet;
    std::array<Key, kMaxBurst> key;
    std::array<FlowIndex::Place, kMaxBurst> place;
    std::array<std::uint32_t, kMaxBurst> flow;    // candidate
    std::array<std::uint32_t, kMaxBurst> length;  // of the whole frame
    std::array<std::uint16_t, kMaxBurst> turn;    // the packet's event, and whose it is: of kTurns
    std::uint32_t fetched = 0;                    // slots that have a candidate
    std::uint64_t in_secondary = 0;               // bit i: slot i's candidate is still to be found there
    std::uint32_t sweep_next = 0;
    // After a new table: the entries below judge_limit are looked at, beginning with whichever is next. Those above it
    // were first used since, by flows that the table judged.
    std::uint32_t judge_next = 0;
    std::uint32_t judge_limit = 0;
    std::uint32_t behind = 0;  // how many are left

    static constexpr std::uint16_t kFromGreater = kFlowEvents;
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

    // The key is built where it stays: a copy would have to wait for the stores that built it.
    void Add(std::uint32_t index, const Frame& frame, const ParsedPacket& parsed) {
      const bool greater = Key::Make(parsed, key[count]);
      place[count] = flows->PlaceOf(key[count]);
      flows->Prefetch(place[count]);
      Added(index, frame, greater, EventOf(parsed));
    }
    template <typename Plain>
    void Add(std::uint32_t index, const Frame& frame, const Plain& plain, const FlowHasher& hasher,
             const FlowIndex& flow_index) {
      const bool greater = MakeKey(plain, key[count]);
      place[count] = flow_index.PlaceOf(hasher(key[count]));
      flow_index.Prefetch(place[count]);
      Added(index, frame, greater, plain.event);
    }
    void Added(std::uint32_t index, const Frame& frame, bool source_is_greater, FlowEvent event) {
      packet[count] = index;
      length[count] = frame.frame_length;
      turn[count] = kTurns[event][source_is_greater ? 1 : 0];
      ++count;
    }
    // Finds the candidates of the slots up to `end`, whose buckets were fetched, and fetches what to look at next.
    void FetchEntries(std::uint32_t end) {
      const FlowIndex index = flows->index();  // a copy, which stays in registers
      for (; in_secondary != 0; in_secondary &= in_secondary - 1) {
        const auto slot = static_cast<std::uint32_t>(std::countr_zero(in_secondary));
        const std::uint32_t candidate = index.SecondaryCandidate(place[slot]);
        flow[slot] = candidate == kNoFlow ? 0 : candidate;
        flows->PrefetchEntry(flow[slot]);
      }
      const FlowTable<Key>& table = *flows;
      for (std::uint32_t slot = fetched; slot < end; ++slot) {
        std::uint32_t candidate = index.Candidate(place[slot]);
        if (candidate >= FlowIndex::kInSecondary) [[unlikely]] {
          if (candidate == FlowIndex::kInSecondary) {
            in_secondary |= std::uint64_t{1} << slot;
            index.PrefetchSecondary(place[slot]);
          }
          candidate = 0;  // which is not it
        }
        flow[slot] = candidate;
        table.PrefetchEntry(candidate);
      }
      fetched = end;
    }
    // What the packet asks of the table: the other way round, where its flow's originator is not its source.
    ClassifyQuery Query(std::uint32_t slot, Side side) const {
      const FlowEnd lesser = Key::Lesser(key[slot].words), greater = Key::Greater(key[slot].words);
      const bool greater_first = SourceIsGreater(slot) != (side == Side::kReply);
      const FlowEnd& source = greater_first ? greater : lesser;
      const FlowEnd& destination = greater_first ? lesser : greater;
      return {source.address, destination.address, Key::Protocol(key[slot].words), destination.port};
    }
    bool SourceIsGreater(std::uint32_t slot) const { return (turn[slot] & kFromGreater) != 0; }
    FlowEvent EventAt(std::uint32_t slot) const { return static_cast<FlowEvent>(turn[slot] & (kFromGreater - 1)); }
    // Whether the packet leaves the flow's state as it is.
    bool IsSteady(std::uint32_t slot, const FlowEntry<Key>& entry) const {
      return (turn[slot] & entry.flags() & kSteady) != 0;
    }
    // Whether a packet without a flow belongs to a connection that others saw begin.
    bool IsPickedUp(std::uint32_t slot) const {
      static_assert(kTcpSynEvent == static_cast<int>(kSctpInitEvent));
      return HasConnections(Key::Protocol(key[slot].words)) && EventAt(slot) != kTcpSynEvent;
    }
    Side Guess(std::uint32_t slot) const {
      const std::uint16_t lesser = Key::Lesser(key[slot].words).port, greater = Key::Greater(key[slot].words).port;
      const bool swap = SourceIsGreater(slot);
      return swap ? GuessSide(greater, lesser) : GuessSide(lesser, greater);
    }
    Side SideOf(std::uint32_t slot, const FlowEntry<Key>& entry) const {
      return SourceIsGreater(slot) == entry.Has(FlowEntry<Key>::kOriginatorIsGreater) ? Side::kOriginal : Side::kReply;
    }
  };
  template <typename Key>
  Lane<Key>& lane() {
    if constexpr (Key::kFamily == Family::kIpv4)
      return ipv4_;
    else
      return ipv6_;
  }
  template <typename Key>
  const Lane<Key>& lane() const {
    return const_cast<Pipeline*>(this)->lane<Key>();
  }

  explicit Pipeline(const PipelineConfig& config);

  // pipeline.cc: the burst.
  void Start(const Table& table, std::uint64_t now_ns, PipelineOutput& out);
  bool ReadPlain(std::span<const Frame> frames);
  void Walk(const Frame* frames, ParsedPacket* packets, std::uint32_t count);
  void Begin(const Frame* frames, ParsedPacket* packets, std::uint32_t count);
  bool Decide();
  void WalkWithFragments(std::span<const Frame> frames);
  void DropReleased();
  void Sort(std::uint32_t index);
  // A TCP or UDP packet without anything special, of which no ParsedPacket was made yet.
  bool IsPlain(std::uint32_t index) const { return (unread_ >> index & 1) != 0; }
  const ParsedPacket& PacketAt(std::uint32_t index) {
    if (IsPlain(index)) {
      Parse(frames_[index], config_.parse, packets_[index]);
      unread_ &= ~(std::uint64_t{1} << index);
    }
    return packets_[index];
  }
  template <typename Key>
  void LookUp();
  template <typename Key>
  void MeetStale(std::uint64_t slots);
  template <typename Key>
  void HitSlowly(std::uint32_t slot, std::uint32_t flow);
  template <typename Key>
  void Defer(std::uint32_t slot, Side side);
  template <typename Key>
  Side SideWithoutFlow(std::uint32_t slot) const;
  bool Emit();
  DropRecord MakeRecord(const Frame& frame, const ParsedPacket& packet, DropReason reason);
  void RecordDrop(std::uint32_t index);

  // pipeline_judge.cc: what needs a classification.
  void Judge();
  template <typename Key>
  void PrefetchOpenings();
  template <typename Key>
  void Resolve(const Deferred& deferred, Classification& answer);
  template <typename Key>
  bool MeetFlow(const Deferred& deferred, std::uint32_t flow, Classification& answer);
  template <typename Key>
  bool MeetCutFlow(const Deferred& deferred, std::uint32_t flow, const Classification& answer);
  template <typename Key>
  void MeetNoFlow(const Deferred& deferred, Side side, Classification& answer, std::uint32_t replaced = kNoFlow);
  template <typename Key>
  void Open(std::uint32_t slot, Side side, const Classification& answer);
  template <typename Key>
  std::uint32_t InsertFlow(std::uint32_t slot, Side side, const Classification& answer);
  template <typename Key>
  bool Continue(std::uint32_t slot, std::uint32_t flow);
  template <typename Key>
  bool JudgeFlow(std::uint32_t flow, const Classification& answer);
  template <typename Key>
  bool IsRelated(const ParsedPacket& quoted);
  bool QuotesLiveFlow(std::uint32_t index);
  void PassStateless(std::uint32_t index, const Classification& answer);
  bool IsDenied(const Classification& answer) const;
  bool Admits(std::uint32_t index, const Classification& answer);
  bool IsLaterFragment(std::uint32_t index) const {
    return !IsPlain(index) && packets_[index].Is(ParsedPacket::kFragment) &&
           !packets_[index].Is(ParsedPacket::kFirstFragment);
  }
  void Deny(std::uint32_t index, DropReason reason, const Classification& answer, bool reset_both = false);
  void Answer(std::uint32_t index, bool reset_both);
  bool TakeToken();
  Classification ClassifyOne(const ClassifyQuery& query);

  template <typename Key>
  void Count(std::uint32_t flow, std::uint32_t length) {
    if (lane<Key>().flows->entry(flow).CountPacket(length, Now())) [[unlikely]]
      FoldFlow<Key>(flow);
  }

  // pipeline_sweep.cc: flows beside packets.
  void ChangeTable(const Table& table);
  template <typename Key>
  std::uint32_t Sweep(std::uint32_t entries);
  void JudgeIdle(std::uint32_t entries);
  template <typename Key>
  std::uint32_t JudgeIdle(std::uint32_t entries);
  // Flows to be judged again, gathered until they are worth a classification.
  template <typename Key>
  struct Stale {
    std::array<std::uint32_t, Classifier::kMaxBurst> flows;
    std::size_t count = 0;
  };
  template <typename Key>
  void JudgeIfStale(std::uint32_t flow, Stale<Key>& stale);
  template <typename Key>
  void JudgeBatch(Stale<Key>& stale);
  // Whether what this generation says of a flow is what the one that judged it said.
  template <typename Key>
  bool IsStillJudged(const FlowEntry<Key>& entry) const {
    if (!IsOfThisEpoch(entry.generation)) return false;
    const std::uint64_t judged = WholeGeneration(WholeNow(), entry.generation);
    return !table_->changes().Since(judged, Key::Lesser(entry.words).address) &&
           !table_->changes().Since(judged, Key::Greater(entry.words).address);
  }
  template <typename Key>
  void FoldFlow(std::uint32_t flow);
  // Ahead of FoldFlow: fetches the cells of the flow's rules.
  template <typename Key>
  void PrefetchFold(std::uint32_t flow) {
    const FlowTable<Key>& flows = *lane<Key>().flows;
    const RuleCounters& counters = CountersOf(flows.entry(flow).generation);
    counters.Prefetch(flows.rules(flow).egress);
    counters.Prefetch(flows.rules(flow).ingress);
  }
  template <typename Key>
  void FoldLane(bool judge_again);
  void FoldAll(bool judge_again);
  template <typename Key>
  void EndFlow(std::uint32_t flow);
  template <typename Key>
  void ExpireFlow(std::uint32_t flow);
  template <typename Key>
  bool IsExpired(const FlowEntry<Key>& entry) const {
    return Now() - entry.last_seen_ms > timeouts_.Of(entry.state(), entry.protocol());
  }
  std::uint32_t Now() const { return now_ms_.load(std::memory_order_relaxed); }

  RuleCounters& CurrentCounters() { return counters_of_[current_epoch_]; }
  std::uint64_t WholeNow() const { return generation_.load(std::memory_order_relaxed); }
  bool IsOfThisEpoch(std::uint32_t judged) const {
    return judged != kJudgeAgain &&
           WholeGeneration(WholeNow(), judged) >= first_generation_.load(std::memory_order_relaxed);
  }
  // Where a flow that this generation judged is to be counted.
  RuleCounters& CountersOf(std::uint32_t generation) {
    return counters_of_[current_epoch_.load(std::memory_order_relaxed) ^ (IsOfThisEpoch(generation) ? 0u : 1u)];
  }

  PipelineConfig config_;
  TimeoutTable timeouts_;
  Lane<Ipv4FlowKey> ipv4_;
  Lane<Ipv6FlowKey> ipv6_;
  Classifier classifier_;
  FragmentTable fragments_;
  PipelineCounters counters_;
  const std::unique_ptr<DropRing> drop_ring_ = std::make_unique<DropRing>();
  std::array<RuleCounters, 2>
      counters_of_;  // the current epoch, and the one before, whose flows are still to be folded
  std::atomic<std::uint32_t> current_epoch_ = 0;
  std::atomic<std::uint64_t> first_generation_ = 0;  // of the current epoch
  std::uint64_t first_generation_before_ = 0;        // of the epoch before
  std::uint64_t answer_credit_ns_ = 1'000'000'000;
  std::uint64_t answer_time_ns_ = 0;

  // Of the call.
  const Table* table_ = nullptr;
  PipelineOutput* out_ = nullptr;
  std::uint64_t now_ns_ = 0;
  std::atomic<std::uint32_t> now_ms_ = 0;
  std::atomic<std::uint64_t> generation_ = 0;
  std::uint32_t judged_now_ = 0;  // its lower half, which flows keep
  bool closed_ = false;           // no policy yet: drop what could concern a pod

  // Of the burst.
  const Frame* frames_ = nullptr;
  ParsedPacket* packets_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint64_t unread_ = 0;  // bit i: packets_[i] is still to be filled in
  std::uint32_t dropped_ = 0;
  std::uint32_t deferred_count_ = 0;
  std::array<DropReason, kMaxBurst> fates_;  // kNone: forwarded
  std::array<Verdict, kMaxBurst> verdicts_;  // of those that are not
  std::array<Outcome, kMaxBurst> outcomes_;  // where asked for
  std::array<Deferred, kMaxBurst> deferred_;
  std::array<ClassifyQuery, kMaxBurst> queries_;
  std::array<Classification, kMaxBurst> answers_;
  std::array<ParsedPacket, kMaxBurst> parsed_;
  std::array<Frame, kMaxBurst> gathered_frames_;  // where fragments come between
  std::array<ParsedPacket, kMaxBurst> gathered_packets_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PIPELINE_H_
