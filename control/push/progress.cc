#include "push/progress.h"

#include <utility>

namespace sluice {

void Progress::Lacks() {
  const std::lock_guard lock(mutex_);
  if (state_.lacks_since == Clock::time_point()) state_.lacks_since = Clock::now();
}

void Progress::Took() {
  const std::lock_guard lock(mutex_);
  state_.lacks_since = Clock::now();
  state_.trouble.clear();
}

void Progress::HasAll() {
  const std::lock_guard lock(mutex_);
  state_ = {};
}

void Progress::Meets(std::string trouble) {
  const std::lock_guard lock(mutex_);
  state_.trouble = std::move(trouble);
}

Progress::State Progress::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace sluice
