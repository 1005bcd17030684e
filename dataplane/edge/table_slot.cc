#include "edge/table_slot.h"

#include <utility>

namespace sluice {

TableSlot::TableSlot(Readers& readers, std::shared_ptr<const Table> first)
    : readers_(readers), current_(first.get()), owned_(std::move(first)) {}

void TableSlot::Publish(std::shared_ptr<const Table> table) {
  current_.store(table.get(), std::memory_order_release);
  // The token is taken after the store. A worker that was quiescent after that can no longer have the old pointer.
  retired_.push_back({std::exchange(owned_, std::move(table)), readers_.Retire()});
}

std::vector<std::shared_ptr<const Table>> TableSlot::Reclaim() {
  std::vector<std::shared_ptr<const Table>> unread;
  while (!retired_.empty() && readers_.Passed(retired_.front().token)) {
    unread.push_back(std::move(retired_.front().table));
    retired_.pop_front();
  }
  return unread;
}

}  // namespace sluice
