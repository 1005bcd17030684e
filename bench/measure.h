// What the benchmark programs share: the clock, and the form of a result.
//
// A result is a line of JSON: what was measured, on what, by whom ("contender"), and the value of every repeat. Medians
// and spread are the report's to work out, so that nothing is lost on the way.
#ifndef SLUICE_BENCH_MEASURE_H_
#define SLUICE_BENCH_MEASURE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include <chrono>
#endif

namespace sluice {

// Of the time-stamp counter, or nanoseconds where there is none.
inline std::uint64_t Clocks() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// Waits until what this thread wrote has left its store buffer. A frame that a device delivers is in memory or cache;
// where a benchmark has just written one, wide loads of it would stall.
inline void Settle() { std::atomic_thread_fence(std::memory_order_seq_cst); }

// The middle of what many bursts took: what else the machine does meanwhile counts for little.
class BurstClocks {
 public:
  void Add(std::uint64_t clocks) { clocks_.push_back(static_cast<std::uint32_t>(clocks)); }
  // Of the later half, when caches hold what this contender leaves there; per packet of a burst.
  double Median(std::uint32_t burst) {
    const auto first = clocks_.begin() + static_cast<std::ptrdiff_t>(clocks_.size() / 2);
    const auto middle = first + (clocks_.end() - first) / 2;
    std::nth_element(first, middle, clocks_.end());
    const double median = *middle;
    clocks_.clear();
    return median / burst;
  }

 private:
  std::vector<std::uint32_t> clocks_;
};

class Result {
 public:
  Result(std::string_view bench, std::string_view contender) {
    Text("bench", bench);
    Text("contender", contender);
  }
  Result& Text(std::string_view key, std::string_view value) {
    Key(key);
    text_ += '"' + std::string(value) + '"';
    return *this;
  }
  Result& Number(std::string_view key, double value) {
    Key(key);
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.12g", value);
    text_ += buffer;
    return *this;
  }
  // Prints the line.
  void Values(std::string_view metric, const std::vector<double>& values) {
    Text("metric", metric);
    std::string list;
    char buffer[32];
    for (const double value : values) {
      std::snprintf(buffer, sizeof buffer, "%s%.6g", list.empty() ? "" : ",", value);
      list += buffer;
    }
    std::printf("{%s,\"values\":[%s]}\n", text_.c_str(), list.c_str());
    std::fflush(stdout);
  }

 private:
  void Key(std::string_view key) { text_ += (text_.empty() ? "\"" : ",\"") + std::string(key) + "\":"; }

  std::string text_;
};

// A small generator of random numbers that leaves the caches alone.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed | 1) {}
  std::uint32_t Below(std::uint32_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::uint32_t>((state_ >> 32) * limit >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace sluice

#endif  // SLUICE_BENCH_MEASURE_H_
