// How long to wait before trying again: twice as long each time, and partly random, so that many clients that lost the
// same server do not come back together. Not safe to share between threads.
#ifndef SLUICE_CONTROL_KUBE_BACKOFF_H_
#define SLUICE_CONTROL_KUBE_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace sluice {

class Backoff {
 public:
  using Duration = std::chrono::milliseconds;

  // Requires 0 < least <= most.
  Backoff(Duration least, Duration most, std::uint64_t seed)
      : least_(least), most_(most), next_(least), random_(seed) {}

  // At first between half and one and a half of `least`, then of twice that, and so on up to `most`.
  Duration Next() {
    const Duration wait(static_cast<Duration::rep>(static_cast<double>(next_.count()) * Between(0.5, 1.5)));
    next_ = std::min(most_, next_ * 2);
    return wait;
  }
  void Reset() { next_ = least_; }

  double Between(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }

 private:
  Duration least_;
  Duration most_;
  Duration next_;
  std::minstd_rand random_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_BACKOFF_H_
