// Whether a target keeps up: since when it lacks something, and what its trouble is. sluice-sync uses this to report a
// target that takes nothing although there is something for it.
//
// Any thread, also with the caller's locks held. It takes only its own lock.
#ifndef SLUICE_CONTROL_PUSH_PROGRESS_H_
#define SLUICE_CONTROL_PUSH_PROGRESS_H_

#include <chrono>
#include <mutex>
#include <string>

namespace sluice {

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  struct State {
    // The later of two times: when it took its last batch, when it began to lack something. Time 0: it lacks nothing.
    Clock::time_point lacks_since;
    std::string trouble;  // empty: none is known
  };

  // There is something for the target, or its state is not known.
  void Lacks();
  // The target took a batch. If there is more for it, the time begins anew.
  void Took();
  // The target holds everything there is.
  void HasAll();
  void Meets(std::string trouble);

  State state() const;

 private:
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_PROGRESS_H_
