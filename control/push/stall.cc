#include "push/stall.h"

#include <utility>

namespace sluice {
namespace {

using Clock = Progress::Clock;

std::string Remedy(const std::string& target, const PushHealth& health) {
  if (!health.connected) {
    return "start sluiced there, or correct --target; `sluicectl status --target " + target +
           "` tells whether anybody answers";
  }
  return "its own log says more; change what it refuses or raise its limits, and if it hangs, restart it: it then "
         "takes "
         "the full state";
}

}  // namespace

std::chrono::nanoseconds LacksFor(const PushHealth& health, Clock::time_point now) {
  const Clock::time_point since = health.progress.state().lacks_since;
  if (since == Clock::time_point() || since > now) return std::chrono::nanoseconds(0);
  return now - since;
}

std::optional<std::string> DescribeStall(const std::string& target, const PushHealth& health, Clock::time_point now) {
  const auto lacks_for = LacksFor(health, now);
  if (lacks_for < kStallsAfter) return std::nullopt;
  const std::string trouble = health.progress.state().trouble;
  return target + " has made no progress for " +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(lacks_for).count()) + " s (" +
         (trouble.empty() ? "it does not answer" : trouble) +
         "): what is in force there stays, without the changes since; " + Remedy(target, health);
}

void StallTeller::Look(const std::string& target, const PushHealth& health, Clock::time_point now) {
  const auto stall = DescribeStall(target, health, now);
  const auto told = told_.find(target);
  if (stall) {
    if (told != told_.end() && now - told->second < kAgain) return;
    told_[target] = now;
    say_(true, *stall);
  } else if (told != told_.end()) {
    told_.erase(told);
    say_(false, target + " makes progress again");
  }
}

}  // namespace sluice
