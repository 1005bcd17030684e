// Publishes the table in force: one pointer that workers read once a burst.
//
// Workers never stop and never wait. The control thread frees the old table,
// once every worker was quiescent since the new table took its place.
#ifndef SLUICE_DATAPLANE_EDGE_TABLE_SLOT_H_
#define SLUICE_DATAPLANE_EDGE_TABLE_SLOT_H_

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "edge/readers.h"
#include "table/table.h"

namespace sluice {

class TableSlot {
 public:
  // `readers` outlives the slot. `first` is in force from the beginning.
  TableSlot(Readers& readers, std::shared_ptr<const Table> first);

  // For a worker: valid until its next Readers::Quiescent. Pairs with the release in Publish.
  const Table* Get() const { return current_.load(std::memory_order_acquire); }

  // For the control thread.
  void Publish(std::shared_ptr<const Table> table);
  // Returns the tables that no worker can hold any more, so that the caller frees them. Call it now and then.
  std::vector<std::shared_ptr<const Table>> Reclaim();
  const std::shared_ptr<const Table>& current() const { return owned_; }
  std::size_t retired_count() const { return retired_.size(); }

 private:
  struct Retired {
    std::shared_ptr<const Table> table;
    Readers::Token token;
  };

  Readers& readers_;
  std::atomic<const Table*> current_;
  std::shared_ptr<const Table> owned_;
  std::deque<Retired> retired_;  // oldest first
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_TABLE_SLOT_H_
