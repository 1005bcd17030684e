// A bounded ring with the ended flows of one worker, for the flow log: the worker writes it, and one reader reads it.
//
// A flow that ends while the ring is full is only counted: the worker never waits. The worker writes to memory that its
// caches have not seen for long, so it prefetches: one line for nearly every IPv4 flow, two lines for the others.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/counters.h"
#include "core/flow_events.h"
#include "core/prefetch.h"

namespace sluice {

struct FlowEndRecord {
  FlowView flow;  // without its times, which are on the worker's clock; the fields below replace them
  FlowEndCause cause = FlowEndCause::kExpired;
  std::uint32_t idle_ms = 0;  // from its last packet to its end
  std::uint64_t age_ms = 0;   // from its beginning
};

class FlowEndRing final : public FlowListener {
 public:
  static constexpr std::uint32_t kCapacity = 65536;

  // `capacity`: ends of any kind that fit; of those that take one line, twice as many fit. A power of two.
  explicit FlowEndRing(std::uint32_t capacity = kCapacity)
      : lines_(2 * capacity), ends_(std::make_unique<Line[]>(lines_)) {}

  // Called by the worker.
  bool WantsNext() override {
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    if (HasRoom(put)) return true;
    taken_seen_ = taken_.load(std::memory_order_acquire);
    if (HasRoom(put)) return true;
    lost_.Add(1);
    return false;
  }
  void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t now_ms) override {
    if (!WantsNext()) return;
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    const std::uint64_t age_ms = now_ms - flow.began_ms;
    const bool is_long =
        flow.source.address.family != Family::kIpv4 || UpperOf(age_ms, flow.traffic.packets, flow.reply.packets) != 0;
    At(put).head.Set(flow, cause, now_ms, is_long);
    if (is_long) At(put + 1).rest.Set(flow, age_ms);
    const std::uint32_t end = put + (is_long ? 2 : 1);
    put_.store(end, std::memory_order_release);
    PrefetchToWrite(&At(end + kAhead));
    if (is_long) PrefetchToWrite(&At(end + kAhead - 1));
  }
  bool Ipv4FlowEnded(const Ipv4FlowEnd& flow) override {
    if (!WantsNext()) return true;
    const std::uint64_t lesser = FlowTotal::Packets(flow.record.from_lesser.packets_and_moment);
    const std::uint64_t greater = FlowTotal::Packets(flow.record.from_greater.packets_and_moment);
    if (UpperOf(flow.now_ms - flow.began_ms, lesser + greater, lesser | greater) != 0) [[unlikely]]
      return false;
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    At(put).head.Set(flow, static_cast<std::uint32_t>(lesser), static_cast<std::uint32_t>(greater));
    put_.store(put + 1, std::memory_order_release);
    PrefetchToWrite(&At(put + 1 + kAhead));
    return true;
  }

  // Called by the reader. Calls visit(const FlowEndRecord&) for up to `most` ends, oldest first. Returns their number.
  template <typename Visit>
  std::uint32_t Take(std::uint32_t most, Visit visit) {
    std::uint32_t at = taken_.load(std::memory_order_relaxed);
    const std::uint32_t end = put_.load(std::memory_order_acquire);
    std::uint32_t count = 0;
    while (at != end && count < most) {
      const Head& head = At(at++).head;
      FlowEndRecord record = head.record();
      if (head.is_long) At(at++).rest.AddTo(record);
      visit(static_cast<const FlowEndRecord&>(record));
      ++count;
    }
    taken_.store(at, std::memory_order_release);
    return count;
  }

  // Flows that ended while the ring was full, since start. Any thread.
  std::uint64_t lost() const { return lost_.value(); }

 private:
  static constexpr std::uint32_t kAhead = 6;

  // The bits above the lower 32 of each value, combined.
  static std::uint64_t UpperOf(std::uint64_t age_ms, std::uint64_t packets, std::uint64_t reply_packets) {
    return (age_ms | packets | reply_packets) >> 32;
  }

