#include "core/drop_ring.h"

namespace sluice {

// Pairs with Take: the reader is done with a slot before it stores
// `taken_`, and the worker is done with a record before it stores `put_`.
void DropRing::Put(const DropRecord& record) {
  const std::uint32_t put = put_.load(std::memory_order_relaxed);
  if (put - taken_seen_ == kCapacity) {
    taken_seen_ = taken_.load(std::memory_order_acquire);
    if (put - taken_seen_ == kCapacity) {
      overflowed_.Add(1);
      return;
    }
  }
  records_[put % kCapacity] = record;
  put_.store(put + 1, std::memory_order_release);
}

}  // namespace sluice
