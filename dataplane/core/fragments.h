// Fragments take the ports of their first fragment, the only one that shows them.
//
// All fragments of one datagram form a train: they have the same port of entry, addresses, identification
// and, in IPv4, protocol (RFC 8200 4.5: in IPv6 only the first fragment's next header counts). The first
// fragment teaches the train its ports. The others get these ports and are then looked up like any
// packet. Fragments that come before the first one are held, bounded in number and time.
//
// Nothing is reassembled. But fragments that pass never overlap, so the receiver can put them together in one way
// only. A train ends when every byte was seen (IPv4 identifications repeat in less than a second on a fast link, so it
// must not linger), when its time is up, or when a newer train needs its place. So a flood of fragments shortens the
// time for slow datagrams, and leaves datagrams whose fragments travel together unharmed. A duplicate that comes after
// the end starts a new train. It ends there as an orphan, or passes as a lone first fragment: both are harmless.
//
// Each worker has one FragmentTable; threads do not share it. It allocates only in its constructor.
#ifndef SLUICE_DATAPLANE_CORE_FRAGMENTS_H_
#define SLUICE_DATAPLANE_CORE_FRAGMENTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/packet.h"

namespace sluice {

struct FragmentLimits {
  std::uint32_t trains = 4096;
  std::uint32_t held = 1024;
  std::uint32_t held_each = 16;
  std::uint64_t timeout_ns = 1'000'000'000;  // from a train's first arrival
};

enum class FragmentFate : std::uint8_t {
  kProceed,  // ports are known: look the flow up
  kHeld,     // the table owns the frame now
  kDrop,     // packet.reason says why
};

// A held fragment that the caller owns again. If packet.reason is kNone, it proceeds with its ports
// attached, right after the fragment just admitted. Otherwise, the caller must drop it for that reason.
struct ReleasedFragment {
  Frame frame;
  ParsedPacket packet;
};

class FragmentTable {
 public:
  FragmentTable(const FragmentLimits& limits, std::uint64_t hash_seed);

  // Takes a packet that parse accepted and that Is(kFragment). A fragment that proceeds has its
  // protocol, ports, kHasPorts, kReplyType, icmp_type and icmp_code from its first fragment.
  // `now_ns` never goes back. Later fragments have no TCP flags: they say nothing about the
  // connection's state. Handle released() after each call, since the next call overwrites it.
  FragmentFate Admit(const Frame& frame, ParsedPacket& packet, std::uint64_t now_ns);

  // Ends the trains whose time is up. Their held fragments are in released(),
  // as fragment_orphan. This is cheap if there are none: call it once a burst.
  void Expire(std::uint64_t now_ns);

  // Ends all trains, as Expire does.
  void Clear();

  // The fragments that the last Admit, Expire or Clear released, in order of arrival.
  std::span<ReleasedFragment> released() { return released_; }

  // Call it if a later stage dropped the first fragment `packet`, which Admit let proceed. Later ones of its train are
  // dropped as fragment_denied. Fragments of the same burst share its flow's verdict; the caller names them alike.
  void MarkDropped(const Frame& frame, const ParsedPacket& packet);

  std::uint32_t train_count() const { return train_count_; }
  std::uint32_t held_count() const { return held_count_; }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kMaxRanges = 16;

  // Bytes [begin, end) of the datagram that were seen.
  struct Range {
    std::uint16_t begin = 0;
    std::uint16_t end = 0;
  };

  struct Train {
    std::uint64_t source_hi = 0;
    std::uint64_t source_lo = 0;
    std::uint64_t destination_hi = 0;
    std::uint64_t destination_lo = 0;
    std::uint64_t deadline_ns = 0;
    std::uint32_t id = 0;
    std::uint32_t hash = 0;
    std::uint32_t newer = kNone;  // in order of creation; also links free trains
    std::uint32_t older = kNone;
    std::uint32_t held_first = kNone;  // held fragments, in order of arrival
    std::uint32_t held_last = kNone;
    Range ranges[kMaxRanges] = {};  // ascending, disjoint, adjacent ones joined
    std::uint16_t port = 0;
    std::uint16_t total = 0;  // bytes of the datagram's payload; 0: the last fragment was not seen yet
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t flags = 0;  // those of the first fragment that hold for all
    Family family = Family::kIpv4;
    std::uint8_t key_protocol = 0;  // 0 for IPv6
    std::uint8_t protocol = 0;      // of the transport
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint8_t range_count = 0;
    std::uint32_t held_count = 0;
    bool has_first = false;
    DropReason poison = DropReason::kNone;  // if not kNone, every further fragment is dropped for this reason
  };

  struct HeldFragment {
    Frame frame;
    ParsedPacket packet;
    std::uint32_t next;
  };

  void EndExpired(std::uint64_t now_ns);
  std::uint32_t Find(std::uint32_t hash, std::uint16_t port, const ParsedPacket& packet) const;
  std::uint32_t Create(std::uint32_t hash, std::uint16_t port, const ParsedPacket& packet, std::uint64_t now_ns);
  void Remove(std::uint32_t id, DropReason reason_for_held);
  void RemoveFromIndex(std::uint32_t id);
  static DropReason AddRange(Train& train, const ParsedPacket& packet);
  static bool IsComplete(const Train& train);
  static void Learn(Train& train, const ParsedPacket& first);
  static void Attach(const Train& train, ParsedPacket& packet);
  void Hold(Train& train, const Frame& frame, const ParsedPacket& packet);
  void Release(Train& train, DropReason reason);

  FragmentLimits limits_;
  std::uint64_t seed_;
  std::vector<Train> trains_;
  std::vector<std::uint32_t> index_;  // open addressing, linear probing; kNone: free
  std::uint32_t index_mask_;
  std::vector<HeldFragment> held_;
  std::vector<ReleasedFragment> released_;
  std::uint32_t free_train_ = kNone;
  std::uint32_t free_held_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  std::uint32_t train_count_ = 0;
  std::uint32_t held_count_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FRAGMENTS_H_