  // Everything that is known of most IPv4 flows.
  struct Head {
    void Set(const FlowView& flow, FlowEndCause cause_of_end, std::uint64_t now_ms, bool has_rest) {
      source = static_cast<std::uint32_t>(flow.source.address.lo);
      destination = static_cast<std::uint32_t>(flow.destination.address.lo);
      source_port = flow.source.port;
      destination_port = flow.destination.port;
      protocol = flow.protocol;
      state = flow.state;
      cause = cause_of_end;
      replied = flow.replied;
      guessed = flow.guessed;
      is_long = has_rest;
      egress_rule = flow.egress_rule;
      ingress_rule = flow.ingress_rule;
      idle_ms = static_cast<std::uint32_t>(now_ms) - flow.last_seen_ms;
      age_ms = static_cast<std::uint32_t>(now_ms - flow.began_ms);
      packets = static_cast<std::uint32_t>(flow.traffic.packets);
      reply_packets = static_cast<std::uint32_t>(flow.reply.packets);
      generation = flow.generation;
      bytes = flow.traffic.bytes;
      reply_bytes = flow.reply.bytes;
    }
    // Takes the packets of both ends. It is hard to predict which end opened the flow, so no code branches on it.
    void Set(const Ipv4FlowEnd& flow, std::uint32_t from_lesser, std::uint32_t from_greater) {
      using Entry = FlowEntry<Ipv4FlowKey>;
      const std::uint64_t lesser = flow.entry.words[0], greater = flow.entry.words[1];
      const std::uint8_t flags = flow.entry.flags();
      const std::uint64_t swaps = (flags & Entry::kOriginatorIsGreater) != 0 ? ~std::uint64_t{0} : 0;
      const std::uint64_t ends_differ = (lesser ^ greater) & swaps;
      const std::uint64_t originator = lesser ^ ends_differ, replier = greater ^ ends_differ;
      source = static_cast<std::uint32_t>(originator >> 16);
      destination = static_cast<std::uint32_t>(replier >> 16);
      source_port = static_cast<std::uint16_t>(originator);
      destination_port = static_cast<std::uint16_t>(replier);
      protocol = flow.entry.protocol();
      state = flow.entry.state();
      cause = flow.cause;
      replied = (flags & Entry::kReplied) != 0;
      guessed = (flags & Entry::kGuessed) != 0;
      is_long = false;
      egress_rule = flow.rules.egress;
      ingress_rule = flow.rules.ingress;
      idle_ms = static_cast<std::uint32_t>(flow.now_ms) - flow.entry.last_seen_ms;
      age_ms = static_cast<std::uint32_t>(flow.now_ms - flow.began_ms);
      packets = from_lesser + from_greater;
      reply_packets = from_greater ^ ((from_lesser ^ from_greater) & static_cast<std::uint32_t>(swaps));
      generation = flow.generation;
      const std::uint64_t lesser_bytes = flow.record.from_lesser.bytes, greater_bytes = flow.record.from_greater.bytes;
      bytes = lesser_bytes + greater_bytes;
      reply_bytes = greater_bytes ^ ((lesser_bytes ^ greater_bytes) & swaps);
    }
    FlowEndRecord record() const {
      FlowEndRecord record;
      record.flow = {.source = {{Family::kIpv4, 0, source}, source_port},
                     .destination = {{Family::kIpv4, 0, destination}, destination_port},
                     .protocol = protocol,
                     .state = state,
                     .replied = replied != 0,
                     .guessed = guessed != 0,
                     .generation = generation,
                     .egress_rule = egress_rule,
                     .ingress_rule = ingress_rule,
                     .traffic = {packets, bytes},
                     .reply = {reply_packets, reply_bytes}};
      record.cause = cause;
      record.idle_ms = idle_ms;
      record.age_ms = age_ms;
      return record;
    }

    std::uint32_t source, destination;
    std::uint16_t source_port, destination_port;
    std::uint8_t protocol;
    FlowState state;
    FlowEndCause cause;
    std::uint8_t replied : 1, guessed : 1, is_long : 1;
    RuleId egress_rule, ingress_rule;
    std::uint32_t idle_ms, age_ms, packets, reply_packets;
    std::uint64_t generation, bytes, reply_bytes;
  };
  // What a Head has no room for.
  struct Rest {
    void Set(const FlowView& flow, std::uint64_t age_ms) {
      family = flow.source.address.family;
      source_hi = flow.source.address.hi;
      source_lo = flow.source.address.lo;
      destination_hi = flow.destination.address.hi;
      destination_lo = flow.destination.address.lo;
      upper_of_age = static_cast<std::uint32_t>(age_ms >> 32);
      upper_of_packets = static_cast<std::uint32_t>(flow.traffic.packets >> 32);
      upper_of_reply_packets = static_cast<std::uint32_t>(flow.reply.packets >> 32);
    }
    void AddTo(FlowEndRecord& record) const {
      record.flow.source.address = {family, source_hi, source_lo};
      record.flow.destination.address = {family, destination_hi, destination_lo};
      record.age_ms |= std::uint64_t{upper_of_age} << 32;
      record.flow.traffic.packets |= std::uint64_t{upper_of_packets} << 32;
      record.flow.reply.packets |= std::uint64_t{upper_of_reply_packets} << 32;
    }

    std::uint64_t source_hi, source_lo, destination_hi, destination_lo;
    std::uint32_t upper_of_age, upper_of_packets, upper_of_reply_packets;
    Family family;
  };
  union alignas(64) Line {
    Head head;
    Rest rest;
  };
  static_assert(sizeof(Line) == 64);

  bool HasRoom(std::uint32_t put) const { return lines_ - (put - taken_seen_) >= 2; }
  Line& At(std::uint32_t at) { return ends_[at & (lines_ - 1)]; }

  const std::uint32_t lines_;
  const std::unique_ptr<Line[]> ends_;
  alignas(64) std::atomic<std::uint32_t> put_ = 0;  // lines ever put; written by the worker
  std::uint32_t taken_seen_ = 0;                    // the worker's last look at `taken_`
  Counter lost_;
  alignas(64) std::atomic<std::uint32_t> taken_ = 0;  // lines ever taken; written by the reader
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_
