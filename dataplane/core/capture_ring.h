// Packets of one worker for whoever captures: their bytes and what became of them, in a bounded ring from the worker to
// one reader.
//
// While nobody captures, a burst costs two loads. While somebody does and the ring is full, a packet is only counted:
// the worker never waits. Memory for the bytes is taken when somebody captures for the first time.
#ifndef SLUICE_DATAPLANE_CORE_CAPTURE_RING_H_
#define SLUICE_DATAPLANE_CORE_CAPTURE_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/counters.h"
#include "core/drop_ring.h"
#include "core/packet.h"
#include "sluice/address.h"
#include "sluice/drop_reason.h"

namespace sluice {

// What the worker puts into the ring. It is to keep out most of what nobody wants: the reader looks again.
struct CaptureWish {
  bool forwarded = false;
  bool dropped = false;                       // rejected ones, too
  std::uint64_t reasons = ~std::uint64_t{0};  // of those that are dropped: as DropRing::Watch
  bool payload = false;                       // all that there is of a packet, not its headers alone
  // At either end; empty: any.
  std::vector<std::uint8_t> protocols;
  std::vector<std::uint16_t> ports;
  std::vector<Prefix> addresses;

  bool any() const { return forwarded || dropped; }
  bool Wants(DropReason fate) const {
    return fate == DropReason::kNone ? forwarded : dropped && (reasons & DropRing::BitOf(fate)) != 0;
  }
  bool Wants(const ParsedPacket& packet) const;
};

// How much of a frame is headers: of Ethernet with its tags, IP, and TCP, UDP, SCTP or ICMP. Never more than
// `frame.length`.
std::uint32_t HeaderBytes(const Frame& frame, const ParsedPacket& packet);

class CaptureRing {
 public:
  static constexpr std::size_t kCapacity = std::size_t{4} << 20;  // bytes, headers of records included

  // `capacity`: a power of two.
  explicit CaptureRing(std::size_t capacity = kCapacity) : capacity_(capacity) {}

  // The worker.

  // Once a burst, and from time to time without one: takes up what the reader wants.
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
  // Whether a packet's headers would find room; one that would not is counted. While there is none, the reader is not
  // looked at each time: it writes where it is for each packet that it takes, and to read that takes as long as a drop.
  bool HasRoom() {
    constexpr std::uint64_t kLeast = sizeof(Header) + 128;
    constexpr std::uint32_t kLooksAt = 64;
    const std::uint64_t put = put_.load(std::memory_order_relaxed);
    if (put + kLeast - taken_seen_ <= capacity_) return true;
    if (turned_away_++ % kLooksAt == 0) {
      taken_seen_ = taken_.load(std::memory_order_acquire);
      if (put + kLeast - taken_seen_ <= capacity_) {
        turned_away_ = 0;
        return true;
      }
    }
    overflowed_.Add(1);
    return false;
  }
  // Requires a wish. Rules are those that decided, on either side. `reply`: against the direction of its flow.
  void Put(const DropRecord& record, bool reply, std::span<const std::uint8_t> bytes);

  // The reader, one at a time.

  // False: the worker has not taken up what was asked for before, and this is not asked for.
  bool Ask(CaptureWish wish);
  bool IsTurned() const { return turned_.load(std::memory_order_acquire) == asked_.load(std::memory_order_relaxed); }
  // Calls visit(const DropRecord&, bool reply, std::span<const std::uint8_t> bytes) for up to `most` packets, the
  // oldest first. Returns how many there were.
  template <typename Visit>
  std::size_t Take(std::size_t most, Visit visit) {
    if (bytes_ == nullptr) return 0;
    const std::uint64_t end = put_.load(std::memory_order_acquire);
    std::uint64_t at = taken_.load(std::memory_order_relaxed);
    std::size_t count = 0;
    while (at != end && count < most) {
      const std::byte* place = &bytes_[at & (capacity_ - 1)];
      const Size size = *reinterpret_cast<const Size*>(place);
      if (size.bytes != kSkip) {
        const Header& header = *reinterpret_cast<const Header*>(place);
        visit(header.record, header.reply,
              std::span(reinterpret_cast<const std::uint8_t*>(place + sizeof(Header)), size.bytes));
        ++count;
      }
      at += size.all;
      taken_.store(at, std::memory_order_release);
    }
    return count;
  }
  // Any thread: packets that were wanted and found no room, since start.
  std::uint64_t overflowed() const { return overflowed_.value(); }

 private:
  static constexpr std::uint32_t kSkip = ~std::uint32_t{0};  // nothing up to the end of the memory
  struct Size {
    std::uint32_t all;  // this record's, a multiple of alignof(Header)
    std::uint32_t bytes;
  };
  struct Header {
    Size size;
    bool reply;
    DropRecord record;
  };
  static_assert(sizeof(Size) == alignof(Header));

  const std::size_t capacity_;
  std::array<CaptureWish, 2> wishes_;   // of an odd and an even number of `asked_`
  std::unique_ptr<std::byte[]> bytes_;  // before the first `asked_`
  const CaptureWish* wish_ = nullptr;   // the worker's
  Counter overflowed_;
  std::uint64_t taken_seen_ = 0;                      // `taken_` as the worker last saw it
  std::uint32_t turned_away_ = 0;                     // packets, since there was room
  alignas(64) std::atomic<std::uint32_t> asked_ = 0;  // wishes that the reader had
  std::atomic<std::uint32_t> turned_ = 0;             // ... and that the worker took up
  std::atomic<std::uint64_t> put_ = 0;                // bytes ever put; the worker's
  alignas(64) std::atomic<std::uint64_t> taken_ = 0;  // bytes ever taken; the reader's
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_CAPTURE_RING_H_
