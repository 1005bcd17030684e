// How long the steps took that bring policy into force, as cumulative histograms, and how batches ended.
//
// One thread adds; any thread reads. The numbers of one step may be a moment older than those of another.
#ifndef SLUICE_DATAPLANE_OBSERVE_STEP_TIMES_H_
#define SLUICE_DATAPLANE_OBSERVE_STEP_TIMES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/counters.h"

namespace sluice {

enum class PolicyStep : std::uint8_t {
  kDecode,   // from messages to resolved policy
  kCompile,  // from resolved policy to a table
  kPublish,  // until every worker may use the table
  kKeep,     // until the state file holds it, or is known not to
  kInForce,  // everything before every worker may use it; for manifests, without reading them
};
inline constexpr std::array<std::string_view, 5> kPolicyStepNames = {"decode", "compile", "publish", "keep",
                                                                     "in_force"};

class StepTimes {
 public:
  // Upper bounds in seconds. Longer times count only in the sum and the count.
  static constexpr std::array<double, 16> kBounds = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                     0.05,   0.1,    0.2,    0.5,   1,     2,     5,    10};

  void Add(PolicyStep step, std::uint64_t took_ns) {
    Times& times = steps_[static_cast<std::size_t>(step)];
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && static_cast<double>(took_ns) > kBounds[bucket] * 1e9) ++bucket;
    times.buckets[bucket].Add(1);
    times.sum_ns.Add(took_ns);
  }
  void CountApplied() { applied_.Add(1); }
  void CountRefused() { refused_.Add(1); }

  // How many took no longer than that bound. With kBounds.size(): how many there were.
  std::uint64_t CountUpTo(PolicyStep step, std::size_t bound) const {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= bound; ++i) count += steps_[static_cast<std::size_t>(step)].buckets[i].value();
    return count;
  }
  // The time within which this share of them ended, interpolated between two bounds in proportion. 0 if there were
  // none. Above the last bound: that bound.
  std::uint64_t QuantileNs(PolicyStep step, double share) const {
    const double wanted = share * static_cast<double>(CountUpTo(step, kBounds.size()));
    double below = 0;
    for (std::size_t i = 0; i < kBounds.size() && wanted > 0; ++i) {
      const auto upto = static_cast<double>(CountUpTo(step, i));
      if (upto < wanted) {
        below = upto;
        continue;
      }
      const double low = i == 0 ? 0 : kBounds[i - 1];
      return static_cast<std::uint64_t>(1e9 * (low + (kBounds[i] - low) * (wanted - below) / (upto - below)));
    }
    return wanted > 0 ? static_cast<std::uint64_t>(1e9 * kBounds.back()) : 0;
  }
  std::uint64_t SumNs(PolicyStep step) const { return steps_[static_cast<std::size_t>(step)].sum_ns.value(); }
  std::uint64_t applied() const { return applied_.value(); }
  std::uint64_t refused() const { return refused_.value(); }

 private:
  struct Times {
    std::array<Counter, kBounds.size() + 1> buckets;
    Counter sum_ns;
  };
  std::array<Times, kPolicyStepNames.size()> steps_;
  Counter applied_;
  Counter refused_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_STEP_TIMES_H_
