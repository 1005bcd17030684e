// Reports targets that make no progress: those that take no batch for a minute although they lack something.
#ifndef SLUICE_CONTROL_PUSH_STALL_H_
#define SLUICE_CONTROL_PUSH_STALL_H_

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "push/pusher.h"

namespace sluice {

inline constexpr std::chrono::seconds kStallsAfter(60);

// How long the target has lacked something without taking a batch; 0: it lacks nothing. Any thread.
std::chrono::nanoseconds LacksFor(const PushHealth& health, Progress::Clock::time_point now);

// Describes a target that stalls: how long, why, and the remedy. Any thread.
std::optional<std::string> DescribeStall(const std::string& target, const PushHealth& health,
                                         Progress::Clock::time_point now);

// Reports when a target stalls, again while it lasts, and when it goes on. Within one thread.
class StallTeller {
 public:
  using Say = std::function<void(bool stalls, std::string_view line)>;

  static constexpr std::chrono::minutes kAgain{10};

  explicit StallTeller(Say say) : say_(std::move(say)) {}

  void Look(const std::string& target, const PushHealth& health, Progress::Clock::time_point now);

 private:
  const Say say_;
  std::map<std::string, Progress::Clock::time_point> told_;  // targets that stall, and when each was last reported
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_STALL_H_
