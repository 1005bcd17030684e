// Packets of one worker for a client that captures: their bytes and their fates, in a bounded ring from the worker to
// one reader.
//
// While nobody captures, a burst costs two loads. While somebody captures and the ring is full, a packet is only
// counted: the worker never waits. The memory for the bytes is allocated when somebody captures for the first time.
#ifndef SLUICE_DATAPLANE_CORE_CAPTURE_RING_H_
#define SLUICE_DATAPLANE_CORE_CAPTURE_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/drop_ring.h"
#include "core/packet.h"
#include "core/record_ring.h"
#include "sluice/address.h"
#include "sluice/drop_reason.h"

namespace sluice {

// Which packets the worker puts into the ring. It only keeps out most unwanted packets: the reader checks each again.
struct CaptureWish {
  bool forwarded = false;
  bool dropped = false;                       // rejected packets, too
  std::uint64_t reasons = ~std::uint64_t{0};  // of dropped packets: bits as in DropRing::Watch
  bool payload = false;                       // the whole packet, not its headers alone
  // Of either end; empty: any.
  std::vector<std::uint8_t> protocols;
  std::vector<std::uint16_t> ports;
  std::vector<Prefix> addresses;

  bool any() const { return forwarded || dropped; }
  bool Wants(DropReason fate) const {
    return fate == DropReason::kNone ? forwarded : dropped && (reasons & DropRing::BitOf(fate)) != 0;
  }
  bool Wants(const ParsedPacket& packet) const;
};

// How many bytes of a frame are headers: Ethernet with its tags, IP, and TCP, UDP, SCTP or ICMP. Never more than
// `frame.length`.
std::uint32_t HeaderBytes(const Frame& frame, const ParsedPacket& packet);

class CaptureRing {
 public:
  static constexpr std::size_t kCapacity = std::size_t{4} << 20;  // bytes, including the headers of records

  // `capacity`: a power of two.
  explicit CaptureRing(std::size_t capacity = kCapacity) : packets_(capacity) {}

  // For the worker's thread.

  // Call it once a burst, and from time to time without one: it takes up what the reader wants.
  void Turn() {
    const std::uint32_t asked = asked_.load(std::memory_order_acquire);
    if (asked == turned_.load(std::memory_order_relaxed)) [[likely]]
      return;
    const CaptureWish& wish = wishes_[asked & 1];
    wish_ = wish.any() ? &wish : nullptr;
    turned_.store(asked, std::memory_order_release);
  }
  // Null: nobody captures.
  const CaptureWish* wish() const { return wish_; }
  // Whether the ring has room for a packet's headers. If not, the packet is counted as lost.
  bool HasRoom() { return packets_.HasRoom(kMostHeaderBytes); }
  // Requires a wish. `record` has the rules that decided, on either side. `reply`: against the direction of its flow.
  void Put(const DropRecord& record, bool reply, std::span<const std::uint8_t> bytes);

  // For the reader, one at a time.

  // Returns false, and asks for nothing, if the worker has not yet taken up the wish before.
  bool Ask(CaptureWish wish);
  bool IsTurned() const { return turned_.load(std::memory_order_acquire) == asked_.load(std::memory_order_relaxed); }
  // Calls visit(const DropRecord&, bool reply, std::span<const std::uint8_t> bytes) for up to `most` packets, oldest
  // first. Returns how many packets there were.
  template <typename Visit>
  std::size_t Take(std::size_t most, Visit visit) {
    return packets_.Take(most, [&](const Packet& packet, std::span<const std::uint8_t> bytes) {
      visit(packet.record, packet.reply, bytes);
    });
  }
  // Any thread: wanted packets that found no room, since start.
  std::uint64_t overflowed() const { return packets_.overflowed(); }

 private:
  static constexpr std::size_t kMostHeaderBytes = 128;  // of nearly every packet
  struct Packet {
    bool reply;
    DropRecord record;
  };

  std::array<CaptureWish, 2> wishes_;                 // for even and odd numbers of `asked_`
  RecordRing<Packet> packets_;                        // has memory before the first `asked_`
  const CaptureWish* wish_ = nullptr;                 // the worker's
  alignas(64) std::atomic<std::uint32_t> asked_ = 0;  // wishes that the reader asked for
  std::atomic<std::uint32_t> turned_ = 0;             // ... and that the worker took up
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_CAPTURE_RING_H_
