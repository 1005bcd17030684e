// Tells whether every worker goes round, so that the watchdog is fed only then.
//
// Runs on the control thread.
#ifndef SLUICE_PROGRAMS_SLUICED_WORKER_WATCH_H_
#define SLUICE_PROGRAMS_SLUICED_WORKER_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "edge/dataplane.h"

namespace sluice {

class WorkerWatch {
 public:
  // True if each worker has gone round since the last call.
  bool AllWentRound(const Dataplane& plane) {
    bool all = true;
    rounds_.resize(plane.workers().size());
    for (std::size_t i = 0; i < rounds_.size(); ++i) {
      const std::uint64_t rounds = plane.workers()[i]->counters().rounds.value();
      all = all && rounds != rounds_[i];
      rounds_[i] = rounds;
    }
    return all;
  }

 private:
  std::vector<std::uint64_t> rounds_;  // by worker, at the last call
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_WORKER_WATCH_H_
