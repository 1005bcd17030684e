// What one worker dropped or rejected, one record each, for a client that watches: a bounded ring to one reader.
//
// While nobody watches, a drop costs one relaxed load. While somebody watches and the ring is full, a drop is only
// counted: even a flood of drops never waits for the reader.
#ifndef SLUICE_DATAPLANE_CORE_DROP_RING_H_
#define SLUICE_DATAPLANE_CORE_DROP_RING_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/counters.h"
#include "core/packet.h"
#include "sluice/address.h"
#include "sluice/drop_reason.h"
#include "table/table.h"

namespace sluice {

// The sections that bind the sides that were denied, as Classification has them. By these, the policies of a default
// deny are found. They are ids of tables of `numbering`.
struct DeniedSections {
  std::uint64_t numbering = 0;
  IdSetId egress = kEmptyIdSet;
  IdSetId ingress = kEmptyIdSet;
};

// Addresses, ports and protocol are zero if the packet was not parsed yet.
struct DropRecord {
  std::uint64_t time_ns = 0;  // the worker's clock
  IpAddress source;
  IpAddress destination;
  std::uint64_t epoch = 0;  // of the table in force; the rules belong to it
  std::uint64_t generation = 0;
  RuleId egress_rule = kNoRule;   // what denied the packet on the source's side; kNoRule: that side did not deny it
  RuleId ingress_rule = kNoRule;  // ... on the destination's
  DeniedSections sections = {};
  std::uint32_t frame_length = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t port = 0;  // Frame::port
  std::uint16_t tag = 0;   // the outermost 802.1Q tag; 0: none
  std::uint8_t protocol = 0;
  DropReason reason = DropReason::kNone;
  Verdict verdict = Verdict::kDrop;
};

class DropRing {
 public:
  static constexpr std::uint32_t kCapacity = 2048;  // a power of two

  DropRing() : records_(std::make_unique<DropRecord[]>(kCapacity)) {}

  // For the worker's thread.
  bool Watches(DropReason reason) const { return (watched_.load(std::memory_order_relaxed) & BitOf(reason)) != 0; }
  void Put(const DropRecord& record);

  // For the readers, one at a time.

  // From now on, drops for these reasons are recorded. One bit per reason (BitOf); 0: none.
  void Watch(std::uint64_t reasons) { watched_.store(reasons, std::memory_order_relaxed); }
  // Calls visit(const DropRecord&) for each record, oldest first. Returns how many records there were.
  template <typename Visit>
  std::uint32_t Take(Visit visit) {
    const std::uint32_t begin = taken_.load(std::memory_order_relaxed);
    const std::uint32_t end = put_.load(std::memory_order_acquire);
    for (std::uint32_t i = begin; i != end; ++i) visit(static_cast<const DropRecord&>(records_[i % kCapacity]));
    taken_.store(end, std::memory_order_release);
    return end - begin;
  }

  // Any thread: drops for watched reasons that found the ring full, since start.
  std::uint64_t overflowed() const { return overflowed_.value(); }

  static constexpr std::uint64_t BitOf(DropReason reason) { return std::uint64_t{1} << static_cast<unsigned>(reason); }

 private:
  std::unique_ptr<DropRecord[]> records_;
  std::atomic<std::uint64_t> watched_ = 0;
  alignas(64) std::atomic<std::uint32_t> put_ = 0;  // records ever put; written by the worker
  std::uint32_t taken_seen_ = 0;                    // `taken_` as the worker last saw it
  Counter overflowed_;
  alignas(64) std::atomic<std::uint32_t> taken_ = 0;  // records ever taken; written by the reader
};
static_assert(kDropReasonCount <= 64);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DROP_RING_H_
