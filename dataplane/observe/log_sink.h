// Where lines of a log go: a file that rotates, standard output, or a Unix socket. Nothing here waits for a reader, or
// ends because of one; what cannot be written is lost, and whoever writes hears of it.
//
// One thread. A line is written whole or not at all.
#ifndef SLUICE_DATAPLANE_OBSERVE_LOG_SINK_H_
#define SLUICE_DATAPLANE_OBSERVE_LOG_SINK_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

class LogSink {
 public:
  struct Rotation {
    std::uint64_t most_bytes = std::uint64_t{10} << 20;  // of a file, before the next one begins
    std::uint32_t kept = 5;                              // files of before
    bool gzip = false;                                   // of those
  };

  // Requires a place that CheckLogPlace takes. Opens nothing.
  static std::unique_ptr<LogSink> Of(const std::string& to, const Rotation& rotation);
  virtual ~LogSink() = default;

  // False: the line is lost, and problem() says why.
  virtual bool Write(std::string_view line) = 0;
  // What is to be done without a line: connect again, send what waits. A few times a second.
  virtual void Tend() {}
  // Writes out what waits, for as long as that takes no time.
  virtual void Finish() {}

  // Lines that Write took and that are lost all the same, since the last call.
  std::uint64_t TakeLostLater() { return std::exchange(lost_later_, 0); }

  // Empty while lines are taken.
  const std::string& problem() const { return problem_; }

 protected:
  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool Succeed() {
    problem_.clear();
    return true;
  }
  void LoseLater(std::uint64_t lines) { lost_later_ += lines; }

 private:
  std::string problem_;
  std::uint64_t lost_later_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_LOG_SINK_H_
