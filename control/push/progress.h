// Whether a target follows: since when it lacks something, and which trouble it has. With this, sluice-sync can tell of
// a target that takes nothing although there is something for it.
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
    std::string trouble;  // empty: none is known
  };

  // There is something for it, or its state is not known.
  void Lacks();
  // It took a batch. If there is more for it, the time begins anew.
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
