// When workers have let go of what a writer beside the table took away (what was learnt about names).
#ifndef SLUICE_DATAPLANE_EDGE_WORKER_GRACE_H_
#define SLUICE_DATAPLANE_EDGE_WORKER_GRACE_H_

#include <cstdint>
#include <mutex>

#include "edge/readers.h"
#include "table/learnt_names.h"

namespace sluice {

// Any thread but a worker's.
class WorkerGrace final : public GracePeriod {
 public:
  // Set `readers` before the workers start and keep it until they have ended. Null before and after: then nobody reads.
  void Follow(Readers* readers) {
    const std::lock_guard lock(mutex_);
    readers_ = readers;
  }
  std::uint64_t Begin() override {
    const std::lock_guard lock(mutex_);
    return readers_ == nullptr ? 0 : readers_->Retire();
  }
  bool IsOver(std::uint64_t token) override {
    const std::lock_guard lock(mutex_);
    return readers_ == nullptr || readers_->Passed(token);
  }

 private:
  std::mutex mutex_;
  Readers* readers_ = nullptr;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_WORKER_GRACE_H_
