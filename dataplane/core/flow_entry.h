// What is stored for a flow: an entry, which every packet of the flow reads and writes, and a record of the rest.
//
// A cache line has two entries (IPv4) or one (IPv6): in memory, a packet costs its entry's line. The record is touched
// when a flow comes, ends, is judged or is folded. (To fold is to add what it counted to its rules' counters.)
// In all, a flow takes 80 bytes for IPv4 and 104 for IPv6.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_ENTRY_H_
#define SLUICE_DATAPLANE_CORE_FLOW_ENTRY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/flow_key.h"
#include "core/flow_state.h"
#include "table/simd.h"
#include "table/table.h"

namespace sluice {

// The writer's stores to fields that a reader may see, and the reader's loads. A reader that saw
// a later field also sees the key that came with it. The writer loads its own fields plainly.
template <typename T>
void Publish(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}
template <typename T>
T Observe(const T& field) {
  return std::atomic_ref<T>(const_cast<T&>(field)).load(std::memory_order_acquire);
}

// The rules that let a flow pass.
struct FlowRules {
  RuleId egress = kNoRule;
  RuleId ingress = kNoRule;
};

// The rules are in the entry if it has room for them, as an IPv6 entry has; else they are in the record.
template <typename Key>
inline constexpr bool kRulesInEntry = Key::kWords == 5;
template <bool kHere>
struct FlowRulesHere {};
template <>
struct FlowRulesHere<true> {
  FlowRules rules;
};

struct FlowTraffic {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  friend FlowTraffic operator+(const FlowTraffic& a, const FlowTraffic& b) {
    return {a.packets + b.packets, a.bytes + b.bytes};
  }
  friend FlowTraffic operator-(const FlowTraffic& a, const FlowTraffic& b) {
    return {a.packets - b.packets, a.bytes - b.bytes};
  }
};

// Which end of the flow's key sent the packets. The value is the first bit of that end's part of a FlowCount.
enum class FlowWay : std::uint8_t { kFromLesser = 0, kFromGreater = 32 };

struct FlowWays {
  FlowTraffic from_lesser;
  FlowTraffic from_greater;

  FlowTraffic sum() const { return from_lesser + from_greater; }
  friend FlowWays operator+(const FlowWays& a, const FlowWays& b) {
    return {a.from_lesser + b.from_lesser, a.from_greater + b.from_greater};
  }
};

// Packets and bytes of both ways in one word, so that counting is one addition. Each way is packets x 2^22 + bytes, the
// greater end's way times 2^32, and the sum is modulo 2^64. If the totals of some moment are known, the word tells
// exactly what came since, up to 2^10 packets and 2^22 bytes a way. So a flow is folded every 512 packets, which costs
// less than a hundredth of what these packets cost.
class FlowCount {
 public:
  static constexpr std::uint64_t kPacketsLimit = std::uint64_t{1} << 10;
  static constexpr std::uint64_t kBytesLimit = std::uint64_t{1} << 22;  // no frame has half of it

  static std::uint64_t Of(const FlowTraffic& traffic, FlowWay way) {
    return (traffic.packets * kBytesLimit + traffic.bytes) << static_cast<unsigned>(way);
  }
  static FlowWays Since(std::uint64_t count, const FlowWays& then) {
    const std::uint64_t difference =
        count - Of(then.from_lesser, FlowWay::kFromLesser) - Of(then.from_greater, FlowWay::kFromGreater);
    return {TrafficOf(static_cast<std::uint32_t>(difference)), TrafficOf(difference >> 32)};
  }
  // Whether half of the range that a count can tell was passed between `before` and `after`, one packet apart.
  static bool IsFoldDue(std::uint64_t before, std::uint64_t after) {
    constexpr std::uint64_t kHalves = kBytesLimit / 2 | kBytesLimit * kPacketsLimit / 2;
    return ((before ^ after) & (kHalves | kHalves << 32)) != 0;
  }

 private:
  static FlowTraffic TrafficOf(std::uint64_t half) { return {half / kBytesLimit, half % kBytesLimit}; }
};

// The key's words. The last word has the key in its lower 48 bits; above them are the state, the watched bit and the
// flags. A free entry's last word is zero. A flow's last word is not zero, since no flow has the state kFree.
template <typename Key>
struct alignas(Key::kWords == 2 ? 32 : 64) FlowEntry : FlowRulesHere<kRulesInEntry<Key>> {
  static constexpr std::uint8_t kReplyFirst = 1;  // picked up by a packet of the end that is not the originator
  static constexpr std::uint8_t kOriginatorIsGreater = 2;
  static constexpr std::uint8_t kReplied = 4;    // both ends took part: not evicted by a flood
  static constexpr std::uint8_t kEvictable = 8;  // in a list of flows that may be evicted
  static constexpr std::uint8_t kResetDue = 16;  // cut while idle: its ends have not been sent a reset
  static constexpr std::uint8_t kGuessed = 32;   // picked up: its opening end is a guess (GuessSide)
  // A packet of kDataEvent from that end leaves the state as it is. These flags follow from the state.
  static constexpr std::uint8_t kSteadyFromLesser = 64;
  static constexpr std::uint8_t kSteadyFromGreater = 128;

  static constexpr std::uint64_t kWatchedBit = std::uint64_t{1} << 55;
  static_assert(kFlowStates <= 128);

