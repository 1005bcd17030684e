// Whether a target follows: since when it lacks something, and what is in the way. A target that takes nothing while
// there is something for it is told of, so that a policy that does not arrive is not found out by its absence.
//
// Any thread; under the caller's locks, takes none but its own.
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
    // Since the last batch that it took, or since it lacks something, whichever is later; the time 0: it lacks nothing.
    Clock::time_point lacks_since;
    std::string trouble;  // what is in the way, and what helps; empty: nothing that is known
  };

  // There is something for it, or nobody knows what it holds.
  void Lacks();
  // It took a batch. What else there is for it, it lacks from now on.
  void Took();
  // It holds all there is.
  void HasAll();
  void Meets(std::string trouble);

  State state() const;

 private:
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_PROGRESS_H_