  std::array<std::uint64_t, Key::kWords> words;
  std::uint32_t generation;  // of the table that judged it last
  std::uint32_t last_seen_ms;
  std::uint64_t count;  // a FlowCount of all its packets

  std::uint64_t last_word() const { return words[Key::kWords - 1]; }
  bool live() const { return last_word() != 0; }
  FlowState state() const { return static_cast<FlowState>(last_word() >> 48 & 0x7f); }
  // Whether DnsStage looks at each of its packets (stage_dns.h). Then no packet of the flow counts as steady.
  bool IsWatched() const { return (last_word() & kWatchedBit) != 0; }
  std::uint8_t flags() const { return static_cast<std::uint8_t>(last_word() >> 56); }
  bool Has(std::uint8_t flag) const { return (flags() & flag) != 0; }
  // Branch-free, as the answer is nearly always yes and the words are in one line.
  bool Is(const Key& key) const {
#if SLUICE_SIMD
    if constexpr (Key::kWords == 2) return simd::Same2(words.data(), key.words.data(), kKeyBits) != 0;
    if constexpr (Key::kWords == 5) {
      return (simd::Same4(words.data(), key.words.data()) & ((last_word() ^ key.words[4]) << 16 == 0)) != 0;
    }
#endif
    std::uint64_t differs = (words[Key::kWords - 1] ^ key.words[Key::kWords - 1]) & kKeyBits;
    for (std::size_t i = 0; i + 1 < Key::kWords; ++i) differs |= words[i] ^ key.words[i];
    return differs == 0;
  }
  Key key() const {
    Key key{words};
    key.words[Key::kWords - 1] &= kKeyBits;
    return key;
  }
  FlowEnd source() const { return Has(kOriginatorIsGreater) ? Key::Greater(words) : Key::Lesser(words); }
  FlowEnd destination() const { return Has(kOriginatorIsGreater) ? Key::Lesser(words) : Key::Greater(words); }
  std::uint8_t protocol() const { return Key::Protocol(words); }

  void SetState(FlowState state, std::uint8_t flags) {
    Publish(words[Key::kWords - 1], (last_word() & kKeyBits) | UpperBits(state, flags, IsWatched()));
  }
  // For flags that do not depend on the state.
  void Set(std::uint8_t flag) { Publish(words[Key::kWords - 1], last_word() | std::uint64_t{flag} << 56); }
  void Clear(std::uint8_t flag) { Publish(words[Key::kWords - 1], last_word() & ~(std::uint64_t{flag} << 56)); }
  // The part of the last word above the key.
  static std::uint64_t UpperBits(FlowState state, std::uint8_t flags, bool is_watched) {
    const auto stays = [state](Side side) { return NextState(state, side, kDataEvent) == state; };
    const bool greater_began = (flags & kOriginatorIsGreater) != 0;
    flags &= static_cast<std::uint8_t>(~(kSteadyFromLesser | kSteadyFromGreater));
    if (!is_watched && stays(greater_began ? Side::kReply : Side::kOriginal)) flags |= kSteadyFromLesser;
    if (!is_watched && stays(greater_began ? Side::kOriginal : Side::kReply)) flags |= kSteadyFromGreater;
    const std::uint64_t upper = (std::uint64_t{flags} << 8 | static_cast<std::uint64_t>(state)) << 48;
    return is_watched ? upper | kWatchedBit : upper;
  }
  // Returns whether the flow must now be folded.
  bool CountPacket(std::uint32_t length, std::uint32_t now_ms, FlowWay way) {
    const std::uint64_t before = count;
    const std::uint64_t after = before + FlowCount::Of({1, length}, way);
    Publish(last_seen_ms, now_ms);
    Publish(count, after);
    return FlowCount::IsFoldDue(before, after);
  }
};
static_assert(sizeof(FlowEntry<Ipv4FlowKey>) == 32);
static_assert(sizeof(FlowEntry<Ipv6FlowKey>) == 64);

// What one way had sent at the last Fold, up to 2^45 packets. It also has one half of the moment when the flow began,
// which never changes while the flow lives.
struct FlowTotal {
  static constexpr unsigned kPacketBits = 45;
  static constexpr unsigned kMomentBits = 64 - kPacketBits;  // of half a moment

  std::uint64_t packets_and_moment;
  std::uint64_t bytes;

  static std::uint64_t Packets(std::uint64_t word) { return word & ((std::uint64_t{1} << kPacketBits) - 1); }
  static std::uint64_t Moment(std::uint64_t word) { return word >> kPacketBits; }
  FlowTraffic traffic() const { return {Packets(packets_and_moment), bytes}; }
};

template <typename Key>
struct FlowRecord : FlowRulesHere<!kRulesInEntry<Key>> {
  // For the lesser and the greater end. Their moments are the upper and the lower half of the time when the flow began.
  FlowTotal from_lesser;
  FlowTotal from_greater;
  // Links in order of creation, among evictable flows. `newer` also links free entries.
  std::uint32_t older;
  std::uint32_t newer;

  FlowWays folded() const { return {from_lesser.traffic(), from_greater.traffic()}; }
};
static_assert(sizeof(FlowRecord<Ipv4FlowKey>) == 48);
static_assert(sizeof(FlowRecord<Ipv6FlowKey>) == 40);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_ENTRY_H_
